//! Both ways of reading traffic: whichever the kernel allows, a recording is the same.

use std::fs;

use reel_tests::app::App;
use reel_tests::process::{free_port, root};

use super::shop::{Shop, can_run, check_complete};
use super::support::{Ran, folder, has, reel};

const WAYS: [&str; 2] = ["tcp-tracepoints", "system-calls"];

/// Asks for five pages on one connection, and says what came.
const CLIENT: &str = r#"import http.client, os
conn = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]))
for n in range(5):
    conn.request("GET", f"/page/{n}")
    body = conn.getresponse().read()
    assert len(body) == 500_000 + n and body[0] == 65 + n, (n, len(body))
"#;

/// A service that uses each system call in turn is recorded to the last byte.
#[track_caller]
fn check_calls(way: &str) {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let client = folder.path().join("client.py");
    fs::write(&client, CLIENT).unwrap();
    let dir = folder.path().join("recording");
    let drive = format!("python3 {}", client.display());
    let mut record = reel(["record", "--through", way, "--drive", &drive, "-o"]);
    record
        .arg(&dir)
        .args(["--", "python3"])
        .arg(root().join("tests/apps/plain/calls.py"))
        .env("PORT", port.to_string());
    let ran = Ran::of(&mut record).exits(0);
    check_complete(&ran.err, 5);
    let mut replay = reel(["replay"]);
    replay
        .arg(&dir)
        .args(["--", "python3"])
        .arg(root().join("tests/apps/plain/calls.py"))
        .env("PORT", port.to_string());
    Ran::of(&mut replay).exits(0).prints("5 passed, 0 failed");
}

#[test]
fn every_system_call_is_read_through_tcp_tracepoints() {
    check_calls(WAYS[0]);
}

#[test]
fn every_system_call_is_read_through_system_calls() {
    check_calls(WAYS[1]);
}

/// The services of the other tests, recorded the second way.
#[track_caller]
fn check_shop(app: App, clients: usize, orders: usize) {
    if !can_run(app) {
        return;
    }
    let shop = Shop::recorded_with(app, clients, orders, &["--through", WAYS[1]]);
    shop.replay("").exits(0).prints(&format!("\n{} passed, 0 failed\n", shop.tests));
}

#[test]
fn flask_through_system_calls() {
    check_shop(App::Flask, 50, 1);
}

#[test]
fn node_through_system_calls() {
    check_shop(App::Node, 50, 1);
}

#[test]
fn go_through_system_calls() {
    check_shop(App::Go, 50, 1);
}

/// What goes out by `sendfile` is seen the first way by its length only, and not at all the second way: a hole either way.
#[test]
fn what_cannot_be_read_makes_the_recording_incomplete() {
    if !has("python3") {
        return;
    }
    for way in WAYS {
        let (folder, port) = (folder(), free_port().unwrap());
        let app = "import os, socket, tempfile\n\
                   file = tempfile.TemporaryFile(); file.write(b'x' * 1000); file.flush()\n\
                   conn = socket.create_server(('127.0.0.1', int(os.environ['PORT']))).accept()[0]\n\
                   conn.recv(65536)\n\
                   conn.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\n')\n\
                   os.sendfile(conn.fileno(), file.fileno(), 0, 1000)\n\
                   conn.close()\n";
        let dir = folder.path().join("recording");
        let drive = super::network::client(port);
        let mut record = reel(["record", "--through", way, "--drive", &drive, "-o"]);
        record.arg(&dir).args(["--", "python3", "-c", app]).env("PORT", port.to_string());
        Ran::of(&mut record).exits(4).says("missing bytes: 1000");
    }
}

//! What connections do, besides carrying messages: they open, move bytes, break their protocol and close.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::thread::JoinHandle;

use reel_probes::doctor::Capability;

use super::support::{Ran, folder, has, reel};

/// A server that takes one connection, hears `asks`, and answers it.
fn server(asks: &'static [u8], answer: &'static [u8]) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut vec![0; asks.len()]).unwrap();
        stream.write_all(answer).unwrap();
        // The client closes first.
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    };
    (port, std::thread::spawn(serve))
}

const ASKS: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const BAD: &[u8] = b"HTTP/1.1 2x0 OK\r\n\r\n";

/// What a script prints of a program that asks a server at a port, and closes.
fn of_client(script: &str, port: u16) -> Ran {
    let folder = folder();
    let file = folder.path().join("client.py");
    let text = format!(
        "import socket\ns = socket.create_connection(('127.0.0.1', {port}))\ns.sendall({:?}.encode())\ns.recv(100)\ns.close()\n",
        String::from_utf8_lossy(ASKS)
    );
    std::fs::write(&file, text).unwrap();
    Ran::of(&mut reel(["-q", "-e", script, "-c", &format!("python3 {}", file.display())]))
}

#[test]
fn connections_are_told_live() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let (port, serving) = server(ASKS, BAD);
    let script = r#"tcp:out:open { printf("open %s %d by %s %d\n", addr, port, comm, pid == tid); }
        tcp:data { printf("%s +%d %d %d\n", sender, offset, size, len(data)); }
        tcp:close { printf("%s closed, %d and %d bytes, %d %d\n", closer, client_bytes, server_bytes, duration > 0ns, pid == tid); }
        tcp:in:open { print("nobody calls"); }"#;
    let ran = of_client(script, port).exits(0);
    let expect = format!(
        "open 127.0.0.1 {port} by python3 1\nclient +0 {} {0}\nserver +0 {} {1}\nclient closed, {0} and {1} bytes, 1 1\n",
        ASKS.len(),
        BAD.len()
    );
    assert_eq!(ran.out, expect, "{}", ran.err);
    serving.join().unwrap();
}

#[test]
fn bytes_that_break_their_protocol_are_told_live() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let (port, serving) = server(ASKS, BAD);
    let script =
        r#"http:out:error { printf("%s %d %s (%s) of %d by %s: %s", side, offset, reason, spec, port, comm, data); }"#;
    let ran = of_client(script, port).exits(0).says("1 conversation broke its protocol, and was left there");
    let what = format!("response 10 an invalid status line (RFC 9112 section 4) of {port} by python3: HTTP/1.1 2x0");
    assert!(ran.out.starts_with(&what), "{ran:?}");
    serving.join().unwrap();
}

#[test]
fn an_exchange_knows_its_connection_and_cgroup() {
    if !has("python3") || !Capability::TcpHooks.needs() {
        return;
    }
    let (port, serving) = server(ASKS, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let script =
        r#"http:exchange { printf("%d %d %d %d\n", client_bytes, server_bytes, duration >= latency, cgroup); }"#;
    let ran = of_client(script, port).exits(0);
    let words: Vec<u64> = ran.out.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(words[..3], [ASKS.len() as u64, 38, 1], "{ran:?}");
    // The command has a cgroup of its own, below that of the tests: not theirs.
    let mount = reel_probes::cgroup::mount_point().unwrap();
    assert!(words[3] > 1 && words[3] != mount.metadata().unwrap().ino(), "{ran:?}");
    serving.join().unwrap();
}

#[test]
fn a_source_that_cannot_tell_says_so() {
    let folder = folder();
    for probe in ["tcp:open", "tcp:data", "tcp:close", "http:error"] {
        let script = format!("{probe} {{ @ = count(); }}");
        let ran = Ran::of(reel(["-e", &script, "--from"]).arg(folder.path())).exits(2);
        ran.says("E0706")
            .says(&format!("a recording does not tell of `{probe}`"))
            .says("Ask a live capture or a packet file");
    }
    let listed = Ran::of(&mut reel(["list", "-v", "tcp:open"])).exits(0);
    listed.prints("tcp:open\n").prints("duration").prints("client_bytes").prints("cgroup");
}

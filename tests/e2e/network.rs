//! What a service sees of the network and of signals: under reel, the same as without.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use reel_tests::process::{PATIENCE, free_port, root};

use super::support::{Ran, folder, has, reel};

/// The command of the odd service.
pub const PLAIN: &str = "tests/apps/plain/app.py";

/// Adds the odd service to a command of reel.
pub fn with_plain(command: &mut Command, port: u16, dependency: SocketAddr) -> &mut Command {
    command.arg("--").arg("python3").arg(root().join(PLAIN));
    command.env("PORT", port.to_string()).env("DEPENDENCY", dependency.to_string())
}

/// A dependency that counts hits, in a thread that ends with the process.
pub fn counter(address: impl Into<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind(address.into()).expect("a port for the dependency");
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 24];
            if stream.read_exact(&mut request).is_ok() {
                assert_eq!(&request, b"*2\r\n$4\r\nINCR\r\n$4\r\nhits\r\n");
                stream.write_all(b":7\r\n").unwrap();
            }
        }
    });
    address
}

/// Asks the service for its page, on one connection of its own.
pub fn ask(port: u16) -> String {
    ask_for(port, "/ping")
}

/// Asks for a path, on one connection of its own.
pub fn ask_for(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: plain\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Reads lines of a child's standard error, where an app's output goes in a replay, until one has this text.
pub fn wait_line(child: &mut Child, text: &str) -> BufReader<std::process::ChildStderr> {
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the output ended without `{text}`");
    }
    lines
}

/// A client of the odd service, for `--drive`.
pub fn client(port: u16) -> String {
    format!(
        "python3 -c 'import urllib.request; print(urllib.request.urlopen(\"http://127.0.0.1:{port}/ping\").read().decode())'"
    )
}

#[track_caller]
fn check_peer(dependency: SocketAddr, bind: &str, url_host: &str) {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let drive = client(port).replace("127.0.0.1", url_host);
    let mut record = reel(["record", "--drive", &drive, "-o"]);
    let peer = format!("{{\"peer\": [\"{}\", {}], \"reply\": \":7\"}}", dependency.ip(), dependency.port());
    let ran = Ran::of(with_plain(record.arg(&dir), port, dependency).env("BIND", bind)).exits(0).prints(&peer);
    super::shop::check_complete(&ran.err, 1);
    // The body of the response holds the address, so a replay passes only if the app sees the same peer.
    let mut replay = reel(["replay"]);
    Ran::of(with_plain(replay.arg(&dir), port, dependency).env("BIND", bind)).exits(0).prints("1 passed, 0 failed");
    let shown = std::fs::read_to_string(dir.join("tests/0001-get-ping.yaml")).unwrap();
    assert!(shown.contains(&dependency.ip().to_string()), "{shown}");
}

#[test]
fn in_a_replay_the_peer_is_the_recorded_dependency() {
    let dependency = counter(([127, 0, 0, 1], 0));
    check_peer(dependency, "127.0.0.1", "127.0.0.1");
}

#[test]
fn a_service_and_a_dependency_on_ipv6() {
    let dependency = counter(([0, 0, 0, 0, 0, 0, 0, 1], 0));
    check_peer(dependency, "::1", "[::1]");
}

/// A call that comes more often than it was recorded.
#[test]
fn a_repeated_call_fails_the_test() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let dependency = counter(([127, 0, 0, 1], 0));
    let mut record = reel(["record", "--drive", &client(port), "-o"]);
    Ran::of(with_plain(record.arg(&dir), port, dependency)).exits(0);
    let mut replay = reel(["replay"]);
    Ran::of(with_plain(replay.arg(&dir), port, dependency).env("TIMES", "2"))
        .exits(1)
        .prints("repeated call  redis-0001");
    let mut replay = reel(["replay"]);
    Ran::of(with_plain(replay.arg(&dir), port, dependency).env("TIMES", "0"))
        .exits(1)
        .prints("missing call   redis-0001");
}

#[track_caller]
fn check_signal(signal: rustix::process::Signal, name: &str) {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let dependency = counter(([127, 0, 0, 1], 0));
    let mut record = reel(["record", "-o"]);
    let record = with_plain(record.arg(&dir), port, dependency).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = reel_tests::process::Running::start(record).unwrap();
    running.wait_listening(port).unwrap();
    assert!(ask(port).contains("\":7\""));
    let reel_id = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(reel_id, signal).unwrap();
    let mut out = String::new();
    running.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(out.contains(&format!("got {name}")), "{out}");
    let mut err = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0), "{err}");
    super::shop::check_complete(&err, 1);
    Ran::of(reel(["show"]).arg(&dir)).exits(0).prints("1 tests, 1 mocks");
}

#[test]
fn ctrl_c_reaches_the_app_and_completes_the_recording() {
    check_signal(rustix::process::Signal::INT, "SIGINT");
}

#[test]
fn sigterm_reaches_the_app_and_completes_the_recording() {
    check_signal(rustix::process::Signal::TERM, "SIGTERM");
}

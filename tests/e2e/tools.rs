//! The tools that come with reel, on traffic whose answers are known: what each must show, and what it must not. Where times
//! decide, it is a recording with times that are known as well.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use reel::recording::{About, Circumstance, Closing, Scope, Writer};
use reel_lang::schema::Direction;
use reel_probes::doctor::Capability;
use reel_tests::large::exchange;

use super::support::{Ran, folder, has, reel};

/// Runs a tool over a recording of a service: three requests of 10, 30 and 40 ms, and two commands to its store of 10 and 40 ms.
#[track_caller]
fn over_recording(words: &[&str]) -> Ran {
    let folder = folder();
    let dir = folder.path().join("recording");
    let mut writer = Writer::create(&dir, About::default()).unwrap();
    let at = |at_ms: u64, latency_ms: u64| Circumstance {
        at_ns: at_ms * 1_000_000,
        latency_ns: Some(latency_ms * 1_000_000),
        peer: Some(([127, 0, 0, 1], 40_000).into()),
        ..Circumstance::default()
    };
    for (at_ms, latency_ms, command, reply) in [(1100, 10, "GET", "$2\r\n12\r\n"), (1200, 40, "DEL", ":1\r\n")] {
        let command = format!("*2\r\n$3\r\n{command}\r\n$3\r\ntea\r\n");
        let call = exchange("redis", Direction::Out, 6379, &command, reply).unwrap();
        writer.add_mock(Scope::Test, None, call, Vec::new(), at(at_ms, latency_ms)).unwrap();
    }
    for (at_ms, latency_ms, path) in [(1000, 10, "/fast/7"), (2000, 30, "/orders/1001"), (3000, 40, "/orders/1002")] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n");
        let answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        let test = exchange("http", Direction::In, 8080, &request, answer).unwrap();
        writer.add_test(test, Vec::new(), Vec::new(), at(at_ms, latency_ms)).unwrap();
    }
    writer.finish(Closing::default()).unwrap();
    let words = ["tool", "-q"].iter().chain(words).copied().chain(["--from", dir.to_str().unwrap()]);
    Ran::of(&mut reel(words)).exits(0)
}

/// A server that takes one request a connection, which ends with `end`, and answers a text a connection.
fn server(end: &'static [u8], answers: [&'static str; 2]) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for answer in answers {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(end) {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            client.write_all(answer.as_bytes()).unwrap();
        }
    });
    (port, thread)
}

/// Runs a tool on a client that sends two requests, each on a connection of its own.
#[track_caller]
fn tool(words: &[&str], port: u16, requests: [&str; 2]) -> Option<Ran> {
    if !Capability::TcpHooks.needs() || !Capability::UserDynptr.needs() || !has("bash") {
        return None;
    }
    let one = |request: &str| format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf \"{request}\" >&3; cat <&3 >&2");
    let client = format!("bash -c '{}; {}'", one(requests[0]), one(requests[1]));
    let words = ["tool", "-q"].iter().chain(words).copied().chain(["-c", &client]);
    Some(Ran::of(&mut reel(words)).exits(0))
}

const HTTP: [&str; 2] =
    ["GET /fast/7 HTTP/1.1\\r\\nHost: shop\\r\\n\\r\\n", "GET /slow/8 HTTP/1.1\\r\\nHost: shop\\r\\n\\r\\n"];

fn http(words: &[&str]) -> Option<Ran> {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ];
    let (port, served) = server(b"\r\n\r\n", answers);
    let ran = tool(words, port, HTTP)?;
    served.join().unwrap();
    Some(ran)
}

fn redis(words: &[&str]) -> Option<Ran> {
    let (port, served) = server(b"tea\r\n", ["$2\r\n12\r\n", "-ERR no such key\r\n"]);
    let request = "*2\\r\\n\\$3\\r\\nGET\\r\\n\\$3\\r\\ntea\\r\\n";
    let slow = "*2\\r\\n\\$3\\r\\nDEL\\r\\n\\$3\\r\\ntea\\r\\n";
    let ran = tool(words, port, [request, slow])?;
    served.join().unwrap();
    Some(ran)
}

#[test]
fn httpslow_shows_what_is_slower_than_it_was_told() {
    let line = |latency: &str, path: &str| format!("{latency:<10} in  GET     {path:<40} 503\n");
    let both = line("30ms", "/orders/1001") + &line("40ms", "/orders/1002");
    assert_eq!(over_recording(&["httpslow"]).out.trim_start(), both, "10 ms is the limit, and not above it");
    assert_eq!(over_recording(&["httpslow", "35"]).out.trim_start(), line("40ms", "/orders/1002"));
    assert_eq!(over_recording(&["httpslow", "40"]).out.trim(), "");
}

#[test]
fn httperr_shows_errors_alone() {
    let Some(ran) = http(&["httperr"]) else { return };
    assert!(!ran.out.contains("/fast/7"), "{}", ran.out);
    ran.prints("503 out GET     shop/slow/8\n").prints("@errors[out, 503, GET, /slow/:id]: 1\n");
}

#[test]
fn httptop_counts_by_route() {
    let Some(ran) = http(&["httptop"]) else { return };
    ran.prints("@requests[out, GET, /fast/:id]: 1\n")
        .prints("@requests[out, GET, /slow/:id]: 1\n")
        .prints("@status[503]: 1\n");
}

#[test]
fn apilat_counts_what_comes_in_by_route() {
    over_recording(&["apilat"])
        .prints("@summary_us[GET, /fast/:id]: count 1, average 10000, total 10000\n")
        .prints("@summary_us[GET, /orders/:id]: count 2, average 35000, total 70000\n")
        .prints("@latency_us[GET, /orders/:id]: \n[16K, 32K)              1 |@");
    let Some(ran) = http(&["apilat"]) else { return };
    assert_eq!(ran.out.trim(), "", "the client is no service");
}

#[test]
fn redisslow_shows_what_is_slower_than_it_was_told() {
    let slow = format!("{:<10} {:<12} tea\n", "40ms", "DEL");
    assert_eq!(over_recording(&["redisslow"]).out.trim_start(), slow);
    assert_eq!(over_recording(&["redisslow", "40"]).out.trim(), "");
    over_recording(&["redisslow", "5"]).prints(&format!("{:<10} {:<12} tea\n", "10ms", "GET")).prints(&slow);
}

#[test]
fn rediscmd_counts_commands_and_errors() {
    let Some(ran) = redis(&["rediscmd"]) else { return };
    ran.prints("@commands[DEL]: 1\n").prints("@commands[GET]: 1\n").prints("@errors[DEL, ERR no such key]: 1\n");
}

#[test]
fn tcpconn_shows_who_connected_where() {
    let (port, served) = server(b"\r\n\r\n", ["HTTP/1.1 204 No Content\r\n\r\n"; 2]);
    let Some(ran) = tool(&["tcpconn"], port, HTTP) else { return };
    served.join().unwrap();
    let ours = |out: &str| -> Vec<String> {
        let whole = format!(" bash             127.0.0.1:{port} ");
        out.lines().filter_map(|line| Some(line.split_once(&whole)?.1.to_owned())).collect()
    };
    let lasted = ours(&ran.out);
    assert_eq!(lasted.len(), 2, "{}", ran.out);
    assert!(lasted.iter().all(|lasted| lasted.ends_with(" ms")), "{lasted:?}");
    // Nobody listens there any more.
    let Some(ran) = tool(&["tcpconn"], port, ["", ""]) else { return };
    assert_eq!(ours(&ran.out), ["failed", "failed"], "{}", ran.out);
}

//! Bytes decoded a second, by protocol: a connection of many exchanges through a conversation, as capture and replay drive it, with
//! no field wanted and with every field.
//!
//! The argument is the number of exchanges of a round (20000). The figures are the best of some rounds.
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use reel_lang::schema::Side;
use reel_protocols::conversation::Conversation;
use reel_protocols::{Demand, by_name};

const ROUNDS: usize = 7;
const NONE: Demand = Demand(0);

struct Case {
    protocol: &'static str,
    /// What is said before the first exchange.
    opening: (Vec<u8>, Vec<u8>),
    request: Vec<u8>,
    response: Vec<u8>,
}

fn main() {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(20_000);
    println!(
        "{:<12} {:>9} {:>11} {:>14} {:>11} {:>14}",
        "", "bytes", "none: MB/s", "exchanges/s", "all: MB/s", "exchanges/s"
    );
    for case in [http(), redis(), postgres()] {
        let len = case.request.len() + case.response.len();
        let [none, all] =
            [NONE, Demand::ALL].map(|demand| (0..ROUNDS).map(|_| rate(&case, demand, count)).fold(0.0, f64::max));
        let megabytes = |rate: f64| rate * len as f64 / 1e6;
        println!(
            "{:<12} {len:>9} {:>11.0} {none:>14.0} {:>11.0} {all:>14.0}",
            case.protocol,
            megabytes(none),
            megabytes(all)
        );
    }
}

/// Exchanges a second.
fn rate(case: &Case, demand: Demand, count: usize) -> f64 {
    let Some(protocol) = by_name(case.protocol) else { return 0.0 };
    let mut conversation = Conversation::of(protocol, demand, Arc::default());
    conversation.bytes(Side::Request, 0, &case.opening.0, ());
    conversation.bytes(Side::Response, 0, &case.opening.1, ());
    while conversation.next_exchange().is_some() {}
    let began = Instant::now();
    let mut seen = 0;
    for at in 0..count {
        conversation.bytes(Side::Request, at as u64, &case.request, ());
        conversation.bytes(Side::Response, at as u64, &case.response, ());
        while conversation.next_exchange().is_some() {
            seen += 1;
        }
    }
    let took = began.elapsed().as_secs_f64();
    assert_eq!(seen, count, "{}", case.protocol);
    count as f64 / took
}

fn http() -> Case {
    let body = r#"{"id":1842,"amount":10.50,"tags":["a","b","cdefg"],"note":"a line of text, as many have one"}"#;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    Case {
        protocol: "http",
        opening: Default::default(),
        request: b"GET /orders/1842?expand=items HTTP/1.1\r\nHost: shop.test\r\nAccept: application/json\r\n\r\n"
            .to_vec(),
        response: (head + body).into_bytes(),
    }
}

fn redis() -> Case {
    let value = "x".repeat(100);
    Case {
        protocol: "redis",
        opening: Default::default(),
        request: b"*2\r\n$3\r\nGET\r\n$10\r\norder:1842\r\n".to_vec(),
        response: format!("$100\r\n{value}\r\n").into_bytes(),
    }
}

/// A query whose answer has ten rows of two columns.
fn postgres() -> Case {
    let startup = message(None, b"\0\x03\0\0user\0postgres\0database\0postgres\0\0");
    let ready = message(Some(b'Z'), b"I");
    let column = |name: &str, oid: u8, len: i16| {
        let rest =
            [&[0, 0, 0, 0, 0, 0, 0, 0, 0, oid][..], &len.to_be_bytes(), &[0xff, 0xff, 0xff, 0xff, 0, 0]].concat();
        [name.as_bytes(), b"\0", &rest].concat()
    };
    let columns = [&b"\0\x02"[..], &column("id", 23, 4), &column("name", 25, -1)].concat();
    let row = message(Some(b'D'), b"\0\x02\0\0\0\x041842\0\0\0\x0aa new name");
    let answer = [message(Some(b'T'), &columns), row.repeat(10), message(Some(b'C'), b"SELECT 10\0"), ready.clone()];
    Case {
        protocol: "postgres",
        opening: (startup, [message(Some(b'R'), &[0; 4]), ready].concat()),
        request: message(Some(b'Q'), b"SELECT id, name FROM orders WHERE name <> ''\0"),
        response: answer.concat(),
    }
}

/// A message of PostgreSQL's protocol: its type, its length with the length itself, its body.
fn message(tag: Option<u8>, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes();
    tag.into_iter().chain(len).chain(body.iter().copied()).collect()
}

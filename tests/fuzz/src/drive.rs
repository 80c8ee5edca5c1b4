//! What every fuzz input must satisfy, whichever protocol it is run as. The fuzz targets call these functions, and so does a
//! test of the protocols' crate, with the corpus.
//!
//! An input for a conversation is a script, but for [`postgres_messages`]. Each step begins with a control byte: its lowest bit is the side, the next two say
//! what happens (bytes for 0 to 2, a close for 3), and the upper five how many bytes follow, in eights, at least one.

use std::sync::Arc;

use reel_lang::schema::Side;
use reel_protocols::conversation::{Config, Conversation, Exchange, Timed};
use reel_protocols::json::{self, Style};
use reel_protocols::{Demand, Message, Protocol, Recorded, Step as Said, by_name};

#[derive(Clone)]
enum Step<'a> {
    Bytes(Side, &'a [u8]),
    Close(Side),
}

/// Runs a script as one protocol, and with the protocol inferred: in the script's pieces and byte by byte, which must give the
/// same; every byte must be in a message or counted; and a message's fields or exact bytes must be as long as it was.
pub fn conversation(name: &str, data: &[u8]) {
    let Some(protocol) = by_name(name) else { panic!("no protocol {name}") };
    let steps = script(data);
    let total: u64 =
        steps.iter().map(|step| if let Step::Bytes(_, bytes) = step { bytes.len() as u64 } else { 0 }).sum();
    for start in [Some(protocol), None] {
        let whole = run(start, &steps, usize::MAX, total);
        let by_byte = run(start, &steps, 1, total);
        if let Some((whole, by_byte)) = whole.lines().zip(by_byte.lines()).find(|(whole, by_byte)| whole != by_byte) {
            panic!("in the script's pieces `{whole}`, byte by byte `{by_byte}`");
        }
        assert_eq!(whole.len(), by_byte.len());
    }
}

/// Runs datagrams as one protocol: each has its length before it, whose highest bit says that it is a response. Every byte must be in a
/// message or counted, and a message's fields or exact bytes must be as long as it was.
pub fn datagrams(name: &str, mut data: &[u8]) {
    let protocol = by_name(name).and_then(|protocol| Conversation::of_datagrams(protocol, Demand::ALL, Arc::default()));
    let Some(mut conversation) = protocol else { panic!("{name} has no datagrams") };
    let mut total = 0;
    while let Some((head, rest)) = data.split_first_chunk::<2>() {
        let head = u16::from_be_bytes(*head);
        let side = if head & 0x8000 == 0 { Side::Request } else { Side::Response };
        let (datagram, rest) = rest.split_at(usize::from(head & 0x7fff).min(rest.len()));
        conversation.datagram(side, total, datagram, ());
        total += datagram.len() as u64;
        data = rest;
    }
    conversation.finish();
    let mut decoded = 0;
    for exchange in std::iter::from_fn(|| conversation.next_exchange()) {
        for timed in exchange.request.iter().chain(&exchange.interim).chain(&exchange.response) {
            decoded += timed.message.wire_len;
            check(exchange.protocol, timed);
        }
    }
    assert_eq!(decoded + conversation.counters().undecoded_bytes, total);
}

/// The types of PostgreSQL's messages (section 55.7), of a client and of a server.
const POSTGRES_TYPES: [&[u8]; 2] = [b"BCDEFHPQSXcdfp", b"123ACDEGHIKNRSTVWZcdnstv"];

/// Runs messages of PostgreSQL, each framed rightly around a body that need not be right, after a start-up, so that any may come: in the
/// codec as a conversation, and the client's alone in the server that a replay plays. Each begins with two bytes: the side in the lowest
/// bit and the type above it, and the length of the body.
pub fn postgres_messages(mut data: &[u8]) {
    let startup = b"\0\0\0\x11\0\x03\0\0user\0me\0\0".to_vec();
    let ready = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I".to_vec();
    let mut packets = vec![(Side::Request, startup), (Side::Response, ready)];
    while let Some(([head, len], rest)) = data.split_first_chunk::<2>() {
        let (body, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        let side = if head & 1 == 0 { Side::Request } else { Side::Response };
        let types = POSTGRES_TYPES[side as usize];
        let mut packet = vec![types[usize::from(head >> 1) % types.len()]];
        packet.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        packet.extend_from_slice(body);
        packets.push((side, packet));
        data = rest;
    }
    let Some(protocol) = by_name("postgres") else { panic!("no protocol postgres") };
    let steps: Vec<Step<'_>> = packets.iter().map(|(side, packet)| Step::Bytes(*side, packet)).collect();
    let total = packets.iter().map(|(_, packet)| packet.len() as u64).sum();
    assert_eq!(run(Some(protocol), &steps, usize::MAX, total), run(Some(protocol), &steps, 1, total));
    let Some(mut server) = protocol.server() else { panic!("postgres has no server") };
    let empty = Message::new(protocol.schema(), Side::Response);
    for (_, packet) in packets.iter().filter(|(side, _)| *side == Side::Request) {
        server.hear(packet);
        loop {
            match server.step() {
                Ok(Said::Call { .. }) => {
                    if let Err(error) = server.answer(Recorded { request: None, response: &empty }) {
                        panic!("{error}");
                    }
                }
                Ok(Said::Idle) => break,
                Ok(Said::Closed) | Err(_) => return,
            }
        }
    }
}

/// Reads a text as JSON; what is read and written must read the same again.
pub fn json(data: &[u8]) {
    let Ok(value) = json::parse(data) else { return };
    for style in [Style::default(), Style::of(data)] {
        let mut out = Vec::new();
        if let Err(error) = json::write(&value, style, &mut out) {
            panic!("{error}");
        }
        assert_eq!(json::parse(&out).as_ref(), Ok(&value), "{}", out.escape_ascii());
    }
}

fn script(mut data: &[u8]) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    let mut closed = [false; 2];
    while let Some((control, rest)) = data.split_first() {
        let side = if control & 1 == 0 { Side::Request } else { Side::Response };
        if control >> 1 & 3 == 3 {
            steps.push(Step::Close(side));
            closed[side as usize] = true;
            data = rest;
            continue;
        }
        let len = (usize::from(control >> 3) * 8).max(1).min(rest.len());
        let (bytes, rest) = rest.split_at(len);
        if !closed[side as usize] {
            steps.push(Step::Bytes(side, bytes));
        }
        data = rest;
    }
    steps
}

/// What comes out, as text.
fn run(protocol: Option<&'static dyn Protocol>, steps: &[Step<'_>], piece: usize, total: u64) -> String {
    let config = Arc::new(Config::default());
    let mut conversation = match protocol {
        Some(protocol) => Conversation::of(protocol, Demand::ALL, config),
        None => Conversation::new(config),
    };
    for step in steps {
        match step {
            Step::Bytes(side, bytes) => bytes.chunks(piece).for_each(|piece| conversation.bytes(*side, 0, piece, ())),
            Step::Close(side) => conversation.closed(*side),
        }
    }
    conversation.finish();
    let exchanges: Vec<Exchange<()>> = std::iter::from_fn(|| conversation.next_exchange()).collect();
    let mut decoded = 0;
    for exchange in &exchanges {
        for timed in exchange.request.iter().chain(&exchange.interim).chain(&exchange.response) {
            decoded += timed.message.wire_len;
            check(exchange.protocol, timed);
        }
    }
    let counters = conversation.counters();
    assert_eq!(decoded + counters.undecoded_bytes + counters.passed_bytes, total, "{exchanges:?}");
    format!("{exchanges:#?}\n{} undecoded, {} passed", counters.undecoded_bytes, counters.passed_bytes)
}

fn check(protocol: &'static dyn Protocol, timed: &Timed<()>) {
    let message = &timed.message;
    if let Some(exact) = &message.exact {
        assert_eq!(exact.len() as u64, message.wire_len);
        return;
    }
    let mut out = Vec::new();
    if let Err(error) = protocol.codec().encode(message, &mut out) {
        panic!("{error}: {message:?}");
    }
    // Where a message is made of several, there is more than one way to write it.
    if protocol.server().is_none() {
        assert_eq!(out.len() as u64, message.wire_len, "{message:?}");
    }
}

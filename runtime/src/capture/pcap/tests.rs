//! Packet files in, what a script prints of them out; and what is told of those that are not whole.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::path::Path;

use reel_protocols::conversation::Timed;

use super::testing::*;
use crate::engine::messages::Wants;
use crate::engine::occurrence::{Occurrence, What};
use crate::engine::past::tests::over;
use crate::engine::past::{Captured, Past};
use crate::engine::source::Source;
use crate::exit::{Exit, Failure};
use crate::output::text;

/// What a packet file tells, up to its end or its damage: a line an exchange.
fn told(file: &[u8]) -> (String, Vec<String>, Option<Failure>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap");
    std::fs::write(&path, file).unwrap();
    let mut lines = String::new();
    let mut captured = match Captured::open(&path, &[], Wants { conversations: true, ..Wants::default() }, Vec::new()) {
        Ok(captured) => captured,
        Err(failure) => return (lines, Vec::new(), Some(at_file(failure, &path))),
    };
    let mut told = VecDeque::new();
    let failure = loop {
        match captured.step(&mut told) {
            Ok(Some(_)) => told.drain(..).for_each(|told| line(&told, &mut lines)),
            Ok(None) => break None,
            Err(failure) => break Some(at_file(failure, &path)),
        }
    };
    let here = format!("{}: ", path.display());
    let notes = captured.notes().iter().map(|note| note.replace(&here, "")).collect();
    (lines, notes, failure)
}

fn at_file(failure: Failure, path: &Path) -> Failure {
    Failure { message: failure.message.replace(&path.display().to_string(), "FILE"), ..failure }
}

/// The request's and the response's most telling field, or what is wrong.
fn line(told: &Occurrence, lines: &mut String) {
    let What::Exchange(exchange) = &told.what else { panic!("{told:?}") };
    let field = |timed: &Option<Timed<_>>, name: &str| match timed {
        None => String::new(),
        Some(timed) => {
            let schema = exchange.protocol.schema();
            let field = schema.field(timed.message.side, name).unwrap();
            text::plain(timed.message.field(field.id))
        }
    };
    let (asked, answered) = match exchange.protocol.schema().protocol.as_str() {
        "dns" => ("name", "rcode"),
        "tcp" => ("data", "data"),
        _ => ("path", "body"),
    };
    let (asked, answered) = (field(&exchange.request, asked), field(&exchange.response, answered));
    let fault = exchange.fault.as_ref().map_or(String::new(), |fault| format!(" ({fault})"));
    let opaque = if exchange.protocol.framed() { "" } else { "bytes " };
    lines.push_str(&format!("{opaque}{asked} {answered}{fault}\n"));
}

/// The exchanges that are whole, and understood.
fn unharmed(lines: &str) -> String {
    let is_whole = |line: &&str| !line.ends_with(')') && !line.starts_with("bytes ");
    lines.lines().filter(is_whole).map(|line| format!("{line}\n")).collect()
}

#[track_caller]
fn check(tape: &Tape, expect: &str, notes: &[&str]) {
    let (lines, found, failure) = told(&tape.pcap());
    assert_eq!(failure, None);
    assert_eq!(lines, expect, "{found:?}");
    assert_eq!(found, notes);
}

/// What a script prints over a packet file, or the codes of its faults.
fn run(file: &[u8], script: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap");
    std::fs::write(&path, file).unwrap();
    over(&Source::Packets(path.clone(), Vec::new()), script, |messages| {
        Box::new(Captured::open(&path, &[], messages.wants(), Vec::new()).unwrap())
    })
}

fn two(link: Link) -> Tape {
    Tape::new(link).open().get("/first", "one").get("/second?x=1", "a longer body than the first").close()
}

const TWO: &str = "/first one\n/second a longer body than the first\n";
const FIRST_LEN: usize = "/first one\n".len();

#[test]
fn every_link_layer_and_both_formats_give_the_same() {
    for link in Link::ALL {
        check(&two(link), TWO, &[]);
        assert_eq!(told(&two(link).pcapng()), (TWO.to_owned(), Vec::new(), None), "{link:?}");
        let six = Tape::between(link, "[fe80::1]:40000", "[fe80::2]:80").open().get("/six", "6").close();
        check(&six, "/six 6\n", &[]);
    }
}

#[test]
fn time_is_the_packets_time() {
    let script = r#"begin { printf("%s\n", strftime("%s", nsecs)); } interval:ms:10 { @beats = count(); }
        http:exchange { printf("%s %d %s\n", path, elapsed / 1000000, latency); }"#;
    let expect = "1700000000\n/first 7 4ms\n/second 15 7ms\n\n@beats: 1\n\n";
    assert_eq!(run(&two(Link::Raw).pcap(), script).as_deref(), Ok(expect));
    assert_eq!(run(&two(Link::Raw).pcapng(), script).as_deref(), Ok(expect));
}

#[test]
fn order_and_repetition_make_no_difference() {
    let count = two(Link::Ethernet).packets.len();
    for at in 3..count - 1 {
        check(&two(Link::Ethernet).edit(|packets| packets.swap(at, at + 1)), TWO, &[]);
        check(&two(Link::Ethernet).edit(|packets| packets.insert(at + 1, packets[at].clone())), TWO, &[]);
        check(&two(Link::Ethernet).edit(|packets| packets.push(packets[at].clone())), TWO, &[]);
    }
}

#[test]
fn a_lost_packet_costs_its_own_exchange() {
    let (first, second) = TWO.split_at(FIRST_LEN);
    let count = two(Link::Ethernet).packets.len();
    for lost in 3..count - 3 {
        let (lines, notes, failure) = told(&two(Link::Ethernet).edit(|packets| drop(packets.remove(lost))).pcap());
        // The exchange of the packet is lost, the other one is whole.
        // Without the front of the first request nobody can tell what the connection speaks.
        let expect = if lost < 5 {
            ""
        } else if lost < 8 {
            second
        } else {
            first
        };
        assert_eq!(unharmed(&lines), expect, "{lost}: {lines}{notes:?}");
        assert!(notes.iter().any(|note| note.contains("of TCP streams are not in the file")), "{lost}: {notes:?}");
        assert_eq!(failure, None);
    }
}

#[test]
fn a_connection_that_began_before_is_picked_up_at_a_request() {
    let cut = |n: usize| two(Link::Ethernet).edit(|packets| drop(packets.drain(..n)));
    let joined = |bytes: &str| {
        format!("1 connection began before the file: 1 picked up at a request after {bytes}, 0 could not be told")
    };
    check(&cut(3), TWO, &[&joined("0 bytes")]);
    // From within the first request: its rest, and the answer to it.
    check(&cut(4), &TWO[FIRST_LEN..], &[&joined("57 bytes")]);
    check(&cut(6), &TWO[FIRST_LEN..], &[&joined("25 bytes")]);
    let none = "1 connection began before the file: 0 picked up at a request after 51 bytes, 1 could not be told";
    check(&cut(12), "", &[none]);
}

#[test]
fn what_no_protocol_claims_is_told_only_from_its_beginning() {
    let tape = Tape::new(Link::Ethernet).open().say(Client, "what?").say(Server, "that").close();
    check(&tape.clone(), "bytes what? that\n", &[]);
    let note = "1 connection began before the file: 0 picked up at a request after 9 bytes, 1 could not be told";
    check(&tape.edit(|packets| drop(packets.drain(..3))), "", &[note]);
}

#[test]
fn a_packet_that_was_cut_is_a_hole_of_its_length() {
    let tape = two(Link::Ethernet).edit(|packets| packets[6].kept -= 4);
    let hole = "/first  (4 bytes of the response were not captured)\n";
    check(
        &tape,
        &format!("{hole}{}", &TWO[FIRST_LEN..]),
        &["1 packet cut short by the capture: 4 bytes are missing", "37 bytes are in no message"],
    );
    let headers = two(Link::Ethernet).edit(|packets| packets.iter_mut().for_each(|packet| packet.kept = 40));
    let (lines, notes, _) = told(&headers.pcap());
    assert_eq!(lines, "");
    assert_eq!(notes, ["19 packets left out: headers that end too soon or contradict themselves"]);
}

#[test]
fn what_is_not_read_is_counted() {
    let tape = two(Link::Raw).edit(|packets| {
        let mut fragment = packets[4].clone();
        // More Fragments (RFC 791 section 3.1).
        fragment.bytes[6] |= 0x20;
        packets.push(fragment);
        let mut udp = packets[4].clone();
        udp.bytes[9] = 17;
        packets.push(udp);
    });
    check(&tape, TWO, &["1 packet left out: fragments of IP", "1 packet left out: UDP that is no DNS"]);
}

/// The question for svc.test, and an answer that there is no such name.
fn dns(id: u8) -> [Vec<u8>; 2] {
    let message = |flags: [u8; 2]| {
        let head = [0, id, flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 0];
        [&head[..], b"\x03svc\x04test\0\0\x01\0\x01"].concat()
    };
    [message([1, 0]), message([0x81, 0x83])]
}

#[test]
fn datagrams_of_dns_are_read_on_every_link_and_others_counted() {
    let ([asks, answers], [unanswered, _]) = (dns(7), dns(8));
    for link in Link::ALL {
        for ends in [["10.0.0.1:40000", "10.0.0.2:53"], ["[fe80::1]:40000", "[fe80::2]:5399"]] {
            let tape = Tape::between(link, ends[0], ends[1]).datagram(Client, &unanswered).datagram(Client, &asks);
            let tape = tape.datagram(Server, &answers).datagram(Server, &answers);
            let lines = "svc.test NXDOMAIN\n NXDOMAIN (a response without a request)\n\
                         svc.test  (the connection ended without a response)\n";
            check(&tape, lines, &[]);
        }
    }
    let tape = Tape::between(Link::Raw, "10.0.0.1:40000", "10.0.0.2:5399").datagram(Client, b"ping");
    check(&tape, "", &["1 packet left out: UDP that is no DNS"]);
    let cut = Tape::new(Link::Raw).datagram(Client, &asks).edit(|packets| packets[0].kept -= 1);
    check(&cut, "", &["1 packet left out: datagrams that the capture has cut short"]);
    let broken = Tape::between(Link::Raw, "10.0.0.1:40000", "10.0.0.2:53").datagram(Client, b"ping");
    let fault =
        "  (invalid request: a header of less than 12 bytes at byte 4 of the message (RFC 1035 section 4.1.1))\n";
    check(&broken, fault, &["1 conversation broke its protocol, and was left there", "4 bytes are in no message"]);
}

#[test]
fn extension_headers_are_stepped_over() {
    let tape = Tape::between(Link::Raw, "[fe80::1]:40000", "[fe80::2]:80").open().get("/six", "6").close();
    let tape = tape.edit(|packets| {
        for packet in packets {
            // Hop-by-hop options of 8 bytes, padded (RFC 8200 section 4.3).
            let next = std::mem::replace(&mut packet.bytes[6], 0);
            packet.bytes.splice(40..40, [next, 0, 1, 4, 0, 0, 0, 0]);
            packet.bytes[5] += 8;
            packet.kept += 8;
        }
    });
    check(&tape, "/six 6\n", &[]);
}

#[test]
fn the_same_ports_again_are_another_connection() {
    let mut tape = two(Link::Ethernet);
    let again = Tape { packets: Vec::new(), ..tape.clone() }.open().get("/third", "3");
    tape.packets.extend(again.packets);
    check(&tape, &format!("{TWO}/third 3\n"), &[]);
}

#[test]
fn connections_open_move_bytes_and_close() {
    let script = r#"tcp:open { printf("open %s:%d -> %d %s %d\n", peer_addr, peer_port, port, duration, client_bytes); }
        tcp:data /sender == "client"/ { printf("%s +%d %s of %d at %s\n", sender, offset, data, size, duration); }
        tcp:data { @[sender] = sum(size); }
        tcp:close { printf("%s closed after %s, %d and %d bytes\n", closer, duration, client_bytes, server_bytes); }"#;
    let tape = Tape::new(Link::Raw).open().say(Client, "what?").say(Server, "that").say(Client, "no").close();
    let expect = "open 10.0.0.1:40000 -> 80 0ns 0\nclient +0 what? of 5 at 3ms\nclient +5 no of 2 at 5ms\n\
                  server closed after 7ms, 7 and 4 bytes\n\n@[server]: 4\n@[client]: 7\n\n";
    assert_eq!(run(&tape.pcap(), script).as_deref(), Ok(expect));
    // What is open at the end was not closed, and what began before did not open.
    let still = tape.clone().edit(|packets| packets.truncate(packets.len() - 3));
    assert!(!run(&still.pcap(), script).unwrap().contains("closed"));
    let joined = two(Link::Raw).edit(|packets| drop(packets.drain(..3)));
    let script = r#"tcp:open { print("opened"); } tcp:data { @ = sum(size); } tcp:close { printf("%d %d\n", duration == nil, client_bytes); }"#;
    assert_eq!(run(&joined.pcap(), script).as_deref(), Ok("1 69\n\n@: 177\n\n"));
}

#[test]
fn exchanges_know_their_connection() {
    let script = r#"http:exchange { printf("%s %s %d %d\n", path, duration, client_bytes, server_bytes); }"#;
    let expect = "/first 7ms 32 41\n/second 15ms 69 108\n";
    assert_eq!(run(&two(Link::Raw).pcap(), script).as_deref(), Ok(expect));
}

#[test]
fn bytes_that_break_their_protocol_are_told() {
    let script =
        r#"http:error, redis:error { printf("%s %d %d: %s (%s): %s\n", side, offset, port, reason, spec, data); }"#;
    let bad =
        |answer: &str| Tape::new(Link::Raw).open().say(Client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").say(Server, answer);
    let status = bad("HTTP/1.1 2x0 OK\r\n\r\n").close().pcap();
    let expect = "response 10 80: an invalid status line (RFC 9112 section 4): HTTP/1.1 2x0 OK\\x0d\n\\x0d\n\n";
    assert_eq!(run(&status, script).as_deref(), Ok(expect));
    let redis = Tape::new(Link::Raw)
        .open()
        .say(Client, "*1\r\n$4\r\nPING\r\n")
        .say(Server, "+PONG\r\n")
        .say(Client, "*1\r\n$x\r\n")
        .close();
    let expect = "request 4 80: an invalid or too large length (RESP specification): *1\\x0d\n$x\\x0d\n\n";
    assert_eq!(run(&redis.pcap(), script).as_deref(), Ok(expect));
    // It is counted too, and other connections are not harmed.
    assert_eq!(
        told(&status).1,
        ["1 conversation broke its protocol, and was left there", "19 bytes are in no message"]
    );
}

#[test]
fn silence_ends_a_connection() {
    let mut tape = Tape::new(Link::Ethernet).open().get("/a", "1");
    tape.now_ns += super::flows::IDLE_NS * 2;
    tape.ends[0].set_port(41_000);
    let tape = tape.open().get("/b", "2").close();
    check(&tape, "/a 1\n/b 2\n", &["1 connection given up after silence without an end"]);
}

#[test]
fn a_file_that_ends_too_soon_tells_what_it_has() {
    let whole = two(Link::Ethernet).pcap();
    for len in 0..whole.len() {
        let (lines, _, failure) = told(&whole[..len]);
        assert!(TWO.starts_with(&unharmed(&lines)), "{len}: {lines}");
        if let Some(Failure { exit, message, .. }) = failure {
            let expect = if message.contains("ends in the middle of a packet") { Exit::Recording } else { Exit::Usage };
            assert_eq!(exit, expect, "{len}: {message}");
        }
    }
    let (lines, _, failure) = told(&whole[..whole.len() - 1]);
    assert_eq!(lines, TWO);
    assert_eq!(failure.unwrap().message, "FILE: the file ends in the middle of a packet, after 18 packets");
}

#[test]
fn a_damaged_file_is_refused_without_harm() {
    let whole = two(Link::Ethernet).pcapng();
    for at in 0..whole.len() {
        let mut file = whole.clone();
        file[at] = if at % 2 == 0 { 0xff } else { file[at] ^ 0x41 };
        let _ = told(&file);
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    let failed = |file: &[u8]| told(file).2.unwrap().message;
    assert_eq!(failed(b"GET / HTTP/1.1\r\n\r\n and so on, a text"), "FILE: this is neither a pcap nor a pcapng file");
    assert_eq!(failed(&Tape::new(Link::Ethernet).pcap()), "FILE: the file holds no packet");
    let mut radio = two(Link::Ethernet).pcap();
    radio[20] = 105;
    assert_eq!(failed(&radio), "FILE: the packets are of link type 105, which is not read");
    let mut long = two(Link::Ethernet).pcap();
    long[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(failed(&long), "FILE: a block is longer than 1 MiB, after 0 packets");
}

#[test]
fn packets_do_not_know_processes_or_directions() {
    let file = two(Link::Ethernet).pcap();
    for (script, codes) in [
        ("http:in:request { @ = count(); }", "E0706"),
        ("http:request /comm == \"a\" || pid == 1/ { @[tid, direction] = count(); }", "E0706 E0706 E0706 E0706"),
        ("tracepoint:raw_syscalls:sys_enter { @ = count(); }", "E0705"),
    ] {
        assert_eq!(run(&file, script), Err(codes.to_owned()), "{script}");
    }
}

#[test]
fn only_what_is_asked_for_is_decoded_and_answers_are_the_same() {
    let tape = Tape::new(Link::Raw).open().get("/a?x=1", "{\"n\": 7}").get("/b", "no").close();
    for (script, expect) in [
        (r#"http:exchange /query["x"] == "1"/ { printf("%s\n", response.body_raw); }"#, "{\"n\": 7}\n"),
        (r#"http:response /body == "no"/ { printf("%s %d %s\n", request.path, status, reason); }"#, "/b 200 OK\n"),
        (r#"http:request { printf("%s %s\n", host, header["host"]); }"#, "a a\na a\n"),
        (
            r#"http:exchange { printf("%s %d\n", latency, size); } tcp:exchange { printf("%s\n", data); }"#,
            "4ms 78\n4ms 68\n",
        ),
    ] {
        assert_eq!(run(&tape.pcap(), script).as_deref(), Ok(expect), "{script}");
    }
}

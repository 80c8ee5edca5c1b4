//! Bytes that break a protocol, each with what the codec says of them; and limits, which are errors with a name.
#![allow(clippy::unwrap_used)]

use reel_lang::schema::Side;
use reel_protocols::{Demand, Frame, Rest, by_name, http, postgres, redis};

/// What the codec says of these bytes: the error, `incomplete`, or the message's length.
fn verdict(protocol: &str, side: Side, input: &[u8]) -> String {
    match by_name(protocol).unwrap().codec().frame(side, input, Rest::Open, Demand::ALL) {
        Ok(Frame::Incomplete) => "incomplete".to_owned(),
        Ok(Frame::Message { len, .. } | Frame::Part { len } | Frame::Skip { len } | Frame::Leave { len }) => {
            format!("{len} bytes")
        }
        Err(malformed) => malformed.to_string(),
    }
}

fn check(protocol: &str, side: Side, cases: &[(&str, &str)]) {
    for (input, expected) in cases {
        assert_eq!(verdict(protocol, side, input.as_bytes()), *expected, "{}", input.escape_debug());
    }
}

#[test]
fn http_requests() {
    let two = "two different Content-Length values at byte 0 of the message (RFC 9112 section 6.3)";
    let beside = "Content-Length beside Transfer-Encoding at byte 0 of the message (RFC 9112 section 6.3)";
    let not_last =
        "a request whose last transfer coding is not chunked at byte 0 of the message (RFC 9112 section 6.3)";
    let invalid = "an invalid Content-Length at byte 0 of the message (RFC 9110 section 8.6)";
    let line = "a chunk-size line that is too long or does not end in CR LF at byte";
    let size = "an invalid or too large chunk size at byte 47 of the message (RFC 9112 section 7.1)";
    check(
        "http",
        Side::Request,
        &[
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", two),
            ("GET / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n", two),
            ("GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", invalid),
            ("GET / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n", invalid),
            ("GET / HTTP/1.1\r\nContent-Length:\r\n\r\n", invalid),
            ("GET / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n", "incomplete"),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", beside),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", not_last),
            (
                "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
                "Transfer-Encoding in an HTTP/1.0 message at byte 0 of the message (RFC 9112 section 6.1)",
            ),
            ("GET /  HTTP/1.1\r\n\r\n", "an invalid version at byte 6 of the message (RFC 9112 section 2.3)"),
            ("GET / HTTP/2.0\r\n\r\n", "an invalid version at byte 11 of the message (RFC 9112 section 2.3)"),
            (
                "GET / HTTP/1.1\r\nA B: c\r\n\r\n",
                "an invalid field name at byte 17 of the message (RFC 9112 section 5)",
            ),
            ("GET / HTTP/1.1\r\nA : c\r\n\r\n", "an invalid field name at byte 17 of the message (RFC 9112 section 5)"),
            (
                "GET / HTTP/1.1\r\nA: b\x01\r\n\r\n",
                "an invalid field value at byte 20 of the message (RFC 9110 section 5.5)",
            ),
            (
                "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
                "an invalid field name at byte 22 of the message (RFC 9112 section 5)",
            ),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\nx", &size.replace("47", "46")),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello",
                &format!("{line} 46 of the message (RFC 9112 section 7.1)"),
            ),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", &size.replace("47", "46")),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", &size.replace("47", "46")),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
                "chunk data that is not followed by CR LF at byte 51 of the message (RFC 9112 section 7.1)",
            ),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno field\r\n\r\n",
                "an invalid trailer field at byte 49 of the message (RFC 9112 section 7.1)",
            ),
        ],
    );
}

#[test]
fn http_responses() {
    check(
        "http",
        Side::Response,
        &[
            ("HTTP/1.1 20 OK\r\n\r\n", "an invalid status line at byte 11 of the message (RFC 9112 section 4)"),
            ("HTTP/1.1 2000 OK\r\n\r\n", "an invalid status line at byte 12 of the message (RFC 9112 section 4)"),
            ("ICY 200 OK\r\n\r\n", "an invalid version at byte 0 of the message (RFC 9112 section 2.3)"),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "46 bytes"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", "incomplete"),
        ],
    );
}

#[test]
fn redis_commands_and_replies() {
    let length = "an invalid or too large length at byte 0 of the message (RESP specification)";
    check(
        "redis",
        Side::Request,
        &[
            ("*-2\r\n", length),
            ("*99999999999\r\n", length),
            (
                "*1\r\n:1\r\n",
                "a command that is no array of bulk strings at byte 0 of the message (RESP specification)",
            ),
            (
                "*1\r\n$2\r\nabc\r\n",
                "a bulk string that is not followed by CR LF at byte 10 of the message (RESP specification)",
            ),
            ("*1\r\n@1\r\n", "an unknown type at byte 4 of the message (RESP specification)"),
            ("*1\n", "a line that is too long or does not end in CR LF at byte 0 of the message (RESP specification)"),
            ("set k \"open\r\n", "unbalanced quotes at byte 13 of the message (RESP specification)"),
            (
                "set k \"a\"b\r\n",
                "a quote that is followed by more than a space at byte 6 of the message (RESP specification)",
            ),
            ("*0\r\n", "4 bytes"),
            ("*-1\r\n", "5 bytes"),
        ],
    );
    check(
        "redis",
        Side::Response,
        &[
            ("$536870913\r\n", length),
            ("%-1\r\n", "a null that is no array at byte 0 of the message (RESP specification)"),
            ("#x\r\n", "an invalid boolean at byte 0 of the message (RESP specification)"),
            (":1.5\r\n", "an invalid integer at byte 0 of the message (RESP specification)"),
            (":9223372036854775808\r\n", "an invalid integer at byte 0 of the message (RESP specification)"),
            (",one\r\n", "an invalid double at byte 0 of the message (RESP specification)"),
            ("(1.5\r\n", "an invalid big number at byte 0 of the message (RESP specification)"),
            (
                ";1\r\n",
                "a chunk outside a streamed string, or something else within at byte 0 of the message (RESP specification)",
            ),
            (
                "$?\r\n+a\r\n",
                "a chunk outside a streamed string, or something else within at byte 4 of the message (RESP specification)",
            ),
            (".\r\n", "an unknown type at byte 0 of the message (RESP specification)"),
            ("%?\r\n+a\r\n.\r\n", "a value that is cut off at byte 11 of the message (RESP specification)"),
        ],
    );
}

/// A message of PostgreSQL: its type, if it has one, and its body.
fn packet(kind: &str, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap();
    [kind.as_bytes(), &len.to_be_bytes(), body].concat()
}

/// What the codec says of the last of these messages, of which the others are in order.
fn after(before: &[(Side, Vec<u8>)], side: Side, input: &[u8]) -> String {
    let mut codec = by_name("postgres").unwrap().codec();
    let mut frame = |side: Side, input: &[u8]| match codec.frame(side, input, Rest::Open, Demand::ALL) {
        Ok(Frame::Incomplete) => "incomplete".to_owned(),
        Ok(Frame::Message { message, .. }) => {
            codec.pair(&message);
            "message".to_owned()
        }
        Ok(_) => "passed".to_owned(),
        Err(malformed) => malformed.to_string(),
    };
    for (side, bytes) in before {
        let verdict = frame(*side, bytes);
        assert!(["message", "passed"].contains(&verdict.as_str()), "{verdict} {}", bytes.escape_ascii());
    }
    frame(side, input)
}

#[test]
fn postgres_messages() {
    use Side::{Request, Response};
    let startup = || (Request, packet("", b"\0\x03\0\0user\0a\0\0"));
    let ready = || (Response, packet("Z", b"I"));
    let open = || vec![startup(), ready()];
    let asked = |messages: &[(&str, &[u8])]| {
        open().into_iter().chain(messages.iter().map(|(kind, body)| (Request, packet(kind, body)))).collect::<Vec<_>>()
    };
    let formats =
        |reason: &str, offset: usize| format!("{reason} at byte {offset} of the message (PostgreSQL section 55.7)");
    let flow = |reason: &str| format!("{reason} at byte 0 of the message (PostgreSQL section 55.2)");
    let two_gib = |kind: &str| [kind.as_bytes(), &[0x7f, 0xff, 0xff, 0xff]].concat();
    for (before, side, input, expect) in [
        // A length of 2 GB is an error before any of it has come.
        (open(), Request, two_gib("Q"), formats("a message `Q` of 2147483647 bytes", 1)),
        (open(), Request, two_gib("S"), formats("a message `S` of 2147483647 bytes", 1)),
        (asked(&[("Q", b"\0")]), Response, two_gib("D"), formats("a message `D` of 2147483647 bytes", 1)),
        (vec![], Request, two_gib(""), formats("a first message of 2147483647 bytes", 0)),
        (open(), Request, b"Q\0\0\0\x03".to_vec(), formats("a message `Q` of 3 bytes", 1)),
        (open(), Request, packet("?", b""), formats("an unknown message `?`", 0)),
        (asked(&[("Q", b"\0")]), Response, packet("Q", b""), formats("an unknown message `Q`", 0)),
        (vec![], Request, packet("", b"\0\x02\0\0user\0"), formats("version 2.0", 4)),
        (vec![], Request, packet("", b"\0\x03\0\0user\0a\0"), formats("a first message: a text without its end", 15)),
        (vec![], Request, packet("", b"\0\x03\0\0\0x"), formats("a first message: bytes after its end", 9)),
        (open(), Request, packet("Q", b"SELECT 1"), formats("Query: a text without its end", 5)),
        (open(), Request, packet("Q", b"\0x"), formats("Query: bytes after its end", 6)),
        (open(), Request, packet("P", b"\0\0\0\x02\0\0\0\x17"), formats("Parse: it ends within a number", 13)),
        (
            open(),
            Request,
            packet("B", b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
            formats("Bind: a value of a length that cannot be", 15),
        ),
        (open(), Request, packet("B", b"\0\0\0\0\0\x01\0\0\0\x05a\0\0"), formats("Bind: it ends within a value", 15)),
        (open(), Request, packet("D", b"X\0"), formats("Describe: neither a statement nor a portal", 6)),
        (
            asked(&[("Q", b"\0")]),
            Response,
            packet("Z", b"X"),
            formats("ReadyForQuery: an unknown transaction status", 6),
        ),
        (
            asked(&[("Q", b"\0")]),
            Response,
            packet("T", b"\0\x01a\0"),
            formats("RowDescription: it ends within a number", 9),
        ),
        (asked(&[("Q", b"\0")]), Response, packet("E", b"Sx\0"), formats("ErrorResponse: it ends before a byte", 8)),
        // What is not due.
        (open(), Response, packet("C", b"SELECT 1\0"), flow("a message that answers nothing")),
        (asked(&[("Q", b"\0")]), Response, packet("1", b""), flow("a message that does not belong to a query")),
        (asked(&[("S", b"")]), Response, packet("C", b"x\0"), flow("a message that is not the one that is due")),
        (vec![startup()], Response, packet("1", b""), flow("a message that does not belong into a start-up")),
        (
            vec![(Request, packet("", b"\x04\xd2\x16/"))],
            Response,
            b"X".to_vec(),
            flow("an answer to SSLRequest that is neither S, G nor N"),
        ),
        (asked(&[("Q", b"\0")]), Response, packet("T", b"\0\0").into_iter().chain([0]).collect(), "passed".to_owned()),
    ] {
        assert_eq!(after(&before, side, &input), expect, "{}", input.escape_ascii());
    }
}

#[test]
fn dns_messages() {
    let header = |flags: &[u8], counts: &[u8]| [b"\0\x07", flags, counts].concat();
    let question = header(b"\x01\0", b"\0\x01\0\0\0\0\0\0");
    let answer = header(b"\x81\x80", b"\0\0\0\x01\0\0\0\0");
    let cases: &[(Side, Vec<u8>, &str)] = &[
        (
            Side::Request,
            b"\0\x07\x01".to_vec(),
            "a length of 3, less than a header's at byte 0 of the message (RFC 1035 section 4.2.2)",
        ),
        (
            Side::Request,
            [&question[..], b"\x03www"].concat(),
            "a name that is cut off at byte 18 of the message (RFC 1035 section 4.1.4)",
        ),
        (
            Side::Request,
            [&question[..], b"\x09www\0"].concat(),
            "a name that is cut off at byte 19 of the message (RFC 1035 section 4.1.4)",
        ),
        (
            Side::Request,
            [&question[..], b"\0\0\x01"].concat(),
            "a question that is cut off at byte 17 of the message (RFC 1035 section 4.1.2)",
        ),
        (
            Side::Request,
            [&question[..], b"\xc0\x0c\0\x01\0\x01"].concat(),
            "a pointer in a name that does not go back at byte 14 of the message (RFC 1035 section 4.1.4)",
        ),
        (
            Side::Request,
            [&question[..], b"\x01a\xc0\x0c\0\x01\0\x01"].concat(),
            "a pointer in a name that does not go back at byte 16 of the message (RFC 1035 section 4.1.4)",
        ),
        (
            Side::Request,
            [&question[..], b"\x41a\0\0\x01\0\x01"].concat(),
            "a label of an unknown kind at byte 14 of the message (RFC 1035 section 4.1.4)",
        ),
        (
            Side::Request,
            [
                &question[..],
                &b"\x3fxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".repeat(4)[..],
                b"\0\0\x01\0\x01",
            ]
            .concat(),
            "a name of more than 255 bytes at byte 206 of the message (RFC 1035 section 2.3.4)",
        ),
        (
            Side::Request,
            [&question[..], b"\0\0\x01\0\x01x"].concat(),
            "bytes after the last record at byte 19 of the message (RFC 1035 section 4.1)",
        ),
        (
            Side::Request,
            header(b"\x01\0", b"\0\x11\0\0\0\0\0\0"),
            "more than 16 questions at byte 6 of the message (RFC 9619 section 4)",
        ),
        (Side::Request, answer.clone(), "a name that is cut off at byte 14 of the message (RFC 1035 section 4.1.4)"),
        (
            Side::Request,
            header(b"\x81\x80", b"\0\0\0\0\0\0\0\0"),
            "the bit QR says that this is no request at byte 4 of the message (RFC 1035 section 4.1.1)",
        ),
        (
            Side::Response,
            [&answer[..], b"\0\0\x01\0\x01\0\0\0\0\0\x05\x7f\0\0\x01"].concat(),
            "a record that is cut off at byte 29 of the message (RFC 1035 section 4.1.3)",
        ),
        // Data that is no address is kept in digits, and is no fault of the structure.
        (Side::Response, [&answer[..], b"\0\0\x01\0\x01\0\0\0\0\0\x01\x7f"].concat(), "26 bytes"),
    ];
    for (side, message, expected) in cases {
        let len = u16::try_from(message.len()).unwrap().to_be_bytes();
        let input = [&len[..], message].concat();
        assert_eq!(verdict("dns", *side, &input), *expected, "{}", input.escape_ascii());
        assert_eq!(verdict("dns", *side, &input[..1]), "incomplete");
    }
}

#[test]
fn limits_have_names() {
    let long = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(http::HEAD_LEN_MAX));
    let reason = format!("a header section of more than {} bytes", http::HEAD_LEN_MAX);
    assert!(verdict("http", Side::Request, long.as_bytes()).starts_with(&reason));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(http::HEADERS_MAX + 1));
    assert!(verdict("http", Side::Request, many.as_bytes()).starts_with("more than 256 header fields"));
    let deep = "*1\r\n".repeat(redis::DEPTH_MAX + 1);
    assert!(verdict("redis", Side::Response, deep.as_bytes()).starts_with("nested too deeply"));
    let line = "x".repeat(redis::LINE_LEN_MAX);
    assert!(verdict("redis", Side::Request, line.as_bytes()).starts_with("an inline command that is too long"));
    let chunk = format!("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(5000));
    assert!(verdict("http", Side::Request, chunk.as_bytes()).starts_with("a chunk-size line that is too long"));
    let mut codec = by_name("postgres").unwrap().codec();
    let mut frame = |bytes: &[u8]| codec.frame(Side::Request, bytes, Rest::Open, Demand::ALL);
    frame(&packet("", b"\0\x03\0\0\0")).unwrap();
    let sync = packet("S", b"");
    // The start-up waits too.
    (1..postgres::PENDING_MAX).for_each(|_| drop(frame(&sync).unwrap()));
    let reason = format!("more than {} messages that the server has not answered", postgres::PENDING_MAX);
    assert!(frame(&sync).unwrap_err().reason.starts_with(&reason));
}

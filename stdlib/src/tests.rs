//! The files parse, and each noise class knows its own.

use reel_lang::ast::{BinaryOp, Expr, ExprKind, Item};
use reel_lang::parse::parse;
use reel_lang::span::SourceMap;

/// The items of all files; a fault fails the test with its text.
fn items() -> Vec<Item> {
    let mut sources = SourceMap::new();
    let mut items = Vec::new();
    for (name, text) in crate::files() {
        let file = sources.add(*name, *text);
        let parsed = parse(&sources, file);
        assert!(parsed.is_ok(), "{name}: {:?}", parsed.diagnostics);
        items.extend(parsed.program.items);
    }
    items
}

/// The alternatives of a class that are regular expressions.
fn regexes(body: &Expr, found: &mut Vec<regex::bytes::Regex>) {
    match &body.kind {
        ExprKind::Regex(text) => found.push(regex::bytes::Regex::new(text).unwrap()),
        ExprKind::Binary { op: BinaryOp::Matches | BinaryOp::Or, left, right } => {
            regexes(left, found);
            regexes(right, found);
        }
        _ => {}
    }
}

fn holds(class: &str, text: &str) -> bool {
    let mut found = Vec::new();
    for item in items() {
        if let Item::Noise(noise) = item
            && noise.name.name == class
        {
            regexes(&noise.body, &mut found);
        }
    }
    assert!(!found.is_empty(), "no class `{class}`");
    found.iter().any(|regex| regex.is_match(text.as_bytes()))
}

#[test]
fn every_file_parses_and_says_something() {
    assert!(items().iter().any(|item| matches!(item, Item::Noise(_))));
    assert!(items().iter().any(|item| matches!(item, Item::Clause(_))));
}

#[test]
fn classes_know_their_own() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "uuid",
            &["6fa459ea-ee8a-3ca4-894e-db77e160355e", "6FA459EA-EE8A-3CA4-894E-DB77E160355E"],
            &["6fa459ea-ee8a-3ca4-894e-db77e160355", "x6fa459ea-ee8a-3ca4-894e-db77e160355e", ""],
        ),
        ("ulid", &["01ARZ3NDEKTSV4RRFFQ69G5FAV"], &["01ARZ3NDEKTSV4RRFFQ69G5FAI", "81ARZ3NDEKTSV4RRFFQ69G5FAV"]),
        (
            "timestamp",
            &[
                "2024-02-29T23:59:60Z",
                "2024-02-29T23:59:59.123456+01:00",
                "2024-02-29 23:59:59",
                "2024-02-29T23:59:59+0100",
            ],
            &["2024-02-29", "2024-02-29T23:59", "2024-22-29T23:59:59Z"],
        ),
        ("date", &["2024-02-29"], &["2024-2-29", "2024-02-29T00:00:00Z"]),
        (
            "http_date",
            &["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT"],
            &["Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37"],
        ),
        ("epoch_s", &["1700000000", "1700000000.25"], &["170000000", "17000000000", "0700000000"]),
        ("epoch_ms", &["1700000000000"], &["1700000000", "17000000000000"]),
        ("hex", &["9f86d081884c7d65", "DEADBEEF"], &["9f86d08", "9f86d081884c7d6g"]),
        ("base64", &["dGhlIHNhbXBsZSBub25jZQ==", "YWJjZGVmZ2hpamts_-"], &["dGhlIHNhbXBs", "dGhlIHNhbXBsZSBub25jZQ==="]),
        (
            "jwt",
            &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."],
            &["eyJhbGciOiJIUzI1NiJ9.c2ln", "abc.def.ghi"],
        ),
        ("ip_address", &["10.0.0.1", "::1", "fe80::1", "::ffff:10.0.0.1"], &["10.0.0", "12:30", "host"]),
        ("high_port", &["1024", "8080", "65535"], &["80", "1023", "100000"]),
        (
            "local_host",
            &["localhost:41523", "127.0.0.1", "[::1]:9000", "0.0.0.0:1"],
            &["example.com:80", "127.0.0.1.evil.com", "localhost:"],
        ),
        ("trace_context", &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"], &["00-0af7-b7ad-01"]),
    ];
    for (class, members, others) in cases {
        for text in *members {
            assert!(holds(class, text), "{class} should hold for {text}");
        }
        for text in *others {
            assert!(!holds(class, text), "{class} should not hold for {text}");
        }
    }
    let declared = items().iter().filter(|item| matches!(item, Item::Noise(_))).count();
    assert_eq!(declared, cases.len(), "every class has its cases");
}

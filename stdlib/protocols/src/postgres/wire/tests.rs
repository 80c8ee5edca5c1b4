//! Whatever is read is written again as the same bytes: each message of the recorded conversations, and random ones.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Backend, Frontend, Malformed};

/// Reads a message of a side and holds what is written of it against the bytes; gives its length.
fn again(is_client: bool, has_begun: bool, input: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut out = Vec::new();
    let len = match (is_client, has_begun) {
        (true, false) => Frontend::first(input)?.map(|(message, len)| (message.write(&mut out), len).1),
        (true, true) => Frontend::next(input)?.map(|(message, len)| (message.write(&mut out), len).1),
        (false, _) => Backend::next(input)?.map(|(message, len)| (message.write(&mut out), len).1),
    };
    if let Some(len) = len {
        assert_eq!(out.escape_ascii().to_string(), input.get(..len).unwrap().escape_ascii().to_string());
    }
    Ok(len)
}

#[test]
fn recorded_conversations_come_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/protocols/postgres");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let source = text.split_once("---\n").unwrap().0;
        for (mark, is_client) in [("> ", true), ("< ", false)] {
            let mut has_begun = false;
            for line in source.lines().filter_map(|line| line.strip_prefix(mark)) {
                let bytes = unescape(line);
                let mut rest = bytes.as_slice();
                // The answer to SSLRequest.
                if !is_client && rest == b"N" {
                    continue;
                }
                while let (false, Ok(Some(len))) = (rest.is_empty(), again(is_client, has_begun, rest)) {
                    has_begun |= rest.get(4..6) == Some(&[0, 3]);
                    rest = rest.get(len..).unwrap();
                    count += 1;
                }
            }
        }
    }
    assert!(count > 200, "{count}");
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match (c, (c == '\\').then(|| chars.next().unwrap())) {
            (c, None) => u8::try_from(c).unwrap(),
            (_, Some('n')) => b'\n',
            (_, Some('r')) => b'\r',
            (_, Some('t')) => b'\t',
            (_, Some('0')) => 0,
            (_, Some('x')) => {
                let digits: String = chars.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).unwrap()
            }
            (_, Some(other)) => u8::try_from(other).unwrap(),
        });
    }
    out
}

/// A message of a type with this body.
fn message(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len().saturating_add(4)).unwrap();
    kind.into_iter().chain(len.to_be_bytes()).chain(body.iter().copied()).collect()
}

proptest! {
    #[test]
    fn random_messages_come_back(
        kind in prop::sample::select(b"QPBFDCEHSXcfdpRKvSZ1T2D3nIstAEGNVWC".to_vec()),
        body in vec(prop_oneof![Just(0_u8), Just(1), Just(b'S'), any::<u8>()], 0..40),
    ) {
        for is_client in [true, false] {
            let _ = again(is_client, true, &message(Some(kind), &body));
        }
        let _ = again(true, false, &message(None, &body));
        let startup = [[0, 3, 0, 0].as_slice(), &body].concat();
        let _ = again(true, false, &message(None, &startup));
    }
}

//! What the server wrote for these values, in both formats, gives one value, and comes back as the same bytes.
#![allow(clippy::unwrap_used)]

use reel_lang::value::Value;

use super::{Format, decode, encode, from_hex, id, name};

/// The type, its text, the binary format in hexadecimal digits (from `encode(TYPE_send(...), 'hex')` of a server), and the kind of value
/// that both are.
const CASES: &str = include_str!("cases.txt");

#[test]
fn both_formats_are_one_value_and_come_back() {
    let mut count = 0;
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        let [type_name, text, binary, kind] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
        let id = id(type_name).unwrap();
        let binary = from_hex(binary.as_bytes()).unwrap();
        let by_text = decode(id, Format::Text, text.as_bytes());
        let by_binary = decode(id, Format::Binary, &binary);
        assert_eq!(by_text, by_binary, "{line}");
        assert_eq!(by_text.kind(), kind, "{line}");
        assert_eq!(encode(id, Format::Text, &by_text).unwrap(), text.as_bytes(), "{line}");
        assert_eq!(encode(id, Format::Binary, &by_text).unwrap(), binary, "{line}");
        count += 1;
    }
    assert!(count > 60, "{count}");
}

#[test]
fn what_is_not_understood_keeps_its_bytes() {
    for (type_name, format, bytes) in [
        ("int4", Format::Binary, b"\x01\x02".as_slice()),
        ("int4", Format::Text, b"01"),
        ("bool", Format::Text, b"true"),
        ("bool", Format::Binary, b"\x02"),
        ("bytea", Format::Text, b"a\\000b"),
        ("point", Format::Binary, b"\x00\x01"),
        ("16999", Format::Binary, b"\x00\x01"),
        ("16999", Format::Text, b"open"),
        ("numeric", Format::Binary, b"\x00\x01\x00\x00\x00\x00\x00\x00\x27\x10"),
        ("date", Format::Text, b"02/29/2024"),
        ("int4[]", Format::Text, b"[0:1]={1,2}"),
        ("int4[]", Format::Binary, b"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x17\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x01"),
        ("text", Format::Text, b"\xff\x00"),
        ("float8", Format::Binary, b"\x7f\xf8\x00\x00\x00\x00\x00\x01"),
    ] {
        let id = id(type_name).unwrap();
        let value = decode(id, format, bytes);
        assert_eq!(encode(id, format, &value).unwrap(), bytes, "{type_name} {value:?}");
    }
}

#[test]
fn a_value_without_the_wanted_format_is_an_error() {
    let error = encode(id("point").unwrap(), Format::Binary, &Value::text("(1,2)")).unwrap_err();
    assert_eq!(error, "a string of type point has no binary format here");
    assert!(encode(23, Format::Binary, &Value::text("x")).is_err());
    assert!(encode(23, Format::Binary, &Value::Int(1 << 40)).is_err());
}

#[test]
fn names_and_numbers_are_one() {
    for type_id in [16, 1000, 23, 1007, 1184, 1185, 3802, 3807, 12_345] {
        assert_eq!(id(&name(type_id)), Some(type_id));
    }
    assert_eq!(name(1007), "int4[]");
    assert_eq!(id("no_such_type"), None);
}

//! Random values come back, and random bytes bring nothing down.
#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;
use reel_lang::schema::Side;
use reel_lang::value::Value;
use reel_protocols::http::slots::response as http;
use reel_protocols::json::{self, Layout, Style};
use reel_protocols::redis::slots::{request, response};
use reel_protocols::{Demand, Frame, Message, Rest, by_name};

// What other fuzz targets check is not used here.
#[path = "../../../tests/fuzz/src/drive.rs"]
#[allow(dead_code)]
mod drive;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        ".{0,12}".prop_map(Value::text),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![Just("1.50"), Just("-0"), Just("1E+400"), Just("18446744073709551616")];
    let leaf = prop_oneof![scalar(), number.prop_map(|digits| Value::Decimal(digits.into()))];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let pairs = proptest::collection::btree_map(".{0,6}", inner.clone(), 0..12);
        let map = pairs.prop_map(|pairs| pairs.into_iter().map(|(key, value)| (Value::text(key), value)).collect());
        prop_oneof![vec(inner, 0..6).prop_map(Value::List), map.prop_map(Value::Map)]
    })
}

fn redis_value() -> impl Strategy<Value = Value> {
    let bytes = vec(any::<u8>(), 0..12).prop_map(Value::text);
    let line = "[a-zA-Z0-9 ]{0,12}".prop_map(Value::text);
    let tagged = prop_oneof![
        line.clone().prop_map(|text| Value::Tagged("simple", Box::new(text))),
        line.prop_map(|text| Value::Tagged("error", Box::new(text))),
        bytes.clone().prop_map(|text| Value::Tagged("bulk-error", Box::new(text))),
        bytes.clone().prop_map(|text| Value::Tagged("verbatim-txt", Box::new(text))),
        Just(Value::Tagged("null3", Box::new(Value::Null))),
        Just(Value::Tagged("null-array", Box::new(Value::Null))),
        Just(Value::Tagged("double", Box::new(Value::Decimal("-2.5".into())))),
        any::<i64>().prop_map(|number| Value::Tagged("big", Box::new(Value::Int(number)))),
    ];
    prop_oneof![scalar(), bytes, tagged].prop_recursive(4, 48, 6, |inner| {
        let list = vec(inner.clone(), 0..6).prop_map(Value::List);
        prop_oneof![
            list.clone(),
            list.clone().prop_map(|list| Value::Tagged("set", Box::new(list))),
            list.prop_map(|list| Value::Tagged("push", Box::new(list))),
            vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

fn style() -> impl Strategy<Value = Style> {
    let layout =
        prop_oneof![Just(Layout::Compact), Just(Layout::Spaced), Just(Layout::Indented(2)), Just(Layout::Indented(4))];
    (layout, any::<bool>(), any::<bool>()).prop_map(|(layout, ascii, newline)| Style { layout, ascii, newline })
}

/// Writes a message and reads it again.
fn again(protocol: &str, message: &Message) -> Message {
    let mut codec = by_name(protocol).unwrap().codec();
    let mut bytes = Vec::new();
    codec.encode(message, &mut bytes).unwrap();
    match codec.frame(message.side, &bytes, Rest::Closed, Demand::ALL).unwrap() {
        Frame::Message { message, len } if len == bytes.len() => message,
        other => panic!("{other:?} of {}", bytes.escape_ascii()),
    }
}

proptest! {
    #[test]
    fn json_comes_back_in_every_style(value in json_value(), style in style()) {
        let mut text = Vec::new();
        json::write(&value, style, &mut text).unwrap();
        prop_assert_eq!(json::parse(&text).unwrap(), value);
    }

    #[test]
    fn replies_come_back(reply in redis_value()) {
        let mut message = Message::new(by_name("redis").unwrap().schema(), Side::Response);
        message.put(response::REPLY, reply.clone());
        let read = again("redis", &message);
        prop_assert_eq!(read.field(response::REPLY), &reply);
        prop_assert_eq!(read.exact, None);
    }

    #[test]
    fn commands_come_back(words in vec(vec(any::<u8>(), 0..12).prop_map(Value::text), 0..6)) {
        let mut message = Message::new(by_name("redis").unwrap().schema(), Side::Request);
        message.put(request::COMMAND, Value::text("SET"));
        message.put(request::ARGS, Value::List(words.clone()));
        let read = again("redis", &message);
        prop_assert_eq!(read.field(request::ARGS), &Value::List(words));
        prop_assert_eq!(read.exact, None);
    }

    #[test]
    fn edited_bodies_have_their_length(body in json_value(), framing in prop_oneof![Just("Content-Length"), Just("Transfer-Encoding")]) {
        let mut message = Message::new(by_name("http").unwrap().schema(), Side::Response);
        let pair = |name: &str, value: &str| (Value::text(name), Value::text(value));
        let header = vec![pair("Content-Type", "application/json"), pair(framing, if framing == "Content-Length" { "1" } else { "chunked" })];
        message.put(http::STATUS, Value::Int(200));
        message.put(http::VERSION, Value::text("1.1"));
        message.put(http::HEADER, Value::Map(header));
        // Text alone is bytes, not a JSON string.
        let body = if matches!(body, Value::Str(_)) { Value::Tagged("json", Box::new(body)) } else { body };
        message.put(http::BODY, body.clone());
        let read = again("http", &message);
        prop_assert_eq!(read.field(http::BODY).untagged(), body.untagged());
    }

    #[test]
    fn random_scripts_bring_nothing_down(script in vec(any::<u8>(), 0..300), start in prop_oneof![Just("*1\r\n$4\r\nPING\r\n"), Just("GET / HTTP/1.1\r\n\r\n"), Just("\0\0\0\x10\0\x03\0\0user\0a\0\0Q"), Just("")]) {
        let mut data = vec![u8::try_from(start.len() / 8 * 8).unwrap()];
        data.extend_from_slice(start.as_bytes());
        data.extend_from_slice(&script);
        for protocol in ["http", "redis", "postgres", "dns", "tcp"] {
            drive::conversation(protocol, &data);
        }
        drive::datagrams("dns", &data);
        drive::json(&script);
    }
}

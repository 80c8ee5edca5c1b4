//! Values as YAML, and back: `read(write(value)) == value` for every value.
//!
//! Text, numbers, booleans, null, lists and maps are what YAML has for them. The rest carries a tag: `!binary` (base64),
//! `!body` (a file of `bodies/`), `!pairs` (a map with repeated or structured keys), `!nil`, `!ip`, `!time_ns`,
//! `!duration_ns`. A wire tag of the protocol stands before that, as in `!simple OK` or `!bulk.binary AAEC`.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use reel_lang::value::Value;

use super::bodies::{Bodies, Sha256};
use super::redact::is_secret;
use super::yaml::{Fault, Kind, Node, Scalar};

/// Text beyond this goes to a file of its own.
pub(super) const MAX_INLINE_TEXT_LEN_BYTES: usize = 64 << 10;
/// Bytes that are not text go to a file of their own beyond this.
pub(super) const MAX_INLINE_BINARY_LEN_BYTES: usize = 512;

/// The tags that this module gives a meaning; no protocol may use one on the wire.
pub(super) const OWN_TAGS: [&str; 10] =
    ["binary", "body", "pairs", "nil", "ip", "time_ns", "duration_ns", "uint", "digits", NUMBER];

/// Marks the token of a secret that is a number.
pub const NUMBER: &str = "number";

/// Makes the node of a value; large payloads go to `bodies`.
pub(super) fn write(value: &Value, bodies: &mut dyn Bodies) -> std::io::Result<Node> {
    Ok(match value {
        Value::Nil => Node::text("").tagged("nil"),
        Value::Null => Node::plain("null"),
        Value::Bool(b) => Node::plain(b),
        Value::Int(n) => Node::plain(n),
        Value::Uint(n) => number(n.to_string(), value, "uint"),
        Value::Decimal(digits) => number(digits.to_string(), value, "digits"),
        Value::Duration(ns) => Node::plain(ns).tagged("duration_ns"),
        Value::Time(ns) => Node::plain(ns).tagged("time_ns"),
        Value::Ip(ip) => Node::text(ip.to_string()).tagged("ip"),
        Value::Str(text) => write_bytes(text, bodies)?,
        Value::List(items) => {
            let items: Result<_, _> = items.iter().map(|item| write(item, bodies)).collect();
            Node::seq(items?)
        }
        Value::Map(pairs) => write_map(pairs, bodies)?,
        Value::Tagged(tag, inner) => {
            let mut node = write(inner, bodies)?;
            node.tag = Some(match node.tag {
                Some(own) => format!("{tag}.{own}"),
                None => (*tag).to_owned(),
            });
            node
        }
    })
}

/// A number whose digits alone would be read as another kind of value gets a tag.
fn number(digits: String, value: &Value, tag: &str) -> Node {
    let reads_back = matches!(Scalar::of(&digits), Scalar::Number(d) if read_number(d) == *value);
    if reads_back { Node::plain(digits) } else { Node::text(digits).tagged(tag) }
}

/// Makes the node of text or bytes.
pub(super) fn write_bytes(bytes: &Bytes, bodies: &mut dyn Bodies) -> std::io::Result<Node> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= MAX_INLINE_TEXT_LEN_BYTES => Ok(Node::text(text)),
        Err(_) if bytes.len() <= MAX_INLINE_BINARY_LEN_BYTES => Ok(Node::text(BASE64.encode(bytes)).tagged("binary")),
        _ => Ok(Node::text(bodies.keep(bytes)?.to_string()).tagged("body")),
    }
}

fn write_map(pairs: &[(Value, Value)], bodies: &mut dyn Bodies) -> std::io::Result<Node> {
    let mut nodes = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        nodes.push((write(key, bodies)?, write(value, bodies)?));
    }
    let mut seen = HashSet::new();
    let simple = nodes.iter().all(|(key, _)| match &key.kind {
        Kind::Plain(text) => key.tag.is_none() && seen.insert((true, text)),
        Kind::Text(text) => key.tag.is_none() && text.len() <= MAX_KEY_LEN_BYTES && seen.insert((false, text)),
        Kind::Seq(_) | Kind::Map(_) => false,
    });
    if simple {
        return Ok(Node::map_of(nodes));
    }
    let entry = |(key, value): (Node, Node)| match key.kind {
        Kind::Text(ref text) if key.tag.is_none() && text.len() <= MAX_KEY_LEN_BYTES => {
            Node::map_of(vec![(key, value)])
        }
        _ => Node::seq(vec![key, value]),
    };
    Ok(Node::seq(nodes.into_iter().map(entry).collect()).tagged("pairs"))
}

/// YAML wants a key on one line, and within 1024 characters of its start (YAML 1.2.2 section 7.4.2).
const MAX_KEY_LEN_BYTES: usize = 200;

/// Reads a node back; `tag_of` finds a protocol's wire tag by its text.
///
/// # Errors
/// [`Fault`] where a tag is unknown, or its content does not fit it.
pub(super) fn read(
    node: &Node,
    bodies: &dyn Bodies,
    tag_of: &dyn Fn(&str) -> Option<&'static str>,
) -> Result<Value, Fault> {
    let mut wire = Vec::new();
    let mut own = None;
    for part in node.tag.iter().flat_map(|tag| tag.split('.')) {
        match tag_of(part) {
            Some(tag) if own.is_none() => wire.push(tag),
            None if own.is_none() && OWN_TAGS.contains(&part) => own = Some(part),
            _ => return Err(fault(node, format!("unknown tag `!{part}`"))),
        }
    }
    let inner = match own {
        None => read_untagged(node, bodies, tag_of)?,
        Some("pairs") => read_pairs(node, bodies, tag_of)?,
        Some(tag) => read_own(tag, node, bodies)?,
    };
    Ok(wire.into_iter().rev().fold(inner, |inner, tag| Value::Tagged(tag, Box::new(inner))))
}

fn fault(node: &Node, reason: impl Into<String>) -> Fault {
    Fault { line: node.line, reason: reason.into() }
}

fn read_untagged(
    node: &Node,
    bodies: &dyn Bodies,
    tag_of: &dyn Fn(&str) -> Option<&'static str>,
) -> Result<Value, Fault> {
    Ok(match &node.kind {
        Kind::Text(text) => Value::text(text),
        Kind::Plain(text) => match Scalar::of(text) {
            Scalar::Null => Value::Null,
            Scalar::Bool(b) => Value::Bool(b),
            Scalar::Number(digits) => read_number(digits),
            Scalar::Text(text) => Value::text(text),
        },
        Kind::Seq(items) => Value::List(items.iter().map(|item| read(item, bodies, tag_of)).collect::<Result<_, _>>()?),
        Kind::Map(pairs) => {
            let mut values = Vec::with_capacity(pairs.len());
            for (key, value) in pairs {
                values.push((read(key, bodies, tag_of)?, read(value, bodies, tag_of)?));
            }
            Value::Map(values)
        }
    })
}

/// The value of digits: an integer where it fits and is written as one, else the digits themselves.
fn read_number(digits: &str) -> Value {
    if let Ok(n) = digits.parse::<i64>()
        && n.to_string() == digits
    {
        return Value::Int(n);
    }
    match digits.parse::<u64>() {
        Ok(n) if n.to_string() == digits => Value::Uint(n),
        _ => Value::Decimal(digits.into()),
    }
}

fn read_pairs(node: &Node, bodies: &dyn Bodies, tag_of: &dyn Fn(&str) -> Option<&'static str>) -> Result<Value, Fault> {
    let Kind::Seq(items) = &node.kind else {
        return Err(fault(node, "`!pairs` wants a list"));
    };
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        let (key, value) = match &item.kind {
            Kind::Map(pairs) if pairs.len() == 1 => pairs.first().map(|(k, v)| (k, v)),
            Kind::Seq(items) if items.len() == 2 => items.first().zip(items.last()),
            _ => None,
        }
        .ok_or_else(|| fault(item, "an entry of `!pairs` is `key: value` or `[key, value]`"))?;
        values.push((read(key, bodies, tag_of)?, read(value, bodies, tag_of)?));
    }
    Ok(Value::Map(values))
}

fn read_own(tag: &str, node: &Node, bodies: &dyn Bodies) -> Result<Value, Fault> {
    let (Kind::Plain(text) | Kind::Text(text)) = &node.kind else {
        return Err(fault(node, format!("`!{tag}` wants a scalar")));
    };
    let wrong = |what: &str| fault(node, format!("`!{tag}` wants {what}, found `{text}`"));
    match tag {
        "nil" => Ok(Value::Nil),
        "ip" => text.parse().map(Value::Ip).map_err(|_| wrong("an address")),
        "time_ns" => text.parse().map(Value::Time).map_err(|_| wrong("a number of nanoseconds")),
        "duration_ns" => text.parse().map(Value::Duration).map_err(|_| wrong("a number of nanoseconds")),
        "uint" => text.parse().map(Value::Uint).map_err(|_| wrong("a number")),
        "digits" => Ok(Value::Decimal(text.as_str().into())),
        NUMBER if is_secret(text.as_bytes()) => Ok(Value::Tagged(NUMBER, Box::new(Value::from(text.as_str())))),
        NUMBER => Err(wrong("the token of a secret")),
        "binary" => BASE64.decode(text).map(|b| Value::Str(b.into())).map_err(|_| wrong("base64")),
        _ => {
            let sum: Sha256 = text.parse().map_err(|_| wrong("the SHA-256 of a body"))?;
            bodies.load(&sum).map(Value::Str).map_err(|reason| fault(node, reason))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::recording::bodies::InMemory;
    use crate::recording::yaml;
    use proptest::prelude::*;

    fn tag_of(name: &str) -> Option<&'static str> {
        ["simple", "push"].into_iter().find(|tag| *tag == name)
    }

    fn check(value: &Value) -> String {
        let mut bodies = InMemory::default();
        let node = Node::map([("v", write(value, &mut bodies).unwrap())]);
        let text = yaml::document(&node);
        let back = yaml::documents(&text).unwrap();
        let back = read(back[0].entry("v").unwrap(), &bodies, &tag_of).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(back, *value, "{text}");
        text
    }

    #[test]
    fn the_notation_is_readable() {
        let big = Value::Str(Bytes::from(vec![b'x'; MAX_INLINE_TEXT_LEN_BYTES + 1]));
        for (value, expect) in [
            (Value::from("no"), "v: \"no\"\n"),
            (Value::from(5i64), "v: 5\n"),
            (Value::Uint(u64::MAX), "v: 18446744073709551615\n"),
            (Value::Uint(5), "v: !uint \"5\"\n"),
            (Value::Decimal("1.10".into()), "v: 1.10\n"),
            (Value::Decimal("-0".into()), "v: -0\n"),
            (Value::Decimal("7".into()), "v: !digits \"7\"\n"),
            (Value::Tagged("simple", Box::new(Value::from("OK"))), "v: !simple OK\n"),
            (Value::Tagged(NUMBER, Box::new(Value::from("{{secret:pin:n1}}"))), "v: !number \"{{secret:pin:n1}}\"\n"),
            (Value::Tagged("simple", Box::new(Value::text([0xff]))), "v: !simple.binary /w==\n"),
            (Value::List(vec![Value::from("SET"), Value::Nil]), "v: [SET, !nil \"\"]\n"),
            (
                Value::Map(vec![(Value::from("a"), Value::Null), (Value::from("a"), Value::Bool(true))]),
                "v: !pairs\n  - a: null\n  - a: true\n",
            ),
            (Value::Map(vec![(Value::List(vec![]), Value::Null)]), "v: !pairs\n  - [[], null]\n"),
            (
                Value::Map(vec![(Value::Int(1), Value::Null), (Value::from("1"), Value::Null)]),
                "v:\n  1: null\n  \"1\": null\n",
            ),
        ] {
            assert_eq!(check(&value), expect);
        }
        assert!(check(&big).starts_with("v: !body"));
    }

    #[test]
    fn a_wrong_tag_is_named_with_its_line() {
        for (text, part) in [
            ("a: 1\nv: !what 1\n", "unknown tag `!what`"),
            ("a: 1\nv: !binary.simple 1\n", "unknown tag `!simple`"),
            ("a: 1\nv: !binary '*'\n", "base64"),
            ("a: 1\nv: !ip x\n", "address"),
            ("a: 1\nv: !pairs 1\n", "list"),
            ("a: 1\nv: !number 12\n", "token of a secret"),
            ("a: 1\nv: !body 00\n", "SHA-256"),
        ] {
            let node = yaml::documents(text).unwrap().remove(0);
            let fault = read(node.entry("v").unwrap(), &InMemory::default(), &tag_of).unwrap_err();
            assert!(fault.line == 2 && fault.reason.contains(part), "{text}: {fault}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(Value::Uint),
            any::<i64>().prop_map(Value::Time),
            any::<i64>().prop_map(Value::Duration),
            any::<std::net::IpAddr>().prop_map(Value::Ip),
            "-?[0-9]{1,3}(\\.[0-9]{1,3})?(e[0-9])?".prop_map(|d| Value::Decimal(d.into())),
            any::<String>().prop_map(Value::text),
            prop::collection::vec(any::<u8>(), 0..600).prop_map(Value::text),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::Map),
                inner.clone().prop_map(|v| Value::Tagged("simple", Box::new(v))),
                inner.prop_map(|v| Value::Tagged("push", Box::new(v))),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_reads_back(value in value()) {
            check(&value);
        }
    }
}

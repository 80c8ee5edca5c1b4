//! serde_yaml as an independent reader: it must find in every file that is written here what this module finds.

use serde::Deserialize;
use serde_yaml::Value;

use super::{Kind, Node, Scalar, documents};

/// Reads a text with both readers.
pub(crate) fn assert_read_alike(text: &str) {
    let mine = documents(text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    let other = serde_yaml::Deserializer::from_str(text).map(Value::deserialize);
    let other: Vec<Value> = other.collect::<Result<_, _>>().unwrap_or_else(|fault| panic!("{fault}\n{text}"));
    assert_eq!(mine.len(), other.len(), "{text}");
    for (mine, other) in mine.iter().zip(&other) {
        assert!(is_alike(mine, other), "{mine:?}\nis not\n{other:?}\nin\n{text}");
    }
}

fn is_alike(mine: &Node, other: &Value) -> bool {
    match (&mine.tag, other) {
        (Some(tag), Value::Tagged(tagged)) => {
            tagged.tag == format!("!{tag}") && kind_is_alike(&mine.kind, &tagged.value)
        }
        (None, other) => kind_is_alike(&mine.kind, other),
        (Some(_), _) => false,
    }
}

fn kind_is_alike(mine: &Kind, other: &Value) -> bool {
    match (mine, other) {
        (Kind::Text(text), Value::String(other)) => text == other,
        (Kind::Plain(text), other) => match (Scalar::of(text), other) {
            (Scalar::Null, Value::Null) => true,
            (Scalar::Bool(mine), Value::Bool(other)) => mine == *other,
            // It reads through a float where this module keeps every digit.
            (Scalar::Number(digits), Value::Number(other)) => digits.parse().ok() == other.as_f64(),
            (Scalar::Text(text), Value::String(other)) => text == other,
            _ => false,
        },
        (Kind::Seq(mine), Value::Sequence(other)) => {
            mine.len() == other.len() && mine.iter().zip(other).all(|(mine, other)| is_alike(mine, other))
        }
        (Kind::Map(mine), Value::Mapping(other)) => {
            mine.len() == other.len()
                && mine.iter().zip(other).all(|(mine, other)| is_alike(&mine.0, other.0) && is_alike(&mine.1, other.1))
        }
        _ => false,
    }
}

#[test]
fn the_oracle_tells_readings_apart() {
    for text in ["a: 1\n", "a: [x, null, true, 1.50]\n", "a: !simple OK\n", "a: \"no\"\n---\nb: \"12:30\"\n"] {
        assert_read_alike(text);
    }
    // YAML 1.1's octal is a number to it and a text here; a merge of kinds is seen too.
    for (mine, other) in [("0o17", "0o17"), ("1", "\"1\""), ("a: 1", "a: 2"), ("[a]", "[a, a]"), ("!x a", "!y a")] {
        let (mine, other) = (documents(mine).unwrap().remove(0), serde_yaml::from_str(other).unwrap());
        assert!(!is_alike(&mine, &other), "{mine:?} {other:?}");
    }
}

//! A place in a message that holds a value: `body.token`, or a part of one, `header["set-cookie"]` with `sid={}`.
//!
//! Header fields go by their name alone: several of one name are looked through in their order.

use std::fmt;

use bytes::Bytes;
use reel_lang::schema::{Field, FieldType};
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};
use serde::{Deserialize, Serialize};

use super::pattern::{Coding, Pattern};
use crate::matching::{Number, digits, name_step};

/// A place in a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spot {
    /// The place, as a difference names it.
    pub place: Box<str>,
    /// Where in its text the value stands; absent where it is the whole.
    pub part: Option<Pattern>,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(f, "{} \"{part}\"", self.place),
            None => f.write_str(&self.place),
        }
    }
}

impl Spot {
    /// The value there, as it is on the wire but for percent encoding; a number as its digits.
    pub fn read(&self, protocol: &dyn Protocol, message: &Message) -> Option<Vec<u8>> {
        let mut found = None;
        leaves(protocol, message, &mut |place, leaf| {
            if found.is_none() && *place == *self.place {
                found = text_of(leaf).and_then(|text| self.read_in(&text));
            }
        });
        found
    }

    /// The value in a text at this place.
    pub fn read_in(&self, text: &[u8]) -> Option<Vec<u8>> {
        match &self.part {
            None => Some(text.to_vec()),
            Some(part) => Some(part.coding().read(text.get(part.find(text)?)?)),
        }
    }

    /// Puts a value there. False where the place is not there.
    pub fn write(&self, protocol: &dyn Protocol, message: &mut Message, value: &[u8]) -> bool {
        change(protocol, message, &mut |place, leaf| *place == *self.place && self.write_in(leaf, value))
    }

    fn write_in(&self, leaf: &mut Value, value: &[u8]) -> bool {
        let Some(part) = &self.part else {
            *leaf = like(leaf, value);
            return true;
        };
        let Value::Str(text) = leaf else { return false };
        let Some(at) = part.find(text) else { return false };
        let written = part.coding().write(value);
        *text = [text.get(..at.start).unwrap_or_default(), &written, text.get(at.end..).unwrap_or_default()]
            .concat()
            .into();
        true
    }

    /// How the value is written there.
    pub fn coding(&self) -> Coding {
        self.part.as_ref().map_or(Coding::Plain, Pattern::coding)
    }
}

/// A value of the kind of another one, where it can be: a number stays one.
pub fn like(was: &Value, text: &[u8]) -> Value {
    let number = || {
        let digits = std::str::from_utf8(text).ok()?;
        if let Ok(n) = digits.parse::<i64>() {
            return Some(Value::Int(n));
        }
        let decimal = Value::Decimal(digits.into());
        Number::of(&decimal).map(|_| digits.parse::<u64>().map_or(decimal, Value::Uint))
    };
    match was {
        Value::Int(_) | Value::Uint(_) | Value::Decimal(_) => number().unwrap_or_else(|| Value::text(text)),
        _ => Value::Str(Bytes::copy_from_slice(text)),
    }
}

/// The text of a leaf; a number's digits.
pub fn text_of(leaf: &Value) -> Option<Bytes> {
    match leaf {
        Value::Str(text) => Some(text.clone()),
        other => digits(other).map(Bytes::from),
    }
}

/// Goes through the texts and numbers of a message's stored fields, each with its place.
pub fn leaves(protocol: &dyn Protocol, message: &Message, tell: &mut dyn FnMut(&str, &Value)) {
    for field in stored(protocol, message) {
        walk(message.field(field.id), field.ty, &mut field.name.clone(), tell);
    }
}

fn walk(value: &Value, ty: FieldType, place: &mut String, tell: &mut dyn FnMut(&str, &Value)) {
    let len = place.len();
    match value {
        Value::Str(_) | Value::Int(_) | Value::Uint(_) | Value::Decimal(_) => tell(place, value),
        Value::Tagged(_, inner) => walk(inner, ty, place, tell),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                place.push_str(&format!("[{index}]"));
                walk(item, ty, place, tell);
                place.truncate(len);
            }
        }
        Value::Map(pairs) => {
            for (key, item) in pairs {
                place.push_str(&step(key, ty));
                walk(item, ty, place, tell);
                place.truncate(len);
            }
        }
        _ => {}
    }
}

/// Goes through the texts and numbers of a message's stored fields until one is changed. Says whether one was.
fn change(protocol: &dyn Protocol, message: &mut Message, act: &mut dyn FnMut(&str, &mut Value) -> bool) -> bool {
    for field in stored(protocol, message) {
        let mut value = message.field(field.id).clone();
        if change_below(&mut value, field.ty, &mut field.name.clone(), act) {
            message.put(field.id, value);
            message.exact = None;
            return true;
        }
    }
    false
}

fn change_below(
    value: &mut Value,
    ty: FieldType,
    place: &mut String,
    act: &mut dyn FnMut(&str, &mut Value) -> bool,
) -> bool {
    let len = place.len();
    match value {
        Value::Str(_) | Value::Int(_) | Value::Uint(_) | Value::Decimal(_) => act(place, value),
        Value::Tagged(_, inner) => change_below(inner, ty, place, act),
        Value::List(items) => items.iter_mut().enumerate().any(|(index, item)| {
            place.push_str(&format!("[{index}]"));
            let is_done = change_below(item, ty, place, act);
            place.truncate(len);
            is_done
        }),
        Value::Map(pairs) => pairs.iter_mut().any(|(key, item)| {
            place.push_str(&step(key, ty));
            let is_done = change_below(item, ty, place, act);
            place.truncate(len);
            is_done
        }),
        _ => false,
    }
}

fn step(key: &Value, ty: FieldType) -> String {
    let name = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
    name_step(&if ty == FieldType::Headers { name.to_ascii_lowercase() } else { name })
}

fn stored(protocol: &dyn Protocol, message: &Message) -> impl Iterator<Item = &'static Field> + use<> {
    let side = message.side;
    // The protocol's schema lives as long as the program.
    let schema = reel_protocols::by_name(&protocol.schema().protocol).map(|protocol| protocol.schema());
    schema.into_iter().flat_map(|schema| &schema.fields).filter(move |f| f.side == Some(side) && !f.derived)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use reel_lang::schema::Direction;

    use super::*;
    use crate::recording::{testing::exchange, wire_bytes};

    #[test]
    fn a_value_is_read_and_written_at_its_place() {
        let body = "{\"a\": {\"ids\": [\"x1\", 1795000000123456789]}, \"t\": \"k\"}";
        let head = "POST /o/abc?c=x%3D HTTP/1.1\r\nHost: a\r\nCookie: sid=one; t=two\r\nContent-Type: application/json";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let protocol = reel_protocols::by_name("http").unwrap();
        let message = exchange("http", Direction::In, 80, &request, "").request.unwrap();
        for (place, part, value, put, expect) in [
            ("target", "o/{%}?", "abc", "d/e", "POST /o/d%2Fe?c=x%3D HTTP"),
            ("target", "c={%}", "x=", "longer==", "?c=longer%3D%3D HTTP"),
            ("header.cookie", "t={}", "two", "three", "Cookie: sid=one; t=three\r\n"),
            ("body.a.ids[0]", "", "x1", "a longer one", "\"ids\": [\"a longer one\", 1795000000123456789]"),
            ("body.a.ids[1]", "", "1795000000123456789", "1795000000123456790", "[\"x1\", 1795000000123456790]"),
        ] {
            let spot = Spot { place: place.into(), part: part.parse().ok() };
            assert_eq!(spot.read(protocol, &message).as_deref(), Some(value.as_bytes()), "{spot}");
            let mut changed = message.clone();
            assert!(spot.write(protocol, &mut changed, put.as_bytes()));
            let bytes = wire_bytes(protocol, &changed).unwrap();
            let text = std::str::from_utf8(&bytes).unwrap();
            assert!(text.contains(expect), "{expect} is not in {text}");
            let len = text.split("\r\n\r\n").nth(1).unwrap().len();
            assert!(text.contains(&format!("Content-Length: {len}\r\n")), "{text}");
        }
        let gone = Spot { place: "body.gone".into(), part: None };
        assert!(gone.read(protocol, &message).is_none() && !gone.write(protocol, &mut message.clone(), b"x"));
    }
}

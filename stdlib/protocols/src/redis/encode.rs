//! RESP bytes from values: known lengths only, numbers in their shortest form.

use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::slots::{request, response};
use super::{arguments, inline, tag};
use crate::{Message, Unencodable};

/// Writes a whole message.
pub(super) fn message(message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    match message.side {
        Side::Request => command(message, out),
        Side::Response => {
            let attributes = message.field(response::ATTRIBUTES);
            match attributes.untagged() {
                Value::Nil => {}
                Value::Map(attributes) => pairs(b'|', attributes, out)?,
                _ => return Err(unencodable("attributes", "expected a map")),
            }
            value(message.field(response::REPLY), out)
        }
    }
}

fn command(message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    let (is_inline, name) = match message.field(request::COMMAND) {
        Value::Tagged(tag::INLINE, name) => (true, &**name),
        name => (false, name),
    };
    let name = match name {
        Value::Nil => {
            out.extend_from_slice(b"*0\r\n");
            return Ok(());
        }
        Value::Tagged(tag::LOWER, name) => name.as_bytes().map(<[u8]>::to_ascii_lowercase),
        name => name.as_bytes().map(<[u8]>::to_vec),
    };
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| unencodable("command", "expected text"))?;
    let mut words = vec![name];
    for word in arguments(message) {
        words.push(match word.untagged() {
            Value::Str(word) => word.to_vec(),
            Value::Int(number) => number.to_string().into_bytes(),
            Value::Uint(number) => number.to_string().into_bytes(),
            Value::Decimal(digits) => digits.as_bytes().to_vec(),
            _ => return Err(unencodable("args", "expected text and numbers")),
        });
    }
    if is_inline {
        inline::write(&words, out);
        return Ok(());
    }
    header(b'*', words.len(), out);
    for word in &words {
        bulk(b'$', &[], word, out);
    }
    Ok(())
}

fn header(mark: u8, number: usize, out: &mut Vec<u8>) {
    out.push(mark);
    out.extend_from_slice(number.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn bulk(mark: u8, prefix: &[u8], bytes: &[u8], out: &mut Vec<u8>) {
    header(mark, prefix.len().saturating_add(bytes.len()), out);
    out.extend_from_slice(prefix);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn line(mark: u8, text: &[u8], out: &mut Vec<u8>) -> Result<(), Unencodable> {
    if text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(unencodable("reply", "a line end in what is written as one line"));
    }
    out.push(mark);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn items(mark: u8, items: &[Value], out: &mut Vec<u8>) -> Result<(), Unencodable> {
    header(mark, items.len(), out);
    items.iter().try_for_each(|item| value(item, out))
}

fn pairs(mark: u8, pairs: &[(Value, Value)], out: &mut Vec<u8>) -> Result<(), Unencodable> {
    header(mark, pairs.len(), out);
    for (key, item) in pairs {
        value(key, out)?;
        value(item, out)?;
    }
    Ok(())
}

/// Writes a reply in the form that its kind and its tag say.
fn value(reply: &Value, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    match reply {
        Value::Null => line(b'$', b"-1", out),
        Value::Bool(true) => line(b'#', b"t", out),
        Value::Bool(false) => line(b'#', b"f", out),
        Value::Int(number) => line(b':', number.to_string().as_bytes(), out),
        Value::Uint(number) => line(b'(', number.to_string().as_bytes(), out),
        Value::Decimal(digits) => line(b',', digits.as_bytes(), out),
        Value::Str(bytes) => {
            bulk(b'$', &[], bytes, out);
            Ok(())
        }
        Value::List(list) => items(b'*', list, out),
        Value::Map(map) => pairs(b'%', map, out),
        Value::Tagged(tag, inner) => tagged(tag, inner, out),
        Value::Nil => Err(unencodable("reply", "there is none")),
        Value::Duration(_) | Value::Time(_) | Value::Ip(_) => Err(unencodable("reply", "Redis has no such value")),
    }
}

fn tagged(tag: &'static str, inner: &Value, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    let text = || number_or_text(inner).ok_or_else(|| unencodable("reply", "expected text or a number under the tag"));
    match (tag, inner) {
        (tag::SIMPLE, _) => line(b'+', &text()?, out),
        (tag::ERROR, _) => line(b'-', &text()?, out),
        (tag::DOUBLE, _) => line(b',', &text()?, out),
        (tag::BIG, _) => line(b'(', &text()?, out),
        (tag::NULL, _) => line(b'_', b"", out),
        (tag::NULL_ARRAY, _) => line(b'*', b"-1", out),
        (tag::BULK_ERROR, _) => {
            bulk(b'!', &[], &text()?, out);
            Ok(())
        }
        (tag::VERBATIM_TEXT, _) => {
            bulk(b'=', b"txt:", &text()?, out);
            Ok(())
        }
        (tag::VERBATIM_MARKDOWN, _) => {
            bulk(b'=', b"mkd:", &text()?, out);
            Ok(())
        }
        (tag::SET, Value::List(list)) => items(b'~', list, out),
        (tag::PUSH, Value::List(list)) => items(b'>', list, out),
        (tag::ATTRIBUTE, Value::List(both)) => match both.as_slice() {
            [Value::Map(attributes), reply] => {
                pairs(b'|', attributes, out)?;
                value(reply, out)
            }
            _ => Err(unencodable("reply", "expected attributes and a value")),
        },
        _ => Err(unencodable("reply", &format!("`{tag}` cannot be a {}", inner.kind()))),
    }
}

fn number_or_text(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Str(text) => Some(text.to_vec()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::Uint(number) => Some(number.to_string().into_bytes()),
        Value::Decimal(digits) => Some(digits.as_bytes().to_vec()),
        _ => None,
    }
}

fn unencodable(field: &str, reason: &str) -> Unencodable {
    Unencodable { field: field.to_owned(), reason: reason.to_owned() }
}

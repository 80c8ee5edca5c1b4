//! Arrays, as lists of lists: those whose lower bounds are 1, which all are but for those made otherwise on purpose.

use reel_lang::value::Value;

use super::super::wire::put_cell;
use super::{Format, decode, encode};
use crate::reader::Reader;

/// Dimensions of an array (`MAXDIM` of the server).
const DIMENSIONS_MAX: usize = 6;

/// Reads `{1,2,NULL}`, `{{a,"b c"},{d,e}}`.
pub(super) fn from_text(element: u32, bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader::at(bytes, 0);
    let value = list(element, &mut reader, 1)?;
    reader.rest().is_empty().then_some(value)
}

fn list(element: u32, reader: &mut Reader<'_>, depth: usize) -> Option<Value> {
    if depth > DIMENSIONS_MAX || !reader.eat(b'{') {
        return None;
    }
    let mut items = Vec::new();
    if reader.eat(b'}') {
        return Some(Value::List(items));
    }
    loop {
        items.push(match reader.peek()? {
            b'{' => list(element, reader, depth.saturating_add(1))?,
            b'"' => decode(element, Format::Text, &quoted(reader)?),
            _ => match reader.take_while(|byte| !b",{}\"\\".contains(&byte)) {
                b"NULL" => Value::Null,
                text => decode(element, Format::Text, text),
            },
        });
        if reader.eat(b'}') {
            return Some(Value::List(items));
        }
        if !reader.eat(b',') {
            return None;
        }
    }
}

fn quoted(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    reader.eat(b'"');
    let mut text = Vec::new();
    loop {
        match reader.byte()? {
            b'"' => return Some(text),
            b'\\' => text.push(reader.byte()?),
            byte => text.push(byte),
        }
    }
}

pub(super) fn to_text(element: u32, items: &[Value]) -> Option<Vec<u8>> {
    let mut out = vec![b'{'];
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match item {
            Value::List(items) => out.extend(to_text(element, items)?),
            Value::Null => out.extend_from_slice(b"NULL"),
            item => put_text(&encode(element, Format::Text, item).ok()?, &mut out),
        }
    }
    out.push(b'}');
    Some(out)
}

/// Writes an element, in quotes where it could be read otherwise (`array_out`).
fn put_text(text: &[u8], out: &mut Vec<u8>) {
    let is_special = |byte: &u8| b"\"\\{},".contains(byte) || byte.is_ascii_whitespace() || *byte == 0x0b;
    if !text.is_empty() && !text.eq_ignore_ascii_case(b"NULL") && !text.iter().any(is_special) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Reads the form of `array_send`: dimensions, whether there are nulls, the element's type, each dimension's length and lower
/// bound, the elements.
pub(super) fn from_binary(element: u32, bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader::at(bytes, 0);
    let dimensions = reader.be_u32()? as usize;
    reader.be_u32()?;
    if reader.be_u32()? != element || dimensions > DIMENSIONS_MAX {
        return None;
    }
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(reader.be_u32()? as usize);
        (reader.be_u32()? == 1).then_some(())?;
    }
    let value = match lengths.as_slice() {
        [] => Value::List(Vec::new()),
        lengths => dimension(element, lengths, &mut reader)?,
    };
    reader.rest().is_empty().then_some(value)
}

fn dimension(element: u32, lengths: &[usize], reader: &mut Reader<'_>) -> Option<Value> {
    let (len, below) = lengths.split_first()?;
    let mut items = Vec::new();
    // Each item takes bytes, so a length that is too large ends with the input.
    for _ in 0..*len {
        items.push(if below.is_empty() {
            match reader.be_u32()? {
                u32::MAX => Value::Null,
                len => decode(element, Format::Binary, reader.take(len as usize)?),
            }
        } else {
            dimension(element, below, reader)?
        });
        if reader.rest().is_empty() && items.len() < *len {
            return None;
        }
    }
    Some(Value::List(items))
}

pub(super) fn to_binary(element: u32, items: &[Value]) -> Option<Vec<u8>> {
    let mut lengths = Vec::new();
    let mut first = Some(items);
    while let Some(items) = first.filter(|items| !items.is_empty()) {
        lengths.push(items.len());
        first = match items.first() {
            Some(Value::List(below)) => Some(below),
            _ => None,
        };
    }
    if lengths.len() > DIMENSIONS_MAX {
        return None;
    }
    let mut cells = Vec::new();
    let has_null = put_dimension(element, &lengths, items, &mut cells)?;
    let mut out = Vec::new();
    for number in [lengths.len(), usize::from(has_null), element as usize] {
        out.extend_from_slice(&u32::try_from(number).ok()?.to_be_bytes());
    }
    for len in lengths {
        out.extend_from_slice(&u32::try_from(len).ok()?.to_be_bytes());
        out.extend_from_slice(&1_u32.to_be_bytes());
    }
    out.extend_from_slice(&cells);
    Some(out)
}

/// Writes the elements, and says whether one is null. All lists of a dimension must be of one length.
fn put_dimension(element: u32, lengths: &[usize], items: &[Value], out: &mut Vec<u8>) -> Option<bool> {
    let Some((len, below)) = lengths.split_first() else { return items.is_empty().then_some(false) };
    if items.len() != *len {
        return None;
    }
    let mut has_null = false;
    for item in items {
        match item {
            Value::List(items) if !below.is_empty() => has_null |= put_dimension(element, below, items, out)?,
            Value::Null if below.is_empty() => {
                has_null = true;
                put_cell(out, None);
            }
            item if below.is_empty() => put_cell(out, Some(&encode(element, Format::Binary, item).ok()?)),
            _ => return None,
        }
    }
    Some(has_null)
}

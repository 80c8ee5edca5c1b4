//! Values from whole RESP bytes, whose bounds `skim` has checked.

use bytes::Bytes;
use reel_lang::value::Value;

use super::skim::{Length, length};
use super::{BULK_LEN_MAX, DEPTH_MAX, ITEMS_MAX, LINE_LEN_MAX, malformed, tag};
use crate::Malformed;
use crate::reader::{Line, Reader};

/// The words of a command.
pub(super) fn command(input: &[u8]) -> Result<Vec<Bytes>, Malformed> {
    let mut decoder = Decoder { reader: Reader::at(input, 0), depth: 0 };
    let not_words = || malformed(0, "a command that is no array of bulk strings");
    let words = match decoder.value()? {
        Value::List(words) => words,
        Value::Tagged(tag::NULL_ARRAY, _) => Vec::new(),
        _ => return Err(not_words()),
    };
    words
        .into_iter()
        .map(|word| match word {
            Value::Str(word) => Ok(word),
            _ => Err(not_words()),
        })
        .collect()
}

/// A reply, after the attributes that belong to it (nil where there are none).
pub(super) fn reply(input: &[u8]) -> Result<(Value, Value), Malformed> {
    let mut decoder = Decoder { reader: Reader::at(input, 0), depth: 0 };
    let value = decoder.value()?;
    if let Value::Tagged(tag::ATTRIBUTE, both) = value {
        let Value::List(both) = *both else { return Err(malformed(0, "attributes without a value")) };
        let mut both = both.into_iter();
        return Ok((both.next().unwrap_or_default(), both.next().unwrap_or_default()));
    }
    Ok((Value::Nil, value))
}

struct Decoder<'a> {
    reader: Reader<'a>,
    depth: usize,
}

impl<'a> Decoder<'a> {
    fn line(&mut self) -> Result<&'a [u8], Malformed> {
        match self.reader.line(LINE_LEN_MAX) {
            Line::Whole(line) => Ok(line),
            Line::Partial | Line::Bad => Err(self.cut_off()),
        }
    }

    fn cut_off(&self) -> Malformed {
        malformed(self.reader.position(), "a value that is cut off")
    }

    fn value(&mut self) -> Result<Value, Malformed> {
        if self.depth > DEPTH_MAX {
            return Err(malformed(self.reader.position(), "nested too deeply"));
        }
        self.depth = self.depth.saturating_add(1);
        let at = self.reader.position();
        let mark = self.reader.byte().ok_or_else(|| self.cut_off())?;
        let line = self.line()?;
        let value = match mark {
            b'+' => tagged(tag::SIMPLE, text(line)),
            b'-' => tagged(tag::ERROR, text(line)),
            b':' => integer(line).ok_or_else(|| malformed(at, "an invalid integer"))?,
            b'_' => tagged(tag::NULL, Value::Null),
            b'#' => match line {
                b"t" => Value::Bool(true),
                b"f" => Value::Bool(false),
                _ => return Err(malformed(at, "an invalid boolean")),
            },
            b',' => double(line).ok_or_else(|| malformed(at, "an invalid double"))?,
            b'(' => big(line).ok_or_else(|| malformed(at, "an invalid big number"))?,
            b'$' | b'!' | b'=' => self.bulk(mark, length(line, BULK_LEN_MAX, at)?)?,
            b'*' | b'%' | b'~' | b'>' => self.aggregate(mark, length(line, ITEMS_MAX, at)?)?,
            b'|' => {
                let attributes = self.aggregate(b'%', length(line, ITEMS_MAX, at)?)?;
                let value = self.value()?;
                tagged(tag::ATTRIBUTE, Value::List(vec![attributes, value]))
            }
            _ => return Err(malformed(at, "an unknown type")),
        };
        self.depth = self.depth.saturating_sub(1);
        Ok(value)
    }

    fn bulk(&mut self, mark: u8, length: Length) -> Result<Value, Malformed> {
        let bytes = match length {
            Length::Null if mark == b'$' => return Ok(Value::Null),
            Length::Null => return Err(malformed(self.reader.position(), "a null that is no bulk string")),
            Length::Known(len) => Bytes::copy_from_slice(self.chunk(len)?),
            Length::Streamed => self.chunks()?,
        };
        Ok(match mark {
            b'!' => tagged(tag::BULK_ERROR, Value::Str(bytes)),
            b'=' if bytes.starts_with(b"txt:") => tagged(tag::VERBATIM_TEXT, Value::Str(bytes.slice(4..))),
            b'=' if bytes.starts_with(b"mkd:") => tagged(tag::VERBATIM_MARKDOWN, Value::Str(bytes.slice(4..))),
            _ => Value::Str(bytes),
        })
    }

    fn chunk(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let bytes = usize::try_from(len).ok().and_then(|len| self.reader.take(len));
        let bytes = bytes.ok_or_else(|| self.cut_off())?;
        if self.reader.eat_all(b"\r\n") { Ok(bytes) } else { Err(self.cut_off()) }
    }

    fn chunks(&mut self) -> Result<Bytes, Malformed> {
        let mut whole = Vec::new();
        loop {
            let at = self.reader.position();
            if !self.reader.eat(b';') {
                return Err(self.cut_off());
            }
            match length(self.line()?, BULK_LEN_MAX, at)? {
                Length::Known(0) => return Ok(whole.into()),
                Length::Known(len) => whole.extend_from_slice(self.chunk(len)?),
                _ => return Err(malformed(at, "a chunk without a length")),
            }
        }
    }

    fn aggregate(&mut self, mark: u8, length: Length) -> Result<Value, Malformed> {
        let mut left = match length {
            Length::Null => return Ok(tagged(tag::NULL_ARRAY, Value::Null)),
            Length::Known(items) if mark == b'%' => Some(items.saturating_mul(2)),
            Length::Known(items) => Some(items),
            Length::Streamed => None,
        };
        let mut items = Vec::new();
        while left != Some(0) {
            if left.is_none() && self.reader.eat_all(b".\r\n") {
                break;
            }
            items.push(self.value()?);
            left = left.map(|left| left.saturating_sub(1));
        }
        Ok(match mark {
            b'%' => Value::Map(pairs(items).ok_or_else(|| self.cut_off())?),
            b'~' => tagged(tag::SET, Value::List(items)),
            b'>' => tagged(tag::PUSH, Value::List(items)),
            _ => Value::List(items),
        })
    }
}

fn tagged(tag: &'static str, value: Value) -> Value {
    Value::Tagged(tag, Box::new(value))
}

fn text(line: &[u8]) -> Value {
    Value::text(line)
}

fn pairs(items: Vec<Value>) -> Option<Vec<(Value, Value)>> {
    let mut pairs = Vec::new();
    let mut items = items.into_iter();
    while let Some(key) = items.next() {
        pairs.push((key, items.next()?));
    }
    Some(pairs)
}

fn integer(line: &[u8]) -> Option<Value> {
    std::str::from_utf8(line).ok()?.parse().ok().map(Value::Int)
}

/// A double: a number of JSON's form by its digits, anything else that the specification allows (`inf`, `1.`) as its text.
fn double(line: &[u8]) -> Option<Value> {
    let is_number = line.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit());
    let value = match crate::json::parse(line) {
        Ok(number) if is_number => number,
        _ => std::str::from_utf8(line).ok()?.parse::<f64>().ok().map(|_| text(line))?,
    };
    Some(tagged(tag::DOUBLE, value))
}

fn big(line: &[u8]) -> Option<Value> {
    let digits = line.strip_prefix(b"-").or(line.strip_prefix(b"+")).unwrap_or(line);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let value = if is_number { crate::json::parse(line).unwrap_or_else(|_| text(line)) } else { return None };
    Some(tagged(tag::BIG, value))
}

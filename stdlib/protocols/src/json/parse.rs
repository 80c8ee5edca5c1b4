//! The reader: recursive descent over bytes, with a limit on depth.

use std::collections::HashSet;

use bytes::Bytes;
use reel_lang::value::Value;

use crate::reader::Reader;

/// Arrays and objects within each other.
const DEPTH_MAX: usize = 128;
/// Objects with more keys than this look for repeated keys in a set.
const KEYS_COMPARED_IN_PAIRS: usize = 8;

/// A text that is not JSON, or that a value cannot hold exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct JsonError {
    pub offset: usize,
    pub reason: &'static str,
}

/// Reads a text that is one JSON value, with whitespace around it.
///
/// # Errors
/// [`JsonError`] says where the text stops being JSON.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(JsonError { offset: error.valid_up_to(), reason: "invalid UTF-8" });
    }
    let mut parser = Parser { reader: Reader::at(text, 0), depth: 0 };
    let value = parser.value()?;
    parser.space();
    match parser.reader.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error("text after the value")),
    }
}

struct Parser<'a> {
    reader: Reader<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn error(&self, reason: &'static str) -> JsonError {
        JsonError { offset: self.reader.position(), reason }
    }

    fn space(&mut self) {
        self.reader.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        self.space();
        match self.reader.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::Str(Bytes::from(self.string()?))),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, JsonError>) -> Result<Value, JsonError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error("nested too deeply"));
        }
        self.depth = self.depth.saturating_add(1);
        self.reader.byte();
        let value = read(self)?;
        self.depth = self.depth.saturating_sub(1);
        Ok(value)
    }

    fn word(&mut self) -> Result<Value, JsonError> {
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if self.reader.eat_all(word.as_bytes()) {
                return Ok(value);
            }
        }
        Err(self.error("expected a value"))
    }

    /// Reads on after `[`.
    fn array(&mut self) -> Result<Value, JsonError> {
        let mut items = Vec::new();
        self.space();
        if self.reader.eat(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value()?);
            if !self.goes_on(b']')? {
                return Ok(Value::List(items));
            }
        }
    }

    /// Reads on after `{`.
    fn object(&mut self) -> Result<Value, JsonError> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        let mut keys: HashSet<Vec<u8>> = HashSet::new();
        self.space();
        if self.reader.eat(b'}') {
            return Ok(Value::Map(pairs));
        }
        loop {
            self.space();
            if self.reader.peek() != Some(b'"') {
                return Err(self.error("expected a key"));
            }
            let key = self.string()?;
            if self.is_repeated(&key, &pairs, &mut keys) {
                return Err(self.error("a key that the object already has"));
            }
            self.space();
            if !self.reader.eat(b':') {
                return Err(self.error("expected `:`"));
            }
            pairs.push((Value::Str(Bytes::from(key)), self.value()?));
            if !self.goes_on(b'}')? {
                return Ok(Value::Map(pairs));
            }
        }
    }

    fn is_repeated(&self, key: &[u8], pairs: &[(Value, Value)], keys: &mut HashSet<Vec<u8>>) -> bool {
        if pairs.len() < KEYS_COMPARED_IN_PAIRS {
            return pairs.iter().any(|(other, _)| other.as_bytes() == Some(key));
        }
        if keys.is_empty() {
            keys.extend(pairs.iter().filter_map(|(key, _)| key.as_bytes()).map(<[u8]>::to_vec));
        }
        !keys.insert(key.to_vec())
    }

    /// Reads a comma, which says that another item follows, or the end.
    fn goes_on(&mut self, end: u8) -> Result<bool, JsonError> {
        self.space();
        if self.reader.eat(b',') {
            return Ok(true);
        }
        if self.reader.eat(end) { Ok(false) } else { Err(self.error("expected `,` or the end of the list or object")) }
    }

    /// Reads a string, section 7.
    fn string(&mut self) -> Result<Vec<u8>, JsonError> {
        self.reader.byte();
        let mut text = Vec::new();
        loop {
            text.extend_from_slice(self.reader.take_while(|byte| byte >= b' ' && byte != b'"' && byte != b'\\'));
            match self.reader.byte() {
                Some(b'"') => return Ok(text),
                Some(b'\\') => self.escape(&mut text)?,
                Some(_) => return Err(self.error("a control character in a string")),
                None => return Err(self.error("a string without an end")),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), JsonError> {
        let byte = match self.reader.byte() {
            Some(b'u') => {
                let mut utf8 = [0; 4];
                let c = self.unicode()?;
                text.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                return Ok(());
            }
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            _ => return Err(self.error("an unknown escape")),
        };
        text.push(byte);
        Ok(())
    }

    /// Reads the digits after `\u`, and the second half of a pair of surrogates.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.code_unit()?;
        let second = match first {
            0xd800..=0xdbff if self.reader.eat_all(b"\\u") => Some(self.code_unit()?),
            _ => None,
        };
        char::decode_utf16([first].into_iter().chain(second))
            .next()
            .and_then(Result::ok)
            .filter(|c| second.is_none() || u32::from(*c) > 0xffff)
            .ok_or_else(|| self.error("half of a surrogate pair"))
    }

    fn code_unit(&mut self) -> Result<u16, JsonError> {
        let digits = self.reader.take(4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        digits
            .and_then(crate::reader::hexadecimal)
            .and_then(|unit| u16::try_from(unit).ok())
            .ok_or_else(|| self.error("expected four hexadecimal digits"))
    }

    /// Reads a number, section 6.
    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.reader.clone();
        let negative = self.reader.eat(b'-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with(b"0") {
            return Err(self.error("a number that starts with 0"));
        }
        let mut is_integer = !(negative && whole == b"0");
        if self.reader.eat(b'.') {
            is_integer = false;
            self.digits()?;
        }
        if self.reader.eat(b'e') || self.reader.eat(b'E') {
            is_integer = false;
            let _ = self.reader.eat(b'+') || self.reader.eat(b'-');
            self.digits()?;
        }
        let len = self.reader.position().saturating_sub(start.position());
        let text = std::str::from_utf8(start.rest().get(..len).unwrap_or_default()).unwrap_or_default();
        let integer = is_integer.then(|| text.parse().map(Value::Int).or_else(|_| text.parse().map(Value::Uint)));
        Ok(integer.and_then(Result::ok).unwrap_or_else(|| Value::Decimal(text.into())))
    }

    fn digits(&mut self) -> Result<&[u8], JsonError> {
        let error = self.error("expected a digit");
        let digits = self.reader.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() { Err(error) } else { Ok(digits) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        let cases = [
            ("0", Value::Int(0)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("18446744073709551615", Value::Uint(u64::MAX)),
            ("18446744073709551616", Value::Decimal("18446744073709551616".into())),
            ("-0", Value::Decimal("-0".into())),
            ("1.0", Value::Decimal("1.0".into())),
            ("1E+5", Value::Decimal("1E+5".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn strings_are_unescaped() {
        let value = parse(br#" ["\u00e9\n\/", "\ud83d\ude00"] "#).unwrap();
        assert_eq!(value, Value::List(vec![Value::text("é\n/"), Value::text("😀")]));
    }

    #[test]
    fn what_a_value_cannot_hold_is_refused() {
        let deep = "[".repeat(129);
        let many_keys: String = (0..20).map(|n| format!("\"k{n}\":0,")).collect();
        let repeated = format!("{{{many_keys}\"k3\":1}}");
        let cases = [
            (r#"{"a":1,"a":2}"#, "10: a key that the object already has"),
            (repeated.as_str(), "155: a key that the object already has"),
            (deep.as_str(), "128: nested too deeply"),
            (r#""\ud800""#, "7: half of a surrogate pair"),
            (r#""\ud800\u0041""#, "13: half of a surrogate pair"),
            (r#""\u+041""#, "7: expected four hexadecimal digits"),
            ("01", "2: a number that starts with 0"),
            ("1.", "2: expected a digit"),
            ("-", "1: expected a digit"),
            ("[1 2]", "3: expected `,` or the end of the list or object"),
            ("[1,]", "3: expected a value"),
            ("{a:1}", "1: expected a key"),
            ("1 2", "2: text after the value"),
            ("", "0: expected a value"),
            ("\"a\nb\"", "3: a control character in a string"),
            ("\"a", "2: a string without an end"),
            (r#""\x""#, "3: an unknown escape"),
        ];
        for (text, expected) in cases {
            let error = parse(text.as_bytes()).unwrap_err();
            assert_eq!(format!("{}: {}", error.offset, error.reason), expected, "{text}");
        }
        assert_eq!(parse(b"\"\xff\"").unwrap_err().reason, "invalid UTF-8");
    }
}

//! `application/x-www-form-urlencoded` (WHATWG URL standard, section 5) and cookies, as pairs of strings.

use bytes::Bytes;
use reel_lang::value::Value;

/// Reads the pairs of a form or a query, percent signs and plus signs decoded, in order.
pub(super) fn parse(text: &[u8]) -> Value {
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = halves(pair);
        (unescape(name), unescape(value))
    });
    Value::Map(pairs.collect())
}

/// The values of a form or a query that decode to a text, as they were sent.
pub(super) fn spellings(text: &[u8], wanted: &[u8]) -> Vec<Bytes> {
    let values = text.split(|byte| *byte == b'&').map(|pair| halves(pair).1);
    values.filter(|value| unescape(value).as_bytes() == Some(wanted)).map(Bytes::copy_from_slice).collect()
}

/// Reads the pairs of a Cookie field (RFC 6265 section 4.2.1); values are left as they are.
pub(super) fn cookies<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Value {
    let pairs = fields.flat_map(|field| field.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = halves(pair);
        (Value::text(name), Value::text(value))
    });
    Value::Map(pairs.collect())
}

fn halves(pair: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
    (pair.get(..end).unwrap_or_default(), pair.get(end.saturating_add(1)..).unwrap_or_default())
}

/// Undoes percent encoding; what is no escape stays as it is.
fn unescape(text: &[u8]) -> Value {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        let escaped = match (byte, bytes.as_slice()) {
            (b'%', [high, low, ..]) => crate::reader::hexadecimal(&[*high, *low]).and_then(|n| u8::try_from(n).ok()),
            _ => None,
        };
        match escaped {
            Some(escaped) => {
                out.push(escaped);
                bytes.nth(1);
            }
            None => out.push(if *byte == b'+' { b' ' } else { *byte }),
        }
    }
    Value::Str(out.into())
}

/// Writes pairs as a form, as most clients do: a space as `+`, everything but letters, digits and `-._~` as an escape.
/// None where a value is no text.
pub(super) fn write(pairs: &[(Value, Value)], out: &mut Vec<u8>) -> Option<()> {
    for (i, (name, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.push(b'&');
        }
        escape(name.as_bytes()?, out);
        out.push(b'=');
        escape(value.as_bytes()?, out);
    }
    Some(())
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Value {
        Value::Map(list.iter().map(|(name, value)| (Value::text(name), Value::text(value))).collect())
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        assert_eq!(
            parse(b"a=1&b=x+y%2F&&c&=d&e=%zz%2"),
            pairs(&[("a", "1"), ("b", "x y/"), ("c", ""), ("", "d"), ("e", "%zz%2")])
        );
        assert_eq!(
            cookies([&b"a=1; b=\"2\""[..], b"c=x=y"].into_iter()),
            pairs(&[("a", "1"), ("b", "\"2\""), ("c", "x=y")])
        );
    }

    #[test]
    fn a_value_is_found_however_it_was_sent() {
        let query = b"a=x%20y&b=x+y&c=x%2By&&x+y&d=%78 y";
        assert_eq!(spellings(query, b"x y"), ["x%20y", "x+y", "%78 y"]);
        assert_eq!(spellings(query, b"y"), [""; 0]);
    }

    #[test]
    fn a_form_comes_back() {
        let text = b"a=1&b=x+y%2F%C3%A9&c=";
        let list = match parse(text) {
            Value::Map(list) => list,
            _ => Vec::new(),
        };
        let mut out = Vec::new();
        assert_eq!(write(&list, &mut out), Some(()));
        assert_eq!(out, text);
    }
}

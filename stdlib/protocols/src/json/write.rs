//! The writer: a value as JSON text in a style.

use reel_lang::value::Value;

use super::{Layout, Style};

/// A value that JSON has no form for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("JSON has no {0}")]
pub struct NotJson(pub &'static str);

/// Writes a value.
///
/// # Errors
/// [`NotJson`] where the value holds what JSON cannot say: bytes that are not UTF-8, a key that is no text, nil.
pub fn write(value: &Value, style: Style, out: &mut Vec<u8>) -> Result<(), NotJson> {
    Writer { style, out }.value(value, 0)?;
    if style.newline {
        out.push(b'\n');
    }
    Ok(())
}

struct Writer<'a> {
    style: Style,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, level: usize) -> Result<(), NotJson> {
        match value {
            Value::Null => self.text("null"),
            Value::Bool(true) => self.text("true"),
            Value::Bool(false) => self.text("false"),
            Value::Int(number) => self.text(&number.to_string()),
            Value::Uint(number) => self.text(&number.to_string()),
            Value::Decimal(digits) => self.text(digits),
            Value::Str(text) => self.string(text)?,
            Value::List(items) => {
                self.text("[");
                for (i, item) in items.iter().enumerate() {
                    self.separate(i, level.saturating_add(1));
                    self.value(item, level.saturating_add(1))?;
                }
                self.close(items.is_empty(), level);
                self.text("]");
            }
            Value::Map(pairs) => {
                self.text("{");
                for (i, (key, item)) in pairs.iter().enumerate() {
                    self.separate(i, level.saturating_add(1));
                    let Some(key) = key.as_bytes() else { return Err(NotJson("key that is no text")) };
                    self.string(key)?;
                    self.text(if self.style.layout == Layout::Compact { ":" } else { ": " });
                    self.value(item, level.saturating_add(1))?;
                }
                self.close(pairs.is_empty(), level);
                self.text("}");
            }
            Value::Tagged(_, inner) => self.value(inner, level)?,
            Value::Nil => return Err(NotJson("nil")),
            Value::Duration(_) | Value::Time(_) | Value::Ip(_) => return Err(NotJson(value.kind())),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes what stands before an item.
    fn separate(&mut self, index: usize, level: usize) {
        if index > 0 {
            self.text(if self.style.layout == Layout::Spaced { ", " } else { "," });
        }
        self.indent(level);
    }

    fn close(&mut self, is_empty: bool, level: usize) {
        if !is_empty {
            self.indent(level);
        }
    }

    fn indent(&mut self, level: usize) {
        if let Layout::Indented(spaces) = self.style.layout {
            let len = self.out.len().saturating_add(1).saturating_add(level.saturating_mul(spaces.into()));
            self.out.push(b'\n');
            self.out.resize(len, b' ');
        }
    }

    fn string(&mut self, text: &[u8]) -> Result<(), NotJson> {
        let text = std::str::from_utf8(text).map_err(|_| NotJson("text that is not UTF-8"))?;
        self.out.push(b'"');
        let mut rest = text;
        while let Some(at) =
            rest.find(|c: char| c < ' ' || c == '"' || c == '\\' || (self.style.ascii && !c.is_ascii()))
        {
            let (plain, special) = rest.split_at(at);
            self.text(plain);
            let mut chars = special.chars();
            if let Some(c) = chars.next() {
                self.escape(c);
            }
            rest = chars.as_str();
        }
        self.text(rest);
        self.out.push(b'"');
        Ok(())
    }

    fn escape(&mut self, c: char) {
        match c {
            '"' => self.text("\\\""),
            '\\' => self.text("\\\\"),
            '\n' => self.text("\\n"),
            '\r' => self.text("\\r"),
            '\t' => self.text("\\t"),
            '\u{8}' => self.text("\\b"),
            '\u{c}' => self.text("\\f"),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.text(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::json::parse;

    /// The text must come back byte for byte in the style that it seems to follow, under this name.
    fn check(text: &str, style: &str) {
        let seen = Style::of(text.as_bytes());
        assert_eq!(seen.name(), style, "{text}");
        assert_eq!(Style::by_name(style), Some(seen));
        let mut out = Vec::new();
        write(&parse(text.as_bytes()).unwrap(), seen, &mut out).unwrap();
        assert_eq!(std::str::from_utf8(&out).unwrap(), text);
    }

    #[test]
    fn styles_of_real_encoders_come_back() {
        check(r#"{"b":[1,2.50,{}],"a":{"é":"\u0001\"\\"}}"#, "json");
        check("{\"a\":[1,2]}\n", "json-nl");
        check(r#"{"a": [1, 2], "b": {}}"#, "json-spaced");
        check(r#"{"a": "\u00e9\ud83d\ude00"}"#, "json-spaced-ascii");
        check("{\n  \"a\": [\n    1,\n    []\n  ]\n}\n", "json-indent2-nl");
        check("[\n    {\n        \"a\": null\n    }\n]", "json-indent4");
        check("true", "json");
    }

    #[test]
    fn what_json_has_no_form_for_is_refused() {
        let mut out = Vec::new();
        assert!(write(&Value::Nil, Style::default(), &mut out).is_err());
        assert!(write(&Value::text(b"\xff"), Style::default(), &mut out).is_err());
        assert!(write(&Value::Map(vec![(Value::Int(1), Value::Null)]), Style::default(), &mut out).is_err());
    }
}

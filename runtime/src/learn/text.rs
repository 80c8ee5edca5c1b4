//! Texts as the language writes them.

use std::fmt::Write;

/// A string literal.
pub fn quoted(text: &[u8]) -> String {
    let mut out = "\"".to_owned();
    for c in String::from_utf8_lossy(text).chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            '\r' => write!(out, "\\r"),
            c if c.is_ascii_control() => write!(out, "\\x{:02x}", c as u32),
            c => write!(out, "{c}"),
        };
    }
    out + "\""
}

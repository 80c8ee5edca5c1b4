//! What a plain scalar means, and which texts may stand without quotes.
//!
//! Numbers follow JSON's grammar (RFC 8259 section 6) and nothing else is a number: what YAML 1.1 would read as one
//! (octals, sexagesimals, `.inf`, dates) is a string here and is always written with quotes.

/// The meaning of a plain scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    /// Digits of JSON's number grammar.
    Number(&'a str),
    Text(&'a str),
}

impl<'a> Scalar<'a> {
    /// Reads a plain scalar.
    pub fn of(plain: &'a str) -> Self {
        match plain {
            "" | "null" | "~" => Scalar::Null,
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            text if is_number(text) => Scalar::Number(text),
            text => Scalar::Text(text),
        }
    }
}

/// Whether a text is a number of JSON.
pub(super) fn is_number(text: &str) -> bool {
    let digits = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let len = digits(fraction);
        if len == 0 {
            return false;
        }
        rest = &fraction[len..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let len = digits(exponent);
        return len > 0 && len == exponent.len();
    }
    rest.is_empty()
}

/// Words that YAML 1.1 (or 1.2) reads as something else than their text.
const RESERVED: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];

/// Whether a text may be written without quotes, whatever surrounds it and whichever YAML reads it.
pub(super) fn stands_plain(text: &str) -> bool {
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'/' || b == b'_');
    let inside = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./ ()+;=@$".contains(&b));
    // A word that begins with a dash is an entry of a list to some readers, inside brackets at least.
    let dashes = text.contains(" -");
    starts && inside && !dashes && !text.ends_with(' ') && !RESERVED.iter().any(|word| text.eq_ignore_ascii_case(word))
}

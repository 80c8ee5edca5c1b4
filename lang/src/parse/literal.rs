//! What a number or a string literal means.
//!
//! Numbers follow bpftrace: decimal, hexadecimal, octal with a leading 0, `1e6`, `_` between digits, C suffixes, duration
//! units; and LANGUAGE.md adds sizes, decimals and percentages. Strings know `\n \t \r \" \\ \0nn \xnn`.

use std::ops::Range;

use crate::ast::{DurationUnit, ExprKind, IntSuffix, SizeUnit};

/// A duration is an int64 of nanoseconds.
const MAX_DURATION_NS: u64 = i64::MAX as u64;

const DURATIONS: [DurationUnit; 7] = [
    DurationUnit::Ns,
    DurationUnit::Us,
    DurationUnit::Ms,
    DurationUnit::S,
    DurationUnit::M,
    DurationUnit::H,
    DurationUnit::D,
];

const SIZES: [SizeUnit; 6] = [SizeUnit::KB, SizeUnit::MB, SizeUnit::GB, SizeUnit::KiB, SizeUnit::MiB, SizeUnit::GiB];

/// Why a literal means nothing: what is wrong, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LiteralError {
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

fn error<T>(message: String, hint: &'static str) -> Result<T, LiteralError> {
    Err(LiteralError { message, hint: Some(hint) })
}

/// Reads a number token.
pub(super) fn number(text: &str) -> Result<ExprKind, LiteralError> {
    let clean: String = text.chars().filter(|c| *c != '_').collect();
    if text.ends_with('_') {
        return error(format!("`{text}` ends with `_`"), "`_` stands between digits");
    }
    if let Some(percent) = clean.strip_suffix('%') {
        return match percent.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            true => Ok(ExprKind::Percent(percent.to_owned())),
            false => error(format!("`{text}` is not a percentage"), "write it like `1%` or `0.5%`"),
        };
    }
    if let Some((whole, fraction)) = clean.split_once('.') {
        return match whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            true => Ok(ExprKind::Decimal(clean)),
            false => error(format!("`{text}` is not a number"), "a decimal is digits, a point and digits"),
        };
    }
    integer(text, &clean)
}

fn integer(text: &str, clean: &str) -> Result<ExprKind, LiteralError> {
    let lower = clean.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        let len = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
        return with_suffix(text, parse_digits(text, &hex[..len], 16)?, &hex[len..]);
    }
    let len = lower.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = (&clean[..len], &clean[len..]);
    if let Some(exponent) = unit.strip_prefix(['e', 'E']).filter(|e| e.starts_with(|c: char| c.is_ascii_digit())) {
        return scientific(text, digits, exponent);
    }
    if unit == "e" || unit == "E" {
        return error(format!("`{text}` has no exponent"), "exponents are not negative: `1e6`");
    }
    if let Some(unit) = DURATIONS.into_iter().find(|u| u.name() == unit) {
        let ns = parse_digits(text, digits, 10)?.checked_mul(unit.ns()).filter(|ns| *ns <= MAX_DURATION_NS);
        return match ns {
            Some(ns) => Ok(ExprKind::Duration { ns, unit }),
            None => error(format!("`{text}` does not fit"), "a duration is at most 292 years"),
        };
    }
    if let Some(unit) = SIZES.into_iter().find(|u| u.name() == unit) {
        return match parse_digits(text, digits, 10)?.checked_mul(unit.bytes()) {
            Some(bytes) => Ok(ExprKind::Size { bytes, unit }),
            None => error(format!("`{text}` does not fit"), "a size has 64 bits"),
        };
    }
    let is_octal = digits.len() > 1 && digits.starts_with('0');
    let value = parse_digits(text, digits, if is_octal { 8 } else { 10 })?;
    with_suffix(text, value, &unit.to_ascii_lowercase())
}

fn scientific(text: &str, digits: &str, exponent: &str) -> Result<ExprKind, LiteralError> {
    let len = exponent.bytes().take_while(u8::is_ascii_digit).count();
    let power = exponent[..len].parse::<u32>().ok().and_then(|e| 10u64.checked_pow(e));
    let value = parse_digits(text, digits, 10)?;
    match power.and_then(|p| value.checked_mul(p)) {
        Some(value) => with_suffix(text, value, &exponent[len..].to_ascii_lowercase()),
        None if value == 0 => Ok(ExprKind::Int { value, suffix: IntSuffix::default() }),
        None => error(format!("`{text}` does not fit"), "an integer has 64 bits"),
    }
}

fn parse_digits(text: &str, digits: &str, radix: u32) -> Result<u64, LiteralError> {
    if digits.is_empty() {
        return error(format!("`{text}` has no digits"), "a hexadecimal number is like `0x1f`");
    }
    match u64::from_str_radix(digits, radix) {
        Ok(value) => Ok(value),
        Err(_) if digits.chars().all(|c| c.is_digit(radix)) => {
            error(format!("`{text}` does not fit"), "an integer has 64 bits")
        }
        Err(_) => error(format!("`{text}` is not an octal number"), "a leading 0 means octal: take it away"),
    }
}

fn with_suffix(text: &str, value: u64, suffix: &str) -> Result<ExprKind, LiteralError> {
    let longs = suffix.bytes().filter(|b| *b == b'l').count();
    let unsigned = suffix.bytes().filter(|b| *b == b'u').count();
    if !matches!(suffix, "" | "u" | "l" | "ll" | "ul" | "ull" | "lu" | "llu") {
        return error(
            format!("`{text}` is not a number"),
            "units are ns us ms s m h d, KB MB GB and KiB MiB GiB; suffixes are u, l, ul, ll, ull",
        );
    }
    Ok(ExprKind::Int { value, suffix: IntSuffix { unsigned: unsigned == 1, longs: longs as u8 } })
}

/// A bad escape: what is wrong with it, and its bytes in the token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EscapeError {
    pub(super) fault: LiteralError,
    pub(super) range: Range<usize>,
}

/// Reads a string token with its quotes.
pub(super) fn string(token: &str) -> Result<Vec<u8>, EscapeError> {
    let inner = token.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(token);
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.extend(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let start = 1 + inner.len() - rest.len();
        let (value, len) = escape(rest).map_err(|fault| {
            let len = rest.chars().take(2).map(char::len_utf8).sum::<usize>();
            EscapeError { fault, range: start..start + len }
        })?;
        out.extend(value);
        rest = &rest[len..];
    }
    out.extend(rest.as_bytes());
    Ok(out)
}

/// Reads the escape at the start of a text; returns its byte, if it makes one, and its length.
fn escape(text: &str) -> Result<(Option<u8>, usize), LiteralError> {
    let simple = |byte| Ok((Some(byte), 2));
    match text.chars().nth(1) {
        Some('n') => simple(b'\n'),
        Some('t') => simple(b'\t'),
        Some('r') => simple(b'\r'),
        Some('"') => simple(b'"'),
        Some('\\') => simple(b'\\'),
        Some('\n') => Ok((None, 2)),
        Some('x' | 'X') => coded(&text[2..], 2, 16, "two hexadecimal digits follow `\\x`"),
        Some('0'..='7') => coded(&text[1..], 3, 8, "at most three octal digits follow `\\`"),
        other => {
            let shown = other.map_or(String::new(), String::from);
            let hint = "known escapes are \\n \\t \\r \\\" \\\\ \\0nn \\xnn; write `\\\\` for a backslash";
            error(format!("`\\{shown}` means nothing in a string"), hint)
        }
    }
}

fn coded(text: &str, most: usize, radix: u32, hint: &'static str) -> Result<(Option<u8>, usize), LiteralError> {
    let len = text.chars().take(most).take_while(|c| c.is_digit(radix)).count();
    let prefix_len = if radix == 16 { 2 } else { 1 };
    match u8::from_str_radix(&text[..len], radix) {
        Ok(value) => Ok((Some(value), prefix_len + len)),
        Err(_) => error("this escape is not a byte".to_owned(), hint),
    }
}

/// Returns the text of a regex literal: as written, but for `\"`.
pub(super) fn regex(token: &str) -> String {
    let inner = token.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(token);
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('"') => out.push('"'),
                Some(next) => out.extend(['\\', next]),
                None => out.push('\\'),
            },
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str) -> Option<u64> {
        match number(text) {
            Ok(ExprKind::Int { value, .. }) => Some(value),
            _ => None,
        }
    }

    #[test]
    fn integers_of_every_base() {
        assert_eq!(int("0"), Some(0));
        assert_eq!(int("0123"), Some(0o123));
        assert_eq!(int("0xFFul"), Some(255));
        assert_eq!(int("1_000_000"), Some(1_000_000));
        assert_eq!(int("5e3"), Some(5_000));
        assert_eq!(int("18446744073709551615"), Some(u64::MAX));
        for bad in ["18446744073709551616", "09", "0x", "12ab", "1e", "1e99", "1_"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn units() {
        assert_eq!(number("20ms"), Ok(ExprKind::Duration { ns: 20_000_000, unit: DurationUnit::Ms }));
        assert_eq!(number("64KiB"), Ok(ExprKind::Size { bytes: 65_536, unit: SizeUnit::KiB }));
        assert_eq!(number("2MB"), Ok(ExprKind::Size { bytes: 2_000_000, unit: SizeUnit::MB }));
        assert_eq!(number("0.01"), Ok(ExprKind::Decimal("0.01".to_owned())));
        assert_eq!(number("1%"), Ok(ExprKind::Percent("1".to_owned())));
        assert!(number("300000d").is_err());
    }

    #[test]
    fn strings_and_regexes() {
        assert_eq!(string(r#""a\n\x41\101\"""#), Ok(b"a\nAA\"".to_vec()));
        assert_eq!(string(r#""\0""#), Ok(vec![0]));
        assert!(string(r#""\d""#).is_err());
        assert!(string(r#""\777""#).is_err());
        let range = string(r#""ä\ö""#).map_err(|e| e.range);
        assert_eq!(range, Err(3..6));
        assert_eq!(regex(r#""^\d+\.\"$""#), "^\\d+\\.\"$");
    }
}

//! `printf`: a format string and values to text, with bpftrace's directives.
//!
//! `%d %i %u %o %x %X %c %p %s %r %rx %rh`, flags `-`, `0`, `+`, space and `#`, width, precision, and C's length words, which
//! mean nothing here since every value knows its size. The checker has seen that directives and arguments fit; what does not
//! fit all the same is shown as its plain text rather than dropped.

use std::fmt::Write;

use reel_lang::ty::Ty;
use reel_lang::value::Value;

use super::text::{self, Names};

/// A piece of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Directive(Directive),
}

/// `%-8.3d`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directive {
    pub left: bool,
    pub zero: bool,
    pub plus: bool,
    pub space: bool,
    pub alternate: bool,
    pub width: usize,
    pub precision: Option<usize>,
    /// The letter, `r` for all of the buffer directives.
    pub conversion: char,
    /// `%rx`: hexadecimal without `\x`, with spaces; `%rh` the same.
    pub hex_buffer: bool,
}

/// The widest field that is padded to; a wider one is cut to it.
pub const MAX_WIDTH: usize = 4096;

/// Cuts a format string into pieces. A `%` that begins no directive is text.
pub fn parse(format: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        literal.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(stripped) = after.strip_prefix('%') {
            literal.push('%');
            rest = stripped;
        } else if let Some((directive, len)) = directive(after) {
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Directive(directive));
            rest = &after[len..];
        } else {
            literal.push('%');
            rest = after;
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    pieces
}

/// Reads a directive after its `%`, and gives its length.
fn directive(text: &str) -> Option<(Directive, usize)> {
    let bytes = text.as_bytes();
    let mut d = Directive::default();
    let mut i = 0;
    loop {
        match bytes.get(i)? {
            b'-' => d.left = true,
            b'0' => d.zero = true,
            b'+' => d.plus = true,
            b' ' => d.space = true,
            b'#' => d.alternate = true,
            _ => break,
        }
        i += 1;
    }
    d.width = number(bytes, &mut i).min(MAX_WIDTH);
    if bytes.get(i) == Some(&b'.') {
        i += 1;
        d.precision = Some(number(bytes, &mut i).min(MAX_WIDTH));
    }
    while matches!(bytes.get(i), Some(b'l' | b'h' | b'z' | b'j' | b't')) {
        i += 1;
    }
    let letter = char::from(*bytes.get(i)?);
    d.conversion = matches!(letter, 'd' | 'i' | 'u' | 'o' | 'x' | 'X' | 'c' | 'p' | 's' | 'r').then_some(letter)?;
    i += 1;
    if letter == 'r' && matches!(bytes.get(i), Some(b'x' | b'h')) {
        d.hex_buffer = true;
        i += 1;
    }
    Some((d, i))
}

fn number(bytes: &[u8], i: &mut usize) -> usize {
    let mut n = 0usize;
    while let Some(digit) = bytes.get(*i).filter(|b| b.is_ascii_digit()) {
        n = n.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
        *i += 1;
    }
    n
}

/// Formats values by the pieces of a format string.
pub fn format(pieces: &[Piece], args: &[(Ty, Value)], names: &dyn Names) -> String {
    let mut out = String::new();
    let mut args = args.iter();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Directive(directive) => {
                if let Some((ty, value)) = args.next() {
                    one(&mut out, directive, ty, value, names);
                }
            }
        }
    }
    out
}

fn one(out: &mut String, d: &Directive, ty: &Ty, value: &Value, names: &dyn Names) {
    match (d.conversion, bits(value)) {
        ('d' | 'i', Some((negative, magnitude))) => signed(out, d, negative, magnitude),
        ('u', Some((negative, magnitude))) => integer(out, d, "", &twos_complement(negative, magnitude).to_string()),
        ('o', Some((negative, magnitude))) => {
            integer(out, d, "", &format!("{:o}", twos_complement(negative, magnitude)))
        }
        ('x', Some((negative, magnitude))) => {
            let prefix = if d.alternate { "0x" } else { "" };
            integer(out, d, prefix, &format!("{:x}", twos_complement(negative, magnitude)));
        }
        ('X', Some((negative, magnitude))) => {
            let prefix = if d.alternate { "0X" } else { "" };
            integer(out, d, prefix, &format!("{:X}", twos_complement(negative, magnitude)));
        }
        ('p', Some((negative, magnitude))) => {
            integer(out, d, "0x", &format!("{:x}", twos_complement(negative, magnitude)));
        }
        ('c', Some((negative, magnitude))) => {
            let byte = (twos_complement(negative, magnitude) & 0xff) as u8;
            pad(out, d, &text::readable(&[byte]));
        }
        ('r', _) => pad(out, d, &buffer(d, value)),
        _ => {
            let shown = text::text(ty, value, names);
            let cut = d.precision.map_or(shown.len(), |max| floor_char(&shown, max));
            pad(out, d, &shown[..cut]);
        }
    }
}

/// The bytes of a buffer: `\xNN`, or with `%rx` and `%rh` two digits and a space each.
fn buffer(d: &Directive, value: &Value) -> String {
    let bytes = value.as_bytes().unwrap_or_default();
    if !d.hex_buffer {
        return text::readable(bytes).into_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn bits(value: &Value) -> Option<(bool, u64)> {
    match value {
        Value::Int(n) | Value::Duration(n) | Value::Time(n) => Some((*n < 0, n.unsigned_abs())),
        Value::Uint(n) => Some((false, *n)),
        Value::Bool(b) => Some((false, u64::from(*b))),
        _ => None,
    }
}

fn twos_complement(negative: bool, magnitude: u64) -> u64 {
    if negative { magnitude.wrapping_neg() } else { magnitude }
}

fn signed(out: &mut String, d: &Directive, negative: bool, magnitude: u64) {
    let sign = match (negative, d.plus, d.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    integer(out, d, sign, &magnitude.to_string());
}

fn integer(out: &mut String, d: &Directive, prefix: &str, digits: &str) {
    let digits = match d.precision {
        Some(least) => format!("{digits:0>least$}"),
        None => digits.to_owned(),
    };
    if d.zero && !d.left && d.precision.is_none() {
        let room = d.width.saturating_sub(prefix.len());
        let _ = write!(out, "{prefix}{digits:0>room$}");
    } else {
        pad(out, d, &format!("{prefix}{digits}"));
    }
}

fn pad(out: &mut String, d: &Directive, text: &str) {
    let width = d.width;
    let _ = if d.left { write!(out, "{text:<width$}") } else { write!(out, "{text:>width$}") };
}

/// The largest character boundary that is not past `max`.
fn floor_char(text: &str, max: usize) -> usize {
    (0..=max.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::text::NoNames;
    use super::*;
    use reel_lang::ty::IntTy;

    fn check(format_text: &str, args: &[Value], expect: &str) {
        let args: Vec<(Ty, Value)> = args.iter().map(|value| (Ty::Int(IntTy::I64), value.clone())).collect();
        assert_eq!(format(&parse(format_text), &args, &NoNames), expect, "{format_text}");
    }

    #[test]
    fn integers() {
        check("%d|%5d|%-5d|%05d|%+d|% d", &[7, -7, 7, -7, 7, 7].map(Value::Int), "7|   -7|7    |-0007|+7| 7");
        check("%x %#x %X %o %lx", &[255, 255, 255, 8, 16].map(Value::Int), "ff 0xff FF 10 10");
        check("%u %d", &[Value::Int(-1), Value::Uint(u64::MAX)], "18446744073709551615 18446744073709551615");
        check("%.3d %8.3d %lld", &[5, 5, 5].map(Value::Int), "005      005 5");
    }

    #[test]
    fn text_and_characters() {
        check("[%s] [%5s] [%-5s] [%.2s]", &["ab", "ab", "ab", "abc"].map(Value::from), "[ab] [   ab] [ab   ] [ab]");
        check("%c%c", &[Value::Int(104), Value::Int(105)], "hi");
        check("%p", &[Value::Int(4096)], "0x1000");
        check("%r %rx", &[Value::text([1, b'a']), Value::text([1, 2])], "\\x01a 01 02");
    }

    #[test]
    fn what_is_no_directive_is_text() {
        check("100%% %z %", &[], "100% %z %");
        check("%d %d", &[Value::Int(1)], "1 ");
    }

    #[test]
    fn a_width_is_bounded() {
        let wide = format(&parse("%99999999999999999999d"), &[(Ty::Int(IntTy::I64), Value::Int(1))], &NoNames);
        assert_eq!(wide.len(), MAX_WIDTH);
    }
}

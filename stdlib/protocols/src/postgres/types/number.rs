//! Numbers: their text is the value, and the binary formats are turned into it.

use reel_lang::value::Value;

use super::super::wire::put_count;
use crate::reader::Reader;

/// Digits of ten thousand that a `numeric` may have (`NUMERIC_WEIGHT_MAX` of the server, and its scale).
const GROUPS_MAX: usize = 40_000;

/// A number of its digits; NaN and the infinities stay text.
pub(super) fn of_text(text: &str) -> Option<Value> {
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return Some(Value::Int(number));
    }
    Some(if is_number(text) { Value::Decimal(text.into()) } else { Value::text(text) })
}

/// Whether a text is a number by JSON's grammar (RFC 8259 section 6), which is what a decimal value holds.
fn is_number(text: &str) -> bool {
    let mut reader = Reader::at(text.as_bytes(), 0);
    let is_digit = |byte: u8| byte.is_ascii_digit();
    reader.eat(b'-');
    let whole = reader.take_while(is_digit);
    let whole_ok = matches!(whole, [b'0'] | [b'1'..=b'9', ..]);
    let fraction_ok = !reader.eat(b'.') || !reader.take_while(is_digit).is_empty();
    let has_exponent = reader.eat(b'e');
    let exponent_ok = !has_exponent || {
        let _ = reader.eat(b'+') || reader.eat(b'-');
        !reader.take_while(is_digit).is_empty()
    };
    whole_ok && fraction_ok && exponent_ok && reader.rest().is_empty()
}

/// The text of a `float8` (`float8out` with the shortest digits that read the same).
pub(super) fn float8(number: f64) -> String {
    if number.is_finite() { shortest(&format!("{number:e}"), 15) } else { special(number) }
}

/// The text of a `float4`.
pub(super) fn float4(number: f32) -> String {
    if number.is_finite() { shortest(&format!("{number:e}"), 6) } else { special(f64::from(number)) }
}

fn special(number: f64) -> String {
    match (number.is_nan(), number > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    }
    .to_owned()
}

/// Writes `d.ddde±x` as the server does: plainly from 1e-4 up to `whole` digits.
fn shortest(scientific: &str, whole: i32) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    if !(-4..whole).contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{direction}{:02}", exponent.unsigned_abs());
    }
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs().saturating_sub(1) as usize);
        return format!("{sign}0.{zeros}{digits}");
    }
    let point = exponent.unsigned_abs().saturating_add(1) as usize;
    match digits.split_at_checked(point) {
        Some((front, "")) => format!("{sign}{front}"),
        Some((front, back)) => format!("{sign}{front}.{back}"),
        None => format!("{sign}{digits}{}", "0".repeat(point.saturating_sub(digits.len()))),
    }
}

/// Reads the digits of a float.
pub(super) fn parse_float<T: std::str::FromStr>(text: &str) -> Option<T> {
    match text {
        "Infinity" => "inf".parse().ok(),
        "-Infinity" => "-inf".parse().ok(),
        _ => text.parse().ok(),
    }
}

/// The signs of a `numeric` (`numeric.c`).
mod sign {
    pub(super) const PLUS: u16 = 0;
    pub(super) const MINUS: u16 = 0x4000;
    pub(super) const NAN: u16 = 0xc000;
    pub(super) const INFINITY: u16 = 0xd000;
    pub(super) const MINUS_INFINITY: u16 = 0xf000;
}

/// The text of a `numeric`: groups of four digits, the weight of the first, a sign and the number of decimals.
pub(super) fn from_numeric(bytes: &[u8]) -> Option<String> {
    let mut reader = Reader::at(bytes, 0);
    let count = reader.be_u16()?;
    let weight = i32::from(reader.be_u16()?.cast_signed());
    let sign = reader.be_u16()?;
    let scale = usize::from(reader.be_u16()?);
    let mut groups = Vec::new();
    for _ in 0..count {
        groups.push(reader.be_u16().filter(|group| *group < 10_000)?);
    }
    match sign {
        sign::NAN => return Some("NaN".to_owned()),
        sign::INFINITY => return Some("Infinity".to_owned()),
        sign::MINUS_INFINITY => return Some("-Infinity".to_owned()),
        sign::PLUS | sign::MINUS => {}
        _ => return None,
    }
    let group = |place: i32| {
        let index = weight.checked_sub(place).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let mut whole = String::new();
    for place in (0..=weight).rev() {
        whole.push_str(&format!("{:04}", group(place)));
    }
    let whole = whole.trim_start_matches('0');
    let mut text = if sign == sign::MINUS { "-".to_owned() } else { String::new() };
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let mut fraction = String::new();
        let mut place = -1;
        while fraction.len() < scale {
            fraction.push_str(&format!("{:04}", group(place)));
            place = place.saturating_sub(1);
        }
        text.push('.');
        text.push_str(fraction.get(..scale)?);
    }
    Some(text)
}

/// The binary form of a `numeric`.
pub(super) fn to_numeric(text: &str) -> Option<Vec<u8>> {
    // The server writes a bit of its sign into the scale of an infinity.
    let special = |sign: u16, scale: u16| Some([[0; 4].as_slice(), &sign.to_be_bytes(), &scale.to_be_bytes()].concat());
    match text {
        "NaN" => return special(sign::NAN, 0),
        "Infinity" => return special(sign::INFINITY, 0x20),
        "-Infinity" => return special(sign::MINUS_INFINITY, 0x20),
        _ => {}
    }
    let (sign, digits) = text.strip_prefix('-').map_or((sign::PLUS, text), |rest| (sign::MINUS, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || ![whole, fraction].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let front = whole.len().next_multiple_of(4).saturating_sub(whole.len());
    let back = fraction.len().next_multiple_of(4).saturating_sub(fraction.len());
    let padded = format!("{}{whole}{fraction}{}", "0".repeat(front), "0".repeat(back));
    let groups: Vec<u16> = padded
        .as_bytes()
        .chunks(4)
        .map(|group| std::str::from_utf8(group).ok()?.parse().ok())
        .collect::<Option<_>>()?;
    if groups.len() > GROUPS_MAX {
        return None;
    }
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let significant = groups.get(leading..)?;
    let trailing = significant.iter().rev().take_while(|group| **group == 0).count();
    let significant = significant.get(..significant.len().saturating_sub(trailing))?;
    let wholes = i16::try_from(whole.len().div_ceil(4)).ok()?;
    let weight = match significant {
        [] => 0,
        _ => wholes.checked_sub(1)?.checked_sub(i16::try_from(leading).ok()?)?,
    };
    let mut out = Vec::new();
    put_count(&mut out, significant.len());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    put_count(&mut out, fraction.len());
    significant.iter().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
    Some(out)
}

//! Intervals: months, days and microseconds, and the text that the server writes in its own style (`EncodeInterval`).

// Numbers come from 32 and 64 bits, and are computed with in 128: none can overflow.
#![allow(clippy::arithmetic_side_effects)]

use super::datetime::{parse_time, time_text};
use crate::reader::Reader;

pub(super) fn from_binary(bytes: &[u8]) -> Option<String> {
    let mut reader = Reader::at(bytes, 0);
    let us = i128::from(reader.be_u64()?.cast_signed());
    let days = i128::from(reader.be_u32()?.cast_signed());
    let months = i128::from(reader.be_u32()?.cast_signed());
    if !reader.rest().is_empty() {
        return None;
    }
    let mut text = String::new();
    let mut is_before = false;
    for (value, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if value == 0 {
            continue;
        }
        let space = if text.is_empty() { "" } else { " " };
        let sign = if is_before && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        text.push_str(&format!("{space}{sign}{value} {unit}{plural}"));
        is_before = value < 0;
    }
    if text.is_empty() || us != 0 {
        let space = if text.is_empty() { "" } else { " " };
        let sign = match (us < 0, is_before) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        text.push_str(&format!("{space}{sign}{}", time_text(us.abs())));
    }
    Some(text)
}

pub(super) fn to_binary(text: &str) -> Option<Vec<u8>> {
    let (mut months, mut days, mut us) = (0_i128, 0_i128, 0_i128);
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        if word.contains(':') {
            let (sign, time) = match word.as_bytes().first()? {
                b'-' => (-1, word.get(1..)?),
                b'+' => (1, word.get(1..)?),
                _ => (1, word),
            };
            us = sign * parse_time(time)?;
            words.peek().is_none().then_some(())?;
            continue;
        }
        let value = i128::from(word.parse::<i32>().ok()?);
        match words.next()?.trim_end_matches('s') {
            "year" => months += value * 12,
            "mon" => months += value,
            "day" => days = value,
            _ => return None,
        }
    }
    let (us, days, months) = (i64::try_from(us).ok()?, i32::try_from(days).ok()?, i32::try_from(months).ok()?);
    Some([us.to_be_bytes().as_slice(), &days.to_be_bytes(), &months.to_be_bytes()].concat())
}

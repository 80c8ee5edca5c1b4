//! Dates and times: binary numbers since the year 2000, and the text that the server writes in its ISO style.
//!
//! A `timestamptz` is an instant. In the binary format it has no zone; its text here is in UTC, and any text with an offset reads as
//! the same instant.

// Numbers come from 32 and 64 bits, and are computed with in 128: none can overflow.
#![allow(clippy::arithmetic_side_effects)]

use crate::reader::Reader;

const DAY_US: i128 = 86_400_000_000;
/// From the year 0 of the proleptic calendar's March to 2000-01-01.
const EPOCH_DAYS: i128 = 730_425;
/// The offset of a zone is shorter than this (`MAX_TZDISP_HOUR` of the server, and more).
const OFFSET_S_MAX: i128 = 64 * 3600;

pub(super) fn date(bytes: &[u8]) -> Option<String> {
    let days = i32::from_be_bytes(bytes.try_into().ok()?);
    Some(match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => {
            let (date, suffix) = date_text(days.into());
            format!("{date}{suffix}")
        }
    })
}

pub(super) fn date_bytes(text: &str) -> Option<Vec<u8>> {
    let days = match text {
        "infinity" => i32::MAX,
        "-infinity" => i32::MIN,
        text => {
            let (text, is_bc) = text.strip_suffix(" BC").map_or((text, false), |text| (text, true));
            i32::try_from(parse_date(text, is_bc)?).ok()?
        }
    };
    Some(days.to_be_bytes().to_vec())
}

pub(super) fn time(bytes: &[u8]) -> Option<String> {
    Some(time_text(i64::from_be_bytes(bytes.try_into().ok()?).into()))
}

pub(super) fn time_bytes(text: &str) -> Option<Vec<u8>> {
    Some(i64::try_from(parse_time(text)?).ok()?.to_be_bytes().to_vec())
}

pub(super) fn timetz(bytes: &[u8]) -> Option<String> {
    let (us, west) = bytes.split_at_checked(8)?;
    let (us, west) = (i64::from_be_bytes(us.try_into().ok()?), i32::from_be_bytes(west.try_into().ok()?));
    Some(time_text(us.into()) + &offset_text(-i128::from(west)))
}

pub(super) fn timetz_bytes(text: &str) -> Option<Vec<u8>> {
    let (time, east_s) = split_offset(text)?;
    let us = i64::try_from(parse_time(time)?).ok()?;
    let west_s = i32::try_from(-east_s).ok()?;
    Some([us.to_be_bytes().as_slice(), &west_s.to_be_bytes()].concat())
}

pub(super) fn timestamp(bytes: &[u8]) -> Option<String> {
    instant(bytes, "")
}

pub(super) fn timestamptz(bytes: &[u8]) -> Option<String> {
    instant(bytes, "+00")
}

fn instant(bytes: &[u8], zone: &str) -> Option<String> {
    let us = i64::from_be_bytes(bytes.try_into().ok()?);
    Some(match us {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        us => {
            let (days, of_day) = (i128::from(us).div_euclid(DAY_US), i128::from(us).rem_euclid(DAY_US));
            let (date, suffix) = date_text(days);
            format!("{date} {}{zone}{suffix}", time_text(of_day))
        }
    })
}

pub(super) fn timestamp_bytes(text: &str) -> Option<Vec<u8>> {
    instant_bytes(text, |time| Some((time, 0)))
}

pub(super) fn timestamptz_bytes(text: &str) -> Option<Vec<u8>> {
    instant_bytes(text, split_offset)
}

fn instant_bytes(text: &str, zone: impl Fn(&str) -> Option<(&str, i128)>) -> Option<Vec<u8>> {
    let us = match text {
        "infinity" => i64::MAX,
        "-infinity" => i64::MIN,
        text => {
            let (text, is_bc) = text.strip_suffix(" BC").map_or((text, false), |text| (text, true));
            let (date, time) = text.split_once(' ')?;
            let (time, east_s) = zone(time)?;
            let us = parse_date(date, is_bc)? * DAY_US + parse_time(time)? - east_s * 1_000_000;
            i64::try_from(us).ok()?
        }
    };
    Some(us.to_be_bytes().to_vec())
}

/// The date of a day, counted from 2000-01-01, and what marks the years before Christ. (Howard Hinnant's `civil_from_days`.)
fn date_text(days: i128) -> (String, &'static str) {
    let z = days + EPOCH_DAYS;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i128::from(month <= 2);
    let (year, suffix) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), suffix)
}

fn parse_date(text: &str, is_bc: bool) -> Option<i128> {
    let mut parts = text.split('-');
    let mut part = |len: usize| {
        let part = parts.next().filter(|part| part.len() >= len && part.len() <= 7)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i128>().ok())?
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if is_bc { 1 - year } else { year };
    let y = if month <= 2 { year - 1 } else { year };
    let (era, yoe) = (y.div_euclid(400), y.rem_euclid(400));
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let doy = (153 * mp + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    Some(era * 146_097 + doe - EPOCH_DAYS)
}

/// `HH:MM:SS`, and as many decimals as there are.
pub(super) fn time_text(us: i128) -> String {
    let (s, us) = (us / 1_000_000, us % 1_000_000);
    let whole = format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    match us {
        0 => whole,
        us => format!("{whole}.{us:06}").trim_end_matches('0').to_owned(),
    }
}

pub(super) fn parse_time(text: &str) -> Option<i128> {
    let mut reader = Reader::at(text.as_bytes(), 0);
    let hours = number(&mut reader, 2)?;
    let mut parts = [0; 2];
    for part in &mut parts {
        if !reader.eat(b':') {
            return None;
        }
        *part = number(&mut reader, 2).filter(|part| *part < 60)?;
    }
    let mut us = 0;
    if reader.eat(b'.') {
        let digits = std::str::from_utf8(reader.rest()).ok()?;
        if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        us = format!("{digits:0<6}").parse().ok()?;
        reader.take(digits.len())?;
    }
    let [minutes, seconds] = parts;
    reader.rest().is_empty().then_some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + us)
}

/// A number of at least so many digits.
fn number(reader: &mut Reader<'_>, len_min: usize) -> Option<i128> {
    let digits = reader.take_while(|byte| byte.is_ascii_digit());
    if digits.len() < len_min || digits.len() > 12 {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `+01`, `-03:30`, `+00:19:32`.
fn offset_text(east_s: i128) -> String {
    let sign = if east_s < 0 { '-' } else { '+' };
    let s = east_s.abs();
    let mut text = format!("{sign}{:02}", s / 3600);
    if s % 3600 != 0 {
        text.push_str(&format!(":{:02}", s / 60 % 60));
    }
    if s % 60 != 0 {
        text.push_str(&format!(":{:02}", s % 60));
    }
    text
}

/// Takes the offset off the end of a time.
fn split_offset(text: &str) -> Option<(&str, i128)> {
    let at = text.rfind(['+', '-'])?;
    let (time, offset) = text.split_at_checked(at)?;
    let is_west = offset.starts_with('-');
    let mut s = 0;
    let mut unit = 3600;
    for part in offset.get(1..)?.split(':') {
        if part.len() != 2 || unit == 0 {
            return None;
        }
        s += part.parse::<u8>().ok().map(i128::from)? * unit;
        unit /= 60;
    }
    (s < OFFSET_S_MAX).then_some((time, if is_west { -s } else { s }))
}

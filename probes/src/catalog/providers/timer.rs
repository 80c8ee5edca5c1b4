//! `interval` runs on one CPU every so often; `profile` on every CPU, in whatever runs there.
//!
//! Examples: `interval:s:1 { print(@); clear(@); }`, `profile:hz:99 { @[kstack] = count(); }`,
//! also `interval:5s`. An interval is a timer of reel's that runs the program (Linux 5.10); a
//! profile hangs on each CPU's software clock (Linux 4.9).

use std::time::Duration;

use reel_lang::env::{AttachError, AttachPoint, ProbeKind};

use super::{Provider, list_all, malformed, point};

pub(super) const INTERVAL: Provider = Provider {
    names: &["interval", "i"],
    form: "`interval:s:1`, with the unit hz, s, ms, us or ns",
    attach: |parts| timer(ProbeKind::Interval, "interval", parts),
    list: |pattern, each| Ok(list_all("interval", pattern, LISTED, &Vec::new, each)),
};

pub(super) const PROFILE: Provider = Provider {
    names: &["profile", "p"],
    form: "`profile:hz:99`, with the unit hz, s, ms, us or ns",
    attach: |parts| timer(ProbeKind::Profile, "profile", parts),
    list: |pattern, each| Ok(list_all("profile", pattern, LISTED, &Vec::new, each)),
};

/// One of each unit, for a list: any number is as good.
const LISTED: [&str; 5] = ["hz:99", "s:1", "ms:1", "us:100", "ns:100000"];

/// The shortest period that is accepted, and the longest (a year).
const MIN: Duration = Duration::from_micros(1);
const MAX: Duration = Duration::from_secs(365 * 24 * 3600);

fn timer(kind: ProbeKind, word: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    let (unit, count) = match parts {
        [unit, count] => (unit.as_str(), count.as_str()),
        [joined] => match joined.find(|c: char| !c.is_ascii_digit()) {
            Some(at) if at > 0 => (&joined[at..], &joined[..at]),
            _ => return malformed(),
        },
        _ => return malformed(),
    };
    if !every(unit, count).is_some_and(|period| (MIN..=MAX).contains(&period)) {
        return malformed();
    }
    let name = format!("{word}:{unit}:{count}");
    Ok(vec![point(kind, name, vec![unit.to_string(), count.to_string()], Vec::new())])
}

fn every(unit: &str, count: &str) -> Option<Duration> {
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    match unit {
        "hz" => Some(Duration::from_nanos(1_000_000_000 / count)),
        "s" => Some(Duration::from_secs(count)),
        "ms" => Some(Duration::from_millis(count)),
        "us" => Some(Duration::from_micros(count)),
        "ns" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Returns the time between two runs of an `interval` or `profile` point; none for other kinds.
#[must_use]
pub fn period(point: &AttachPoint) -> Option<Duration> {
    match (point.kind, point.target.as_slice()) {
        (ProbeKind::Interval | ProbeKind::Profile, [unit, count]) => every(unit, count),
        _ => None,
    }
}

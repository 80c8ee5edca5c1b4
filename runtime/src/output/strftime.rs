//! The time of day in a format of strftime(3), in the local time zone.

use jiff::{Timestamp, Zoned, fmt::strtime};

/// Now. A format that is not understood is given as it is, so that the script's author sees it.
pub fn now(format: &str) -> String {
    render(format, &Zoned::now())
}

/// A time in nanoseconds since the epoch.
pub fn at(format: &str, unix_ns: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(unix_ns)) {
        Ok(time) => render(format, &time.to_zoned(jiff::tz::TimeZone::system())),
        Err(_) => unix_ns.to_string(),
    }
}

/// A time in nanoseconds of the monotonic clock, which is what `nsecs` gives.
pub fn since_boot(format: &str, monotonic_ns: i64) -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now_ns = now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec);
    let unix_ns = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
    at(format, unix_ns.saturating_sub(now_ns).saturating_add(monotonic_ns))
}

/// A time in nanoseconds of a day that is not known.
pub fn since_midnight(format: &str, ns: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(time) => render(format, &time.to_zoned(jiff::tz::TimeZone::UTC)),
        Err(_) => ns.to_string(),
    }
}

fn render(format: &str, time: &Zoned) -> String {
    strtime::format(format, time).unwrap_or_else(|_| format.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_formatted_and_a_bad_format_is_shown() {
        assert_eq!(at("%Y", 0).len(), 4);
        assert_eq!(now("%"), "%");
        assert_eq!(since_midnight("%H:%M:%S.%3f", 61_500_000_000), "00:01:01.500");
    }
}

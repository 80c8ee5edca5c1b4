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
    }
}

//! Numbers by their exact decimal value: `1`, `1.0` and `10e-1` are one number, and 64-bit ids never lose a digit.

use std::cmp::Ordering;

use reel_lang::hir::Tolerance;
use reel_lang::value::Value;

/// The digits of a number, in the one form that equal numbers share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    /// Without leading and trailing zeros; empty for zero.
    digits: String,
    /// The power of ten of the last digit; 0 for zero.
    exponent: i64,
}

impl Number {
    /// The number that a value is; none for any other kind.
    pub fn of(value: &Value) -> Option<Number> {
        match value {
            Value::Int(n) | Value::Duration(n) | Value::Time(n) => Some(Number::parse(&n.to_string())),
            Value::Uint(n) => Some(Number::parse(&n.to_string())),
            Value::Decimal(digits) => Some(Number::parse(digits)),
            _ => None,
        }
    }

    /// Reads digits of JSON's grammar.
    fn parse(text: &str) -> Number {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().unwrap_or(i64::MAX / 2)),
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: String = whole.chars().chain(fraction.chars()).filter(char::is_ascii_digit).collect();
        let digits = digits.trim_start_matches('0');
        let short = digits.trim_end_matches('0');
        let zeros = digits.len() - short.len();
        if short.is_empty() {
            return Number { negative: false, digits: String::new(), exponent: 0 };
        }
        let exponent = exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros as i64);
        Number { negative, digits: short.to_owned(), exponent }
    }

    /// The number as a multiple of a power of ten, where that fits.
    fn scaled(&self, exponent: i64) -> Option<i128> {
        let shift = u32::try_from(self.exponent.checked_sub(exponent)?).ok()?;
        let digits: i128 = if self.digits.is_empty() { 0 } else { self.digits.parse().ok()? };
        let scaled = digits.checked_mul(10i128.checked_pow(shift)?)?;
        Some(if self.negative { -scaled } else { scaled })
    }

    fn approximate(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        format!("{sign}{digits}e{}", self.exponent).parse().unwrap_or(f64::NAN)
    }
}

/// Whether a replayed number is close enough to the recorded one. Exact where the digits allow it.
pub fn is_within(recorded: &Number, replayed: &Number, tolerance: Tolerance) -> bool {
    let (share, limit) = match tolerance {
        Tolerance::Absolute(limit) => (false, limit),
        Tolerance::Relative(limit) => (true, limit),
    };
    // The shortest digits that give this float are the ones that the author wrote.
    let limit_digits = Number::parse(&format!("{}", limit.abs()));
    let exact = || {
        let low = recorded.exponent.min(replayed.exponent).min(limit_digits.exponent);
        let (a, b) = (recorded.scaled(low)?, replayed.scaled(low)?);
        let distance = a.checked_sub(b)?.checked_abs()?;
        let limit = limit_digits.scaled(low)?;
        if !share {
            return Some(distance.cmp(&limit));
        }
        // distance <= |recorded| * limit, with limit scaled by 10^low.
        let unit = 10i128.checked_pow(u32::try_from(low.checked_neg()?.max(0)).ok()?)?;
        Some(distance.checked_mul(unit)?.cmp(&a.checked_abs()?.checked_mul(limit)?))
    };
    let order = exact().or_else(|| {
        let (a, b) = (recorded.approximate(), replayed.approximate());
        let limit = if share { a.abs() * limit } else { limit };
        (a - b).abs().partial_cmp(&limit)
    });
    order.is_some_and(|order| order != Ordering::Greater)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text)
    }

    #[test]
    fn equal_numbers_have_one_form() {
        for (a, b, equal) in [
            ("1", "1.0", true),
            ("10e-1", "1", true),
            ("-0", "0.00", true),
            ("100", "1e2", true),
            ("9007199254740993", "9007199254740992", false),
            ("0.1", "0.10000000000000001", false),
            ("1e400", "1e401", false),
            ("-1", "1", false),
        ] {
            assert_eq!(number(a) == number(b), equal, "{a} {b}");
        }
    }

    #[test]
    fn tolerances_are_exact() {
        let absolute = |a, b, limit| is_within(&number(a), &number(b), Tolerance::Absolute(limit));
        assert!(absolute("1.10", "1.11", 0.01));
        assert!(!absolute("1.10", "1.110001", 0.01));
        assert!(absolute("9007199254740993", "9007199254740992", 1.0));
        assert!(!absolute("9007199254740994", "9007199254740992", 1.0));
        assert!(absolute("1e300", "1e300", 0.0) && !absolute("1e300", "2e300", 1.0));
        let relative = |a, b| is_within(&number(a), &number(b), Tolerance::Relative(0.01));
        assert!(relative("200", "202") && relative("-200", "-198"));
        assert!(!relative("200", "202.1") && !relative("0", "0.1"));
        assert!(relative("0.002", "0.00202") && !relative("0.002", "0.00203"));
    }
}

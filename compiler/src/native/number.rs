//! Numbers by exact decimal value: `1 == 1.0`, and a 64-bit id never meets a float.
//!
//! Durations and times count as their nanoseconds, since they mix with integers in the language. A decimal has JSON's
//! grammar (RFC 8259 section 6); text that does not is no number.

use std::cmp::Ordering;

use reel_lang::value::Value;

use super::View;

/// Exponents are cut here, far outside of what 64-bit lengths of digits can make up for.
const MAX_EXPONENT: i64 = 1 << 40;

/// Compares two values as numbers; `None` where one is none.
pub fn compare(left: View<'_>, right: View<'_>) -> Option<Ordering> {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => Some(Exact::of(left)?.cmp(&Exact::of(right)?)),
    }
}

/// The integer of a value that is one by its kind.
pub fn integer(view: View<'_>) -> Option<i128> {
    match view {
        View::Int(number) | View::Duration(number) | View::Time(number) => Some(i128::from(number)),
        View::Uint(number) => Some(i128::from(number)),
        _ => None,
    }
}

/// The 64 bits of a number: a decimal is cut towards zero, a bool is 0 or 1; `None` for anything else and for a number that
/// fits neither `i64` nor `u64`.
pub fn bits(view: View<'_>) -> Option<i64> {
    let number = match view {
        View::Bool(truth) => i128::from(truth),
        _ => match integer(view) {
            Some(number) => number,
            None => Exact::of(view)?.truncate()?,
        },
    };
    i64::try_from(number).ok().or_else(|| u64::try_from(number).ok().map(u64::cast_signed))
}

/// A number as `0.DIGITS * 10^exponent`, without zeros at either end of the digits; zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Exact {
    pub negative: bool,
    pub exponent: i64,
    pub digits: Vec<u8>,
}

impl Exact {
    /// The exact number of a value.
    pub fn of(view: View<'_>) -> Option<Self> {
        match view {
            View::Value(Value::Decimal(text)) => Exact::parse(text),
            _ => Exact::parse(&integer(view)?.to_string()),
        }
    }

    /// Reads JSON's grammar of numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (rest.get(..at)?, power(rest.get(at + 1..)?)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || mantissa.ends_with('.') {
            return None;
        }
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let zeros = digits.iter().take_while(|d| **d == b'0').count();
        let end = digits.iter().rposition(|d| *d != b'0').map_or(zeros, |last| last + 1);
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()?;
        let digits = digits.get(zeros..end)?.to_vec();
        let zero = digits.is_empty();
        let exponent = if zero { 0 } else { point + exponent };
        Some(Exact { negative: negative && !zero, exponent, digits })
    }

    /// The whole part; `None` where it has more than 20 digits.
    fn truncate(&self) -> Option<i128> {
        let len = usize::try_from(self.exponent.max(0)).ok()?;
        if self.digits.is_empty() || len == 0 {
            return Some(0);
        }
        if len > 20 {
            return None;
        }
        let digits = self.digits.iter().copied().chain(std::iter::repeat(b'0')).take(len);
        let number = digits.fold(0i128, |number, digit| number * 10 + i128::from(digit - b'0'));
        Some(if self.negative { -number } else { number })
    }
}

fn power(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().map_or(MAX_EXPONENT, |power: i64| power.min(MAX_EXPONENT));
    Some(sign * size)
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Exact| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits));
        match sign(self).cmp(&sign(other)) {
            Ordering::Equal if sign(self) == 0 => Ordering::Equal,
            Ordering::Equal if self.negative => size().reverse(),
            Ordering::Equal => size(),
            unequal => unequal,
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Value {
        Value::Decimal(text.into())
    }

    #[test]
    fn decimals_compare_by_value() {
        let check = |left: &str, right: &str, expect: Ordering| {
            let (left, right) = (decimal(left), decimal(right));
            assert_eq!(compare(View::of(&left), View::of(&right)), Some(expect), "{left:?} {right:?}");
            assert_eq!(compare(View::of(&right), View::of(&left)), Some(expect.reverse()), "{right:?} {left:?}");
        };
        check("1", "1.0", Ordering::Equal);
        check("100", "1e2", Ordering::Equal);
        check("0.001", "1E-3", Ordering::Equal);
        check("-0", "0", Ordering::Equal);
        check("0e99", "0", Ordering::Equal);
        check("0.1", "0.10000000000000000001", Ordering::Less);
        check("-0.5", "-0.25", Ordering::Less);
        check("-1", "1", Ordering::Less);
        check("9", "10", Ordering::Less);
        check("1e999999999999999999999", "2", Ordering::Greater);
        check("1e-999999999999999999999", "0", Ordering::Greater);
        check("12.5", "12.45", Ordering::Greater);
    }

    #[test]
    fn a_large_id_is_exact() {
        let id = decimal("9007199254740993.0");
        assert_eq!(compare(View::Int(9_007_199_254_740_993), View::of(&id)), Some(Ordering::Equal));
        assert_eq!(compare(View::Int(9_007_199_254_740_992), View::of(&id)), Some(Ordering::Less));
        assert_eq!(compare(View::Uint(u64::MAX), View::Int(-1)), Some(Ordering::Greater));
    }

    #[test]
    fn bits_are_cut_towards_zero() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(bits(View::of(&decimal(text))), expect, "{text}");
        check("1.9", Some(1));
        check("-1.9", Some(-1));
        check("0.9", Some(0));
        check("1e3", Some(1000));
        check("18446744073709551615", Some(-1));
        check("18446744073709551616", None);
        check("-9223372036854775808", Some(i64::MIN));
        check("-9223372036854775809", None);
        check("1e30", None);
        check("x", None);
        check("1.", None);
        check(".5", None);
        check("1e", None);
    }
}

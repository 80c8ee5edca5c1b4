//! Which values are told from all others by themselves: made up by a program, long, and met again only by whoever was given them.
//!
//! A number, a word or a date that two messages share says nothing: anybody may have come to it. An identifier that a program made says
//! where it came from. The limits below are about texts alone; where a value was met first is another question (`record::flows`).

use reel_lang::value::Value;

use crate::matching::is_clock_reading;

/// A shorter value never links.
pub const MIN_LEN_BYTES: usize = 8;
/// A longer one neither: a document is no identifier.
pub const MAX_LEN_BYTES: usize = 8 << 10;
/// From here on it takes less variety.
const LONG_LEN_BYTES: usize = 16;
/// How often a shorter value must change between capitals, small letters and digits: `k3Jx9QzT`, but not `order-1001`.
const MIN_CHANGES_SHORT: usize = 4;
/// The same for a long one, which must also change once in [`CHANGES_EACH_LEN_BYTES`].
const MIN_CHANGES_LONG: usize = 3;
const CHANGES_EACH_LEN_BYTES: usize = 8;
/// A number alone has so many digits: fewer are an amount, a telephone number or a clock in milliseconds.
pub const MIN_DIGITS: usize = 15;
/// How a round number ends.
const ROUND: &[u8] = b"000000";
/// How many different characters a value has at least.
const MIN_DISTINCT: usize = 6;
/// Letters alone are a name, unless so often a small letter stands alone among capitals, or capitals stand together.
const MIN_ODD_RUNS: usize = 3;

/// What a character is, where that changes often in what a program made up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Capital,
    Small,
    Digit,
}

/// Whether nobody but a program comes to this value, and not twice.
pub fn is_made(value: &[u8]) -> bool {
    if !(MIN_LEN_BYTES..=MAX_LEN_BYTES).contains(&value.len()) || !value.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    let mut seen = [false; 128];
    value.iter().for_each(|byte| seen[usize::from(*byte & 0x7f)] = true);
    if seen.iter().filter(|seen| **seen).count() < MIN_DISTINCT {
        return false;
    }
    if value.iter().all(u8::is_ascii_digit) {
        return value.len() >= MIN_DIGITS && !value.ends_with(ROUND);
    }
    let runs = runs(value);
    if !runs.iter().any(|(class, _)| *class == Class::Digit) {
        return value.len() >= LONG_LEN_BYTES && odd(&runs) >= MIN_ODD_RUNS;
    }
    let changes = runs.len().saturating_sub(1);
    let wanted = match value.len() {
        ..LONG_LEN_BYTES => MIN_CHANGES_SHORT,
        len => MIN_CHANGES_LONG.max(len / CHANGES_EACH_LEN_BYTES),
    };
    changes >= wanted && !is_clock_reading(&Value::text(value))
}

/// The runs of one class, and how long each is; what is neither letter nor digit is passed over.
fn runs(value: &[u8]) -> Vec<(Class, usize)> {
    let mut runs: Vec<(Class, usize)> = Vec::new();
    for byte in value {
        let class = match byte {
            b'A'..=b'Z' => Class::Capital,
            b'a'..=b'z' => Class::Small,
            b'0'..=b'9' => Class::Digit,
            _ => continue,
        };
        match runs.last_mut() {
            Some((last, len)) if *last == class => *len += 1,
            _ => runs.push((class, 1)),
        }
    }
    runs
}

/// How many runs are such as no name has: a small letter alone between capitals, or capitals together.
fn odd(runs: &[(Class, usize)]) -> usize {
    let is_odd = |(class, len): &&(Class, usize)| match class {
        Class::Small => *len == 1,
        Class::Capital => *len > 1,
        Class::Digit => false,
    };
    runs.iter().filter(is_odd).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_made_is_told_from_words_numbers_and_dates() {
        for value in [
            "6fa459ea-ee8a-3ca4-894e-db77e160355e",
            "9f86d081884c7d65",
            "el4ukv0kqbvoirg7nkp4dncpk3",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "s:kX3f9sQ2pLzT7vB1.aGVsbG8gd29ybGQ",
            "k3Jx9QzT",
            "eyJvZmZzZXQiOjEwfQ==",
            "507f1f77bcf86cd799439011",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "1795000000123456789",
            "dGhpc0lzQVRva2VuWithNoDigits",
            "cs_test_a1B2c3D4e5F6",
        ] {
            assert!(is_made(value.as_bytes()), "{value}");
        }
        for value in [
            "1",
            "42",
            "true",
            "null",
            "admin",
            "tea",
            "2026-11-21",
            "2026-11-21T08:00:00Z",
            "20261121T080000Z",
            "Tue, 15 Nov 1994 08:12:31 GMT",
            "1795000000",
            "1795000000123",
            "1000000000000000000",
            "order-1001",
            "ORD-48213377",
            "product-1001",
            "application/json",
            "internationalization",
            "getUserOrderItemsById",
            "HTTPServerErrorException",
            "aaaaaaaa11111111",
            "v1.2.3-beta.4",
            "Mozilla/5.0",
            "10.0.0.1",
            "127.0.0.1:8080",
            "how-to-install-python-3-on-ubuntu-22-04",
            "alice@example.com",
            "+49 30 123456",
            "white space A1b2C3d4",
            "",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert!(!is_made(value.as_bytes()), "{value}");
        }
    }
}

//! Equality between values that differ from run to run: over a whole run one recorded value stands for one replayed value,
//! and the other way round. What a recorded value is called in this replay is kept with it ([`Names`]).
//!
//! A clock reading is no identity: two readings that were equal to the second while recording need not be in replay. Such
//! values take part in their class but not in this.

use std::collections::HashMap;

use reel_lang::value::Value;

use super::names::{Names, aligned};

/// The pairs seen so far.
#[derive(Debug, Default)]
pub struct Equality {
    forth: HashMap<(String, Vec<u8>), Vec<u8>>,
    back: HashMap<(String, Vec<u8>), Vec<u8>>,
    /// What was added, in order, so that a trial can be taken back.
    added: Vec<(String, Vec<u8>, Vec<u8>)>,
    names: Names,
    /// How many of those that were added are names.
    named: usize,
}

/// The class of redacted values.
pub const SECRET: &str = "secret";

/// How many pairs a run remembers; beyond that equality is no longer kept.
const MAX_PAIRS: usize = 1_000_000;

/// A place in the history of an [`Equality`].
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint(usize);

impl Equality {
    /// Notes that a recorded value came back as a replayed one.
    ///
    /// # Errors
    /// The value that was expected, where one of the two already stands for another.
    pub fn pair(&mut self, class: &str, recorded: &[u8], replayed: &[u8]) -> Result<(), Conflict> {
        let key = (class.to_owned(), recorded.to_vec());
        if let Some(known) = self.forth.get(&key) {
            return if known == replayed { Ok(()) } else { Err(Conflict::Recorded(known.clone())) };
        }
        let reverse = (class.to_owned(), replayed.to_vec());
        if let Some(known) = self.back.get(&reverse) {
            return Err(Conflict::Replayed(known.clone()));
        }
        if self.added.len() < MAX_PAIRS {
            self.forth.insert(key, replayed.to_vec());
            self.back.insert(reverse, recorded.to_vec());
            // The token of a secret is no value that anything but a recording holds.
            self.added.push((class.to_owned(), recorded.to_vec(), replayed.to_vec()));
        }
        Ok(())
    }

    /// Marks the present.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint(self.added.len())
    }

    /// Forgets what was noted since.
    pub fn roll_back(&mut self, to: Checkpoint) {
        for (class, recorded, replayed) in self.added.drain(to.0..) {
            self.forth.remove(&(class.clone(), recorded));
            self.back.remove(&(class, replayed));
        }
    }

    /// What recorded values are called in this replay.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Takes what was paired so far for names: what a test has made anew is known from its end on, since it is held to rules itself.
    pub fn remember(&mut self) {
        for (class, recorded, replayed) in self.added.get(self.named..).unwrap_or_default() {
            // The token of a secret is no value that anything but a recording holds.
            if class != SECRET {
                aligned(recorded, replayed).iter().for_each(|(was, is)| self.names.put(was, is));
            }
        }
        self.named = self.added.len();
    }

    /// Notes what a recorded value is in this replay, since it flowed from one exchange into another.
    pub fn flows(&mut self, recorded: &[u8], replayed: &[u8]) {
        self.names.put(recorded, replayed);
    }
}

/// Which equality is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// The recorded value came back as this one before.
    Recorded(Vec<u8>),
    /// The replayed value stood for this recorded one before.
    Replayed(Vec<u8>),
}

/// Whether a value is a reading of a clock: an RFC 3339, ISO 8601, mail or HTTP date, or seconds, milli-, micro- or nanoseconds since 1970
/// that lie between 2001 and 2100.
pub fn is_clock_reading(value: &Value) -> bool {
    if let Some(text) = value.as_str() {
        return is_date(text) || text.parse::<f64>().is_ok_and(is_epoch);
    }
    match value.untagged() {
        Value::Time(_) => true,
        Value::Int(n) => is_epoch(*n as f64),
        Value::Decimal(digits) => digits.parse::<f64>().is_ok_and(is_epoch),
        _ => false,
    }
}

fn is_epoch(n: f64) -> bool {
    [1.0, 1e3, 1e6, 1e9].iter().any(|unit| (978_307_200.0..4_102_444_800.0).contains(&(n / unit)))
}

fn is_date(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let rfc3339 = shape.starts_with("0000-00-00") && (shape.len() == 10 || shape.get(11..16) == Some("00:00"));
    let compact = shape.starts_with("00000000T000000");
    let mail = shape.contains(" 00:00:00 ");
    rfc3339 || compact || mail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_stands_for_one_value() {
        let mut equality = Equality::default();
        assert_eq!(equality.pair("uuid", b"a", b"x"), Ok(()));
        assert_eq!(equality.pair("uuid", b"a", b"x"), Ok(()));
        assert_eq!(equality.pair("uuid", b"a", b"y"), Err(Conflict::Recorded(b"x".to_vec())));
        assert_eq!(equality.pair("uuid", b"b", b"x"), Err(Conflict::Replayed(b"a".to_vec())));
        assert_eq!(equality.pair("order", b"a", b"y"), Ok(()));
        let here = equality.checkpoint();
        assert_eq!(equality.pair("uuid", b"c", b"z"), Ok(()));
        equality.roll_back(here);
        assert_eq!(equality.pair("uuid", b"c", b"w"), Ok(()));
    }

    #[test]
    fn clocks_are_told_from_identities() {
        for (value, expect) in [
            (Value::from("Tue, 15 Nov 1994 08:12:31 GMT"), true),
            (Value::from("2026-11-21T08:00:00.123Z"), true),
            (Value::from("2026-11-21 08:00:00"), true),
            (Value::Int(1_795_000_000), true),
            (Value::Int(1_795_000_000_123), true),
            (Value::from("8c5f1ab8-1d4e-4f7d-9c3f-0123456789ab"), false),
            (Value::from("20261121T080000Z"), true),
            (Value::from("Sat, 21 Nov 2026 08:00:00 UTC"), true),
            (Value::Int(42), false),
            (Value::from("ORD-20261121"), false),
        ] {
            assert_eq!(is_clock_reading(&value), expect, "{value:?}");
        }
    }
}

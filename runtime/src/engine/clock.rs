//! The time that message clauses see: `nsecs`, `elapsed`, and what time of day that is.
//!
//! A live capture counts from boot. A packet file counts from the epoch, and a recording from its own start: its time
//! of day begins at midnight, since not every recording says when it was made.

use rustix::time::{ClockId, clock_gettime};

use crate::output::strftime;

/// What a time of 0 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zero {
    /// The machine's start (`CLOCK_MONOTONIC`).
    Boot,
    /// 1970-01-01T00:00:00Z.
    Epoch,
    /// The start of the recording.
    Start,
}

/// The time of the messages.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub zero: Zero,
    /// When the run began, in nanoseconds.
    pub start_ns: u64,
    /// The time of the message at hand.
    pub now_ns: u64,
}

impl Clock {
    /// The clock of a live capture that begins now.
    pub fn live() -> Clock {
        let now = clock_gettime(ClockId::Monotonic);
        let start_ns = now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned();
        Clock { zero: Zero::Boot, start_ns, now_ns: start_ns }
    }

    /// The clock of messages of the past, the first of which is from `start_ns`.
    pub fn past(zero: Zero, start_ns: u64) -> Clock {
        Clock { zero, start_ns, now_ns: start_ns }
    }

    /// How long the run has taken.
    pub fn elapsed_ns(&self) -> u64 {
        self.now_ns.saturating_sub(self.start_ns)
    }

    /// The time of day of a value of `nsecs`, by a strftime(3) format.
    pub fn date(&self, format: &str, ns: i64) -> String {
        match self.zero {
            Zero::Boot => strftime::since_boot(format, ns),
            Zero::Epoch => strftime::at(format, ns),
            Zero::Start => strftime::since_midnight(format, ns),
        }
    }
}

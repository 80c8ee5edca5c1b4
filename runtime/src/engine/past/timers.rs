//! The beats of `interval` clauses, by the messages' time.

use crate::engine::messages::{Messages, When};

/// The most beats that fire between two messages; what lies beyond is skipped and counted.
pub const MAX_BEATS: u32 = 100_000;

/// Every interval, and when it fires next.
#[derive(Debug, Default)]
pub struct Timers {
    timers: Vec<Timer>,
    /// How many beats there were since the last message.
    beats: u32,
    skipped: u64,
}

#[derive(Debug)]
struct Timer {
    clause: usize,
    period_ns: u64,
    due_ns: u64,
}

impl Timers {
    /// The intervals of a program that begins at a time.
    pub fn new(messages: &Messages, start_ns: u64) -> Timers {
        let every = messages.moments().filter_map(|(clause, when)| match when {
            When::Every(period) => Some((clause, u64::try_from(period.as_nanos()).unwrap_or(u64::MAX))),
            When::Begin | When::End => None,
        });
        Timers::of(every, start_ns)
    }

    fn of(every: impl Iterator<Item = (usize, u64)>, start_ns: u64) -> Timers {
        let timer = |(clause, period_ns): (usize, u64)| {
            let period_ns = period_ns.max(1);
            Timer { clause, period_ns, due_ns: start_ns.saturating_add(period_ns) }
        };
        Timers { timers: every.map(timer).collect(), ..Timers::default() }
    }

    /// The clause whose beat comes first before or at a time, and that beat's time; none once there is no more.
    pub fn next_due(&mut self, now_ns: u64) -> Option<(usize, u64)> {
        if self.beats >= MAX_BEATS {
            self.skip_to(now_ns);
        }
        let next = self.timers.iter_mut().filter(|timer| timer.due_ns <= now_ns).min_by_key(|timer| timer.due_ns);
        let Some(timer) = next else {
            self.beats = 0;
            return None;
        };
        self.beats += 1;
        let due_ns = timer.due_ns;
        timer.due_ns = due_ns.saturating_add(timer.period_ns);
        Some((timer.clause, due_ns))
    }

    fn skip_to(&mut self, now_ns: u64) {
        for timer in self.timers.iter_mut().filter(|timer| timer.due_ns <= now_ns) {
            let beats = (now_ns - timer.due_ns) / timer.period_ns + 1;
            self.skipped = self.skipped.saturating_add(beats);
            timer.due_ns = timer.due_ns.saturating_add(beats.saturating_mul(timer.period_ns));
        }
    }

    /// Says how many beats did not fire, if any.
    pub fn note(&self) -> Option<String> {
        let count = self.skipped;
        (count > 0)
            .then(|| format!("{count} beats of intervals were skipped: at most {MAX_BEATS} fire between two messages"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(every: &[(usize, u64)], times: &[u64], expect: &[(usize, u64)]) {
        let mut timers = Timers::of(every.iter().copied(), 100);
        let fired: Vec<_> =
            times.iter().flat_map(|now| std::iter::from_fn(|| timers.next_due(*now)).collect::<Vec<_>>()).collect();
        assert_eq!(fired, expect);
        assert_eq!(timers.note(), None);
    }

    #[test]
    fn beats_fire_in_order_each_at_its_time() {
        check(
            &[(0, 10), (1, 25)],
            &[105, 131, 150],
            &[(0, 110), (0, 120), (1, 125), (0, 130), (0, 140), (0, 150), (1, 150)],
        );
    }

    #[test]
    fn a_long_silence_has_a_bound_and_is_told() {
        let mut timers = Timers::of([(0, 1)].into_iter(), 0);
        let fired = std::iter::from_fn(|| timers.next_due(1 << 40)).count();
        assert_eq!(fired, MAX_BEATS as usize);
        assert!(timers.note().is_some_and(|note| note.starts_with("1099511527776 beats")), "{:?}", timers.note());
        assert_eq!(timers.next_due((1 << 40) + 1), Some((0, (1 << 40) + 1)));
    }
}

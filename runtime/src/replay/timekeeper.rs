//! Which clock the app has in a replay, and what the report says of it.
//!
//! By default it is the recorded one: it begins where the recording did, runs, and is set to the instant at which a test was recorded
//! before the test is sent. A clock that was asked for and cannot be had is a failure; the default gives way, and the report says why.

use clap::ValueEnum;
use reel_probes::Unsupported;

use crate::app::{clock_failure, unsupported_failure};
use crate::clock::{Clock, Pace};
use crate::exit::{Exit, Failure};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Starts at each test's recorded instant, and runs.
    Recorded,
    /// Stands at each test's recorded instant.
    Frozen,
    /// The machine's own.
    Real,
}

impl Choice {
    fn name(self) -> &'static str {
        match self {
            Choice::Recorded => "recorded",
            Choice::Frozen => "frozen",
            Choice::Real => "real",
        }
    }
}

/// Keeps the app's clock.
#[derive(Debug)]
pub struct Timekeeper {
    clock: Option<Clock>,
    /// What the report begins with.
    word: String,
    /// How many tests were not timed in the recording.
    untimed: usize,
}

impl Timekeeper {
    /// Chooses: what was asked for, for a recording that began at an instant, on a machine that can set a clock or not.
    ///
    /// # Errors
    /// What was asked for cannot be had.
    pub fn choose(
        asked: Option<Choice>,
        started_ns: Option<i64>,
        can: impl FnOnce() -> Result<(), Unsupported>,
    ) -> Result<Timekeeper, Failure> {
        let choice = asked.unwrap_or(Choice::Recorded);
        let pace = match choice {
            Choice::Recorded => Pace::Running,
            Choice::Frozen => Pace::Frozen,
            Choice::Real => return Ok(Timekeeper::real(Choice::Real.name())),
        };
        let Some(started_ns) = started_ns else {
            let why = "the recording does not say when it was made";
            return match asked {
                None => Ok(Timekeeper::real(&format!("real, since {why}"))),
                Some(_) => Err(Failure::new(Exit::Recording, format!("--clock {}: {why}", choice.name()))
                    .remedy("take timing.yaml from where the recording came from, or record again")),
            };
        };
        match (can(), asked) {
            (Ok(()), _) => {
                let clock = Clock::new(pace, started_ns).map_err(|error| clock_failure(&error))?;
                Ok(Timekeeper { clock: Some(clock), word: choice.name().to_owned(), untimed: 0 })
            }
            (Err(lacking), None) => Ok(Timekeeper::real(&format!("real, since {}", lacking.why))),
            (Err(lacking), Some(_)) => Err(unsupported_failure(lacking)),
        }
    }

    /// The machine's own clock.
    fn real(word: &str) -> Timekeeper {
        Timekeeper { clock: None, word: word.to_owned(), untimed: 0 }
    }

    /// The clock to start the app under.
    pub fn clock(&self) -> Option<&Clock> {
        self.clock.as_ref()
    }

    /// Sets the clock for a test that was recorded at this instant, in nanoseconds since 1970, if that is known.
    pub fn step(&mut self, instant_ns: Option<i64>) {
        match (&self.clock, instant_ns) {
            (Some(clock), Some(instant_ns)) => clock.set(instant_ns),
            (Some(_), None) => self.untimed += 1,
            (None, _) => {}
        }
    }

    /// What the report says of the clock.
    pub fn text(&self) -> String {
        let mut text = self.word.clone();
        let untouched = self.clock.as_ref().map(|clock| clock.account().untouched).unwrap_or_default();
        if !untouched.is_empty() {
            let names: Vec<String> = untouched.into_iter().collect();
            text += &format!(", but real for {}", names.join(", "));
        }
        if self.untimed > 0 {
            let tests = if self.untimed == 1 { "test whose" } else { "tests whose" };
            text += &format!(", and not set for {} {tests} time is not recorded", self.untimed);
        }
        text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cannot() -> Result<(), Unsupported> {
        Err(Unsupported { what: "setting clocks".into(), why: "no seccomp".into(), remedy: "another kernel".into() })
    }

    #[test]
    fn a_default_gives_way_and_what_was_asked_for_does_not() {
        use Choice::{Frozen, Real, Recorded};
        let no_time = "the recording does not say when it was made";
        for (asked, started_ns, is_able, expect) in [
            (None, Some(1), true, Ok("recorded".to_owned())),
            (Some(Recorded), Some(1), true, Ok("recorded".to_owned())),
            (Some(Frozen), Some(1), true, Ok("frozen".to_owned())),
            (Some(Real), None, false, Ok("real".to_owned())),
            (None, None, true, Ok(format!("real, since {no_time}"))),
            (None, Some(1), false, Ok("real, since no seccomp".to_owned())),
            (Some(Recorded), None, true, Err((Exit::Recording, format!("--clock recorded: {no_time}")))),
            (
                Some(Frozen),
                Some(1),
                false,
                Err((Exit::Machine, "this machine cannot do setting clocks: no seccomp".into())),
            ),
        ] {
            let can = if is_able { || Ok(()) } else { cannot };
            let chosen = Timekeeper::choose(asked, started_ns, can);
            let found = chosen.map(|keeper| keeper.text()).map_err(|failure| (failure.exit, failure.message));
            assert_eq!(found, expect, "{asked:?} {started_ns:?} {is_able}");
        }
    }

    #[test]
    fn tests_without_a_time_are_counted() {
        let mut keeper = Timekeeper::choose(None, Some(1), || Ok(())).unwrap();
        keeper.step(Some(5));
        keeper.step(None);
        assert_eq!(keeper.text(), "recorded, and not set for 1 test whose time is not recorded");
        keeper.step(None);
        assert_eq!(keeper.text(), "recorded, and not set for 2 tests whose time is not recorded");
        let mut real = Timekeeper::choose(Some(Choice::Real), Some(1), || Ok(())).unwrap();
        real.step(None);
        assert_eq!(real.text(), "real");
    }
}

//! How reel ends: the exit codes, and the failure that carries one.
//!
//! A failure says what happened, where, and what to do. Where several hold, the code that comes first in
//! [`Exit::PRECEDENCE`] is the one given: a wrong command line explains everything after it.

use std::fmt;
use std::process::ExitCode;

/// Why reel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// All passed.
    Passed,
    /// A replayed test failed.
    TestFailed,
    /// The command line or a script is wrong, or there was nothing to run.
    Usage,
    /// This machine cannot do it: privilege, kernel.
    Machine,
    /// The recording is incomplete or damaged.
    Recording,
    /// The app did not start, did not listen, or died.
    App,
    Interrupted,
    /// A script's `exit(n)`, or with `--exit-status app` the app's own code.
    Code(u8),
}

impl Exit {
    /// The order in which causes are given, where several hold.
    pub const PRECEDENCE: [Exit; 6] =
        [Exit::Interrupted, Exit::Usage, Exit::Machine, Exit::App, Exit::Recording, Exit::TestFailed];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::TestFailed => 1,
            Exit::Usage => 2,
            Exit::Machine => 3,
            Exit::Recording => 4,
            Exit::App => 5,
            Exit::Interrupted => 130,
            Exit::Code(code) => code,
        }
    }

    /// Of several causes the one to give; passed if there is none.
    pub fn worst(causes: &[Exit]) -> Exit {
        Exit::PRECEDENCE.into_iter().find(|exit| causes.contains(exit)).unwrap_or(Exit::Passed)
    }

    /// Of two ends, the earlier first, the one to give: a cause, else the first code of a script's own that is not 0.
    pub fn or_worse(self, later: Exit) -> Exit {
        match Exit::worst(&[self, later]) {
            Exit::Passed if self.code() == 0 => later,
            Exit::Passed => self,
            worst => worst,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// A failure that ends a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    /// What happened, and where.
    pub message: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl Failure {
    /// Makes a failure.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure { exit, message: message.into(), remedy: None }
    }

    /// Adds what to do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_in_the_order_is_given() {
        assert_eq!(Exit::worst(&[]), Exit::Passed);
        assert_eq!(Exit::worst(&[Exit::TestFailed, Exit::Recording]), Exit::Recording);
        assert_eq!(Exit::worst(&[Exit::TestFailed, Exit::App, Exit::Machine, Exit::Usage]), Exit::Usage);
        assert_eq!(Exit::Code(3).or_worse(Exit::Usage), Exit::Usage);
        assert_eq!(Exit::Passed.or_worse(Exit::Code(3)).or_worse(Exit::Code(4)).or_worse(Exit::Passed), Exit::Code(3));
    }
}

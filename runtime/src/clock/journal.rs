//! What was done to each program under a clock, and how often system calls were answered.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::exec::Treatment;

/// How many programs are remembered one by one.
const MAX_PROGRAMS: usize = 10_000;

/// A program that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub pid: i32,
    /// Its file, as the app's processes name it.
    pub path: String,
    pub treatment: Treatment,
}

/// What a clock did so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// In the order in which they began; at most 10,000.
    pub programs: Vec<Program>,
    /// How many more there were.
    pub others: u64,
    /// Readings by system call that were answered.
    pub readings: u64,
    /// Absolute deadlines that were set into the machine's time.
    pub deadlines: u64,
    /// The names of programs that see the machine's clock.
    pub untouched: BTreeSet<String>,
}

/// An account in the making.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Account>);

impl Journal {
    fn open(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn began(&self, program: Program) {
        let mut account = self.open();
        if matches!(program.treatment, Treatment::Untouched(_)) {
            let name = program.path.rsplit('/').next().unwrap_or_default();
            account.untouched.insert(name.to_owned());
        }
        if account.programs.len() < MAX_PROGRAMS {
            account.programs.push(program);
        } else {
            account.others += 1;
        }
    }

    pub(super) fn read(&self) {
        self.open().readings += 1;
    }

    pub(super) fn translated(&self) {
        self.open().deadlines += 1;
    }

    pub(super) fn account(&self) -> Account {
        self.open().clone()
    }
}

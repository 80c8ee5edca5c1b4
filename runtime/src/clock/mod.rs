//! The clock of a replay: the time of day that an unmodified tree of processes sees.
//!
//! Every program of the tree is reached, static ones and those in containers of their own too, without preloading and without a tracer
//! that stays. A seccomp filter (`filter`, `calls`) notifies reel of each exec and of the few system calls that tell or take the time of
//! day; `supervisor` answers them. At an exec the new program is held for a moment (`tracee`), and the functions of its vDSO, by which
//! nearly all time is read, are led to code (`stub`) that reads one page (`page`) shared with reel (`exec`, `vdso`). So reading the time
//! costs what it did, and reel steps the clock of the whole tree with one write.
//!
//! What is absolute and of the time of day is translated: deadlines of futexes, sleeps, timers and queues. What is relative or of
//! another clock runs in real time, so that timers keep working. File times, `timer_settime` with an absolute time, and what a processor
//! tells by itself stay real. A process can have one listener only: an app that installs one of its own is told EBUSY.
//!
//! Where reel dies, its guardian kills the tree (`reel_probes::guard`); meanwhile a notified call fails with ENOSYS.

#![allow(unsafe_code)]

mod calls;
mod exec;
mod filter;
mod install;
mod journal;
mod listener;
mod memory;
mod page;
mod stub;
mod supervisor;
mod tracee;
mod trial;
mod vdso;

use std::io;
use std::sync::Arc;

use reel_probes::spawn::Spawn;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

pub use exec::Treatment;
pub use journal::{Account, Program};
pub(crate) use page::real_ns;
pub use supervisor::Supervision;
pub use trial::check;

use journal::Journal;
use page::Page;

/// How a clock goes on from where it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As the machine's own.
    Running,
    /// Not at all.
    Frozen,
}

/// A clock for one tree of processes. Its copies are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    page: Arc<Page>,
    journal: Arc<Journal>,
}

impl Clock {
    /// Makes a clock that stands at, or runs from, an instant in nanoseconds since 1970.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn new(pace: Pace, instant_ns: i64) -> io::Result<Clock> {
        Ok(Clock { page: Arc::new(Page::new(pace, instant_ns)?), journal: Arc::default() })
    }

    /// Steps the clock to an instant.
    pub fn set(&self, instant_ns: i64) {
        self.page.set(instant_ns);
    }

    /// Puts a command that is about to start under this clock, with everything that it will start.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn lead(&self, spawn: &mut Spawn) -> io::Result<Supervision> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let program = filter::program();
        // SAFETY: it only makes system calls, on what it owns (`install`).
        unsafe { spawn.before_exec(move || install::install(&program, &theirs)) };
        Supervision::start(self.page.clone(), self.journal.clone(), ours)
    }

    /// What was done so far.
    pub fn account(&self) -> Account {
        self.journal.account()
    }
}

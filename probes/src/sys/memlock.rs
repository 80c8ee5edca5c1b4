//! The limit of locked memory, which maps and programs counted against before Linux 5.11.
//!
//! The limit is raised only for the time of one call, so that the app, which inherits limits,
//! starts with those that the user set.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::process::check;

/// One thread at a time changes the limit, so that each restores what it found.
static CHANGING: Mutex<()> = Mutex::new(());

/// No limit as long as this value lives.
pub(super) struct Unlimited {
    before: libc::rlimit,
    _turn: MutexGuard<'static, ()>,
}

impl Unlimited {
    /// Raises the limit; fails without CAP_SYS_RESOURCE where the hard limit is finite.
    pub(super) fn new() -> io::Result<Self> {
        let turn = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `before` is a live rlimit for the kernel to fill in.
        check(unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut before) })?;
        set(libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY })?;
        Ok(Self { before, _turn: turn })
    }
}

impl Drop for Unlimited {
    fn drop(&mut self) {
        let _ = set(self.before);
    }
}

fn set(limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: `limit` is a live rlimit that the kernel only reads.
    check(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_as_before_afterwards() {
        let found = |raised: Unlimited| (raised.before.rlim_cur, raised.before.rlim_max);
        // Without the privilege there is nothing to restore.
        if let (Ok(first), Ok(second)) = (Unlimited::new().map(found), Unlimited::new().map(found)) {
            assert_eq!(first, second);
        }
    }
}

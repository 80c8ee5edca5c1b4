//! A set of descriptors to wait for, edge-triggered.
//!
//! Edge-triggered because of the ring buffer: a program that submits with BPF_RB_NO_WAKEUP wants
//! its reader to sleep on, and a level-triggered wait would return at once for the waiting data.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// How many events one wait returns at most; more are returned by the next.
const MAX_EVENTS: usize = 16;

/// An epoll instance, see epoll(7).
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes no memory.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just returned this descriptor, and nothing else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Adds a descriptor, whose readiness is reported as `token`.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
        let mut event = libc::epoll_event { events, u64: token };
        let (epoll, fd) = (self.0.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: `event` lives for the time of the call.
        let result = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits, and gives each ready token to `ready`. A signal ends the wait early.
    pub(crate) fn wait(&self, timeout: Duration, mut ready: impl FnMut(u64)) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; MAX_EVENTS];
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let (epoll, max) = (self.0.as_raw_fd(), MAX_EVENTS as i32);
        // SAFETY: `events` has room for as many as we say.
        let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), max, timeout_ms) };
        if count < 0 {
            let error = io::Error::last_os_error();
            let interrupted = error.kind() == io::ErrorKind::Interrupted;
            return if interrupted { Ok(()) } else { Err(error) };
        }
        for event in events.iter().take(count.unsigned_abs() as usize) {
            ready(event.u64);
        }
        Ok(())
    }
}

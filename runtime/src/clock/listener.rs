//! The descriptor through which the kernel asks about system calls (seccomp_unotify(2)).
//!
//! A call that is asked about waits for its answer. Where its thread is killed meanwhile, or a signal interrupts it, the answer finds
//! nobody, which is no error: the call is asked about again if it is made again.

use std::ffi::c_ulong;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use libc::{seccomp_notif, seccomp_notif_addfd, seccomp_notif_resp};

/// What a thread wants to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    id: u64,
    /// The thread.
    pub(super) tid: i32,
    pub(super) abi: u32,
    pub(super) number: i32,
    pub(super) args: [u64; 6],
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is made.
    Continue,
    /// It is not made, and gives this.
    Value(i64),
    /// It is not made, and fails with this error number.
    Error(i32),
}

/// The kernel's end of a filter.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

impl Listener {
    pub(super) fn new(fd: OwnedFd) -> Listener {
        Listener(fd)
    }

    /// What becomes readable with a request, and hangs up when no process has the filter any more.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }

    /// Takes the next request; none where it is gone already.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(super) fn receive(&self) -> io::Result<Option<Request>> {
        // SAFETY: the kernel's struct is plain numbers, for which zeros are valid, and must be zeroed.
        let mut notice: seccomp_notif = unsafe { std::mem::zeroed() };
        match self.control(libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) {
            Ok(_) => {
                let seccomp_notif { id, pid, data, .. } = notice;
                let tid = i32::try_from(pid).unwrap_or(0);
                Ok(Some(Request { id, tid, abi: data.arch, number: data.nr, args: data.args }))
            }
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: &Request, answer: Answer) {
        let (val, error, flags) = match answer {
            Answer::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Answer::Value(value) => (value, 0, 0),
            Answer::Error(number) => (0, -number, 0),
        };
        let mut response = seccomp_notif_resp { id: request.id, val, error, flags };
        // Who was killed or interrupted needs no answer.
        let _ = self.control(libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response);
    }

    /// Whether the thread still waits: only then do its id and its memory belong to it.
    pub(super) fn is_waiting(&self, request: &Request) -> bool {
        let mut id = request.id;
        self.control(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw mut id).is_ok()
    }

    /// Answers a request with a descriptor, which the process then has.
    pub(super) fn hand(&self, request: &Request, fd: &OwnedFd) {
        let number = |fd: RawFd| u32::try_from(fd).unwrap_or(u32::MAX);
        let mut add = seccomp_notif_addfd {
            id: request.id,
            flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
            srcfd: number(fd.as_raw_fd()),
            newfd: 0,
            newfd_flags: libc::O_CLOEXEC as u32,
        };
        if self.control(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut add).is_ok() {
            return;
        }
        // Before Linux 5.14 it takes two steps.
        add.flags = 0;
        match self.control(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut add) {
            Ok(there) => self.answer(request, Answer::Value(there.into())),
            Err(_) => self.answer(request, Answer::Error(libc::EBADF)),
        }
    }

    fn control<T>(&self, request: c_ulong, argument: *mut T) -> io::Result<i32> {
        // SAFETY: each caller passes the struct that its request is about, alive for the call; the kernel writes no more than its size,
        // which is part of the request's number.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), request as _, argument) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }
}

//! Signals, process descriptors and the calls that a child makes between fork and exec.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Sends `signal` to one process; 0 only asks whether it exists.
pub(crate) fn kill(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = positive_pid(pid)?;
    // SAFETY: kill takes two integers and no memory.
    check(unsafe { libc::kill(pid, signal) })
}

/// Returns whether a process with this id exists (it may belong to another user).
pub(crate) fn exists(pid: u32) -> bool {
    match kill(pid, 0) {
        Ok(()) => true,
        Err(error) => error.raw_os_error() == Some(libc::EPERM),
    }
}

/// Opens a descriptor that becomes readable when the process exits (pidfd_open(2), Linux 5.3).
pub(crate) fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = positive_pid(pid)?;
    // SAFETY: pidfd_open takes two integers and no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Detaches the calling process from its terminal and session. Safe between fork and exec.
pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: setsid takes no memory and is async-signal-safe.
    if unsafe { libc::setsid() } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Ignores a signal, also across exec. Safe between fork and exec.
pub(crate) fn ignore_signal(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours; signal(2) is async-signal-safe.
    let old = unsafe { libc::signal(signal, libc::SIG_IGN) };
    if old == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets a descriptor survive exec. Safe between fork and exec.
pub(crate) fn keep_across_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: F_SETFD takes an integer; a bad descriptor gives EBADF.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })
}

fn positive_pid(pid: u32) -> io::Result<libc::pid_t> {
    match libc::pid_t::try_from(pid) {
        Ok(pid) if pid > 0 => Ok(pid),
        // 0 and negative numbers mean process groups to kill(2): never what a caller here wants.
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

pub(crate) fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

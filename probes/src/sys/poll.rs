//! Waiting for one descriptor, with a deadline that signals do not stretch.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Waits until `fd` has one of `events`, and returns what it has; 0 when `timeout` passed.
///
/// `None` waits for ever. An interrupting signal restarts the wait with the time that is left.
pub(crate) fn wait_for(
    fd: BorrowedFd<'_>,
    events: libc::c_short,
    timeout: Option<Duration>,
) -> io::Result<libc::c_short> {
    let deadline = timeout.map(|t| Instant::now() + t);
    loop {
        let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
        let timeout_ms = match deadline {
            None => -1,
            Some(end) => ceil_ms(end.saturating_duration_since(Instant::now())),
        };
        // SAFETY: `entry` is one live pollfd, and the count says one.
        let ready = unsafe { libc::poll(&raw mut entry, 1, timeout_ms) };
        match ready {
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            0 if deadline.is_some() => return Ok(0),
            _ => return Ok(entry.revents),
        }
    }
}

/// Rounds up, so that a wait of half a millisecond is not a busy loop.
fn ceil_ms(left: Duration) -> libc::c_int {
    let ms = left.as_nanos().div_ceil(1_000_000);
    libc::c_int::try_from(ms).unwrap_or(libc::c_int::MAX)
}

//! Signals and the ends of processes as channels, so that one `select!` waits for everything.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crossbeam_channel::{Receiver, bounded};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::engine::signals::{Signal, Signals};
use crate::exit::{Exit, Failure};

/// Something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

/// Ctrl-C and SIGTERM.
///
/// # Errors
/// The kernel's answer.
pub fn signals() -> Result<Receiver<Signal>, Failure> {
    let mut signals = Signals::take().map_err(|error| failure("take over signals", &error))?;
    let (send, receive) = bounded(4);
    spawn("reel-signals", move || {
        loop {
            let [interrupt, terminate] = signals.fds();
            let mut fds = [
                PollFd::from_borrowed_fd(interrupt, PollFlags::IN),
                PollFd::from_borrowed_fd(terminate, PollFlags::IN),
            ];
            if !matches!(poll(&mut fds, None), Ok(_) | Err(rustix::io::Errno::INTR)) {
                return;
            }
            while let Some(signal) = signals.take_next() {
                if send.send(signal).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(receive)
}

/// The end of a process.
///
/// # Errors
/// The kernel's answer.
pub fn process(pid: u32) -> Result<Receiver<Ended>, Failure> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::new(Exit::Machine, "a process has no number"))?;
    let fd = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| failure("watch a process", &error.into()))?;
    self::fd(fd)
}

/// A descriptor that becomes readable at an end.
///
/// # Errors
/// The machine has no thread left.
pub fn fd(fd: OwnedFd) -> Result<Receiver<Ended>, Failure> {
    let (send, receive) = bounded(1);
    spawn("reel-watch", move || {
        let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
        while matches!(poll(&mut fds, None), Err(rustix::io::Errno::INTR)) {}
        let _ = send.send(Ended);
    })?;
    Ok(receive)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    started.map(drop).map_err(|error| failure("start a thread", &error))
}

fn failure(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("cannot {what}: {error}"))
}

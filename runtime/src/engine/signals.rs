//! Ctrl-C and SIGTERM as something to wait for beside kernel events.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, SigmaskHow};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

/// Signals that end a run, once each.
#[derive(Debug)]
pub struct Signals {
    interrupt: UnixStream,
    terminate: UnixStream,
    ids: [SigId; 2],
}

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    /// Its number.
    pub fn number(self) -> i32 {
        match self {
            Signal::Interrupt => SIGINT,
            Signal::Terminate => SIGTERM,
        }
    }
}

impl Signals {
    /// Takes over both signals of this process.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn take() -> io::Result<Signals> {
        let ((interrupt, first), (terminate, second)) = (channel(SIGINT)?, channel(SIGTERM)?);
        interrupt.set_nonblocking(true)?;
        terminate.set_nonblocking(true)?;
        Ok(Signals { interrupt, terminate, ids: [first, second] })
    }

    /// What to wait on.
    pub fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.interrupt.as_fd(), self.terminate.as_fd()]
    }

    /// The same, for a reader of its own to wait on; nothing is to be read of them.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn to_stop(&self) -> io::Result<Vec<OwnedFd>> {
        self.fds().into_iter().map(|fd| fd.try_clone_to_owned()).collect()
    }

    /// A signal that has arrived since the last call.
    pub fn take_next(&mut self) -> Option<Signal> {
        let mut byte = [0; 16];
        if matches!(self.interrupt.read(&mut byte), Ok(n) if n > 0) {
            return Some(Signal::Interrupt);
        }
        matches!(self.terminate.read(&mut byte), Ok(n) if n > 0).then_some(Signal::Terminate)
    }
}

/// Takes over a signal of this process, which then writes a byte a time.
///
/// # Errors
/// The kernel's answer.
pub fn channel(signal: i32) -> io::Result<(UnixStream, SigId)> {
    let (receive, send) = UnixStream::pair()?;
    // The library takes the signal from the kernel before it knows whom to tell, and one that came in between would be lost.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let id = pipe::register(signal, send);
    before.thread_set_mask()?;
    Ok((receive, id?))
}

impl Drop for Signals {
    /// Closes the pipes: a prompt takes the signals over for each clause that it runs.
    fn drop(&mut self) {
        for id in self.ids {
            unregister(id);
        }
    }
}

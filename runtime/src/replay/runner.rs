//! Dependencies from a recording, under a command that brings its own tests: pytest, go test, npm test.
//!
//! The command runs in the same sandbox as an app under replay, but nothing is sent to it: it decides what is called. Any recorded
//! call may answer, once and in recorded order among equal ones; a call that was recorded and not made is no fault.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reel_probes::sockets::{self, Socket};

use super::outcome::Run;
use crate::app::{GRACE, Output};
use crate::engine::signals::Signals;
use crate::exit::{Exit, Failure};
use crate::mock::Mock;
use crate::mock::server::Server;
use crate::sandbox::{Destinations, Sandbox};

/// How long to sleep between two looks at a command that neither ends nor is interrupted; its end wakes us up anyway.
const NAP: Duration = Duration::from_secs(3600);

/// What came of a command whose dependencies were mocked.
pub struct Served {
    /// Without tests: the calls that were not recorded, and what rules did.
    pub run: Run,
    /// How many calls recorded ones answered.
    pub answered: u64,
    /// How many calls, or connections, went to each real server.
    pub passed: BTreeMap<SocketAddr, u64>,
    /// How the command ended.
    pub status: ExitStatus,
    /// Whether a signal to reel ended it.
    pub is_interrupted: bool,
}

impl Served {
    /// The exit code: the command's own, unless a call missed.
    pub fn exit(&self) -> Exit {
        match self.status.code() {
            _ if self.is_interrupted => Exit::Interrupted,
            _ if !self.run.apart.is_clean() => Exit::TestFailed,
            Some(code) => Exit::Code(u8::try_from(code).unwrap_or(u8::MAX)),
            // As a shell has it.
            None => Exit::Code(self.status.signal().and_then(|n| u8::try_from(n + 128).ok()).unwrap_or(u8::MAX)),
        }
    }
}

/// Runs a command to its end, its connections led to `mock`.
///
/// # Errors
/// The command did not start; this machine cannot do it; the recording is damaged.
pub fn serve(command: &[OsString], mock: Mock) -> Result<Served, Failure> {
    let machine = |what: &str, error: std::io::Error| Failure::new(Exit::Machine, format!("cannot {what}: {error}"));
    let mut signals = Signals::take().map_err(|error| machine("watch for signals", error))?;
    let destinations: Arc<OnceLock<Destinations>> = Arc::default();
    let (known, mut is_recorded) = (destinations.clone(), mock.servers());
    let resolver = Box::new(move |client| {
        let meant = known.get()?.meant(client)?;
        if is_recorded(meant) {
            return Some(meant);
        }
        // Asked again: who is there now may be the command itself, which has begun to listen since. It is known to be its own before
        // the kernel lists it.
        if is_nobody(meant) { None } else { known.get()?.meant(client) }
    });
    let server =
        Server::start(mock, resolver).map_err(|error| machine("listen for the command's connections", error))?;
    let port = server.addrs().first().map_or(0, SocketAddr::port);
    let mut sandbox = Sandbox::start(command, Output::Own, None, port, &destinations)?;
    let (status, is_interrupted) = wait(&mut sandbox, &mut signals)?;
    // What the command left running ends with it, before its calls are counted.
    sandbox.stop();
    let (run, answered, passed, fault) = server.with(|mock| {
        let mut run = Run::default();
        run.take_account(mock);
        let fault = mock.fault();
        let ledger = mock.ledger();
        (run, ledger.answered, std::mem::take(&mut ledger.passed), fault)
    })?;
    match fault {
        Some(reason) => Err(Failure::new(Exit::Recording, reason)),
        None => Ok(Served { run, answered, passed, status, is_interrupted }),
    }
}

/// Whether nobody listens at an address of this machine. A suite that waits for its own service connects there until the service
/// does; such a connection is refused, as it would be without reel.
fn is_nobody(address: SocketAddr) -> bool {
    let is_there = |socket: &Socket| {
        let ip = socket.local.ip();
        socket.is_listening && socket.local.port() == address.port() && (ip == address.ip() || ip.is_unspecified())
    };
    // Where the kernel does not tell, it is a call like any other.
    address.ip().is_loopback() && sockets::tcp(None).is_ok_and(|sockets| !sockets.iter().any(is_there))
}

/// Waits for the command's end. A signal is passed on to it; one that it does not heed within [`GRACE`] ends it.
fn wait(sandbox: &mut Sandbox, signals: &mut Signals) -> Result<(ExitStatus, bool), Failure> {
    loop {
        if let Some(status) = sandbox.exits_within(signals, NAP) {
            return Ok((status, false));
        }
        if let Some(signal) = signals.take_next() {
            sandbox.signal(signal);
            let status = sandbox.exits_within(signals, GRACE).or_else(|| sandbox.stop());
            let gone = || Failure::new(Exit::Interrupted, "interrupted, and the command did not end");
            return status.map(|status| (status, true)).ok_or_else(gone);
        }
    }
}

//! The app in the kernel's sandbox: its own cgroup, its connections led to the mock.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::host::{AppHost, Ended};
use super::timekeeper::Timekeeper;
use crate::app::Output;
use crate::engine::signals::Signals;
use crate::exit::{Exit, Failure};
use crate::mock::server::Resolver;
use crate::sandbox::{Destinations, Ready, Sandbox};

/// Runs a command in a [`Sandbox`].
pub struct SandboxHost {
    command: Vec<OsString>,
    time: Timekeeper,
    signals: Signals,
    sandbox: Option<Sandbox>,
    /// Known once the app's cgroup is there, which is after the mock listens.
    destinations: Arc<OnceLock<Destinations>>,
}

impl SandboxHost {
    /// Will run this command, under this clock.
    ///
    /// # Errors
    /// Signals cannot be watched.
    pub fn new(command: Vec<OsString>, time: Timekeeper) -> Result<Self, Failure> {
        let signals = Signals::take()
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot watch for signals: {error}")))?;
        Ok(SandboxHost { command, time, signals, sandbox: None, destinations: Arc::default() })
    }
}

impl AppHost for SandboxHost {
    fn resolver(&mut self) -> Resolver {
        let destinations = self.destinations.clone();
        Box::new(move |client| destinations.get()?.meant(client))
    }

    fn start(&mut self, mock: &[SocketAddr], wanted: &[u16], at_most: Duration) -> Result<Vec<SocketAddr>, Failure> {
        let deadline = Instant::now() + at_most;
        let port = mock.first().map_or(0, SocketAddr::port);
        let clock = self.time.clock().cloned();
        let mut sandbox = Sandbox::start(&self.command, Output::Stderr, clock, port, &self.destinations)?;
        let mut listening: Vec<SocketAddr> = Vec::new();
        while !wanted.iter().all(|port| listening.iter().any(|addr| addr.port() == *port)) {
            let left = deadline.saturating_duration_since(Instant::now());
            match sandbox.wait_listening(&mut self.signals, left) {
                Ok(Ready::Listening(addr)) => listening.push(addr),
                Ok(Ready::Signal(_)) => return Err(Failure::new(Exit::Interrupted, "interrupted")),
                Err(failure) if listening.is_empty() => return Err(failure),
                Err(failure) => return Err(elsewhere(&listening, wanted, failure)),
            }
        }
        self.sandbox = Some(sandbox);
        Ok(listening)
    }

    fn ended(&mut self, at_most: Duration) -> Option<Ended> {
        let status = self.sandbox.as_mut()?.exits_within(&self.signals, at_most);
        if self.signals.take_next().is_some() {
            return Some(Ended::Interrupted);
        }
        status.map(Ended::Exited)
    }

    fn refused_datagrams(&self) -> BTreeMap<i64, u64> {
        self.sandbox.as_ref().map(Sandbox::refused_datagrams).unwrap_or_default()
    }

    fn step(&mut self, instant_ns: Option<i64>) {
        self.time.step(instant_ns);
    }

    fn clock(&self) -> String {
        self.time.text()
    }

    fn stop(&mut self) {
        if let Some(sandbox) = &mut self.sandbox {
            sandbox.stop();
        }
    }
}

fn elsewhere(listening: &[SocketAddr], wanted: &[u16], failure: Failure) -> Failure {
    let here: Vec<String> = listening.iter().map(|addr| addr.port().to_string()).collect();
    let there: Vec<String> = wanted.iter().map(u16::to_string).collect();
    Failure::new(
        failure.exit,
        format!(
            "{}; it listens on port {}, and the tests were recorded on {}",
            failure.message,
            here.join(", "),
            there.join(", ")
        ),
    )
    .remedy("start the app on the recorded port")
}

//! What runs the app.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::Duration;

use crate::exit::Failure;
use crate::mock::server::Resolver;

/// What ended a run before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The app did: how.
    Exited(ExitStatus),
    /// A signal to reel did.
    Interrupted,
}

impl Ended {
    /// Whether the app ended by itself, without a complaint.
    pub fn is_success(&self) -> bool {
        matches!(self, Ended::Exited(status) if status.success())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exited(status) => write!(f, "the app ended ({status})"),
            Ended::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Starts and stops the app, and redirects its connections.
pub trait AppHost {
    /// Tells where a redirected connection was meant to go. Asked for once, before the start.
    fn resolver(&mut self) -> Resolver;

    /// Starts the app with its connections led to `mock` (IPv4, then IPv6), and waits, by events, until it listens on every port
    /// of `wanted`. Gives the addresses that it listens on.
    ///
    /// # Errors
    /// The app did not start, ended, or did not listen in time; this machine cannot do it.
    fn start(&mut self, mock: &[SocketAddr], wanted: &[u16], at_most: Duration) -> Result<Vec<SocketAddr>, Failure>;

    /// What ended the run before its time, if anything did, or does within this time.
    fn ended(&mut self, at_most: Duration) -> Option<Ended>;

    /// What the app sent over UDP and was refused: how often, by port.
    fn refused_datagrams(&self) -> BTreeMap<i64, u64> {
        BTreeMap::new()
    }

    /// Sets the app's clock for a test that was recorded at this instant, in nanoseconds since 1970, if that is known.
    fn step(&mut self, _instant_ns: Option<i64>) {}

    /// Which clock the app has, for the report.
    fn clock(&self) -> String {
        "real".to_owned()
    }

    /// Stops the app.
    fn stop(&mut self);
}

//! What runs the app.

use std::net::SocketAddr;
use std::time::Duration;

use crate::exit::Failure;
use crate::mock::server::Resolver;

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

    /// How the app ended, if it has.
    fn ended(&mut self) -> Option<String>;

    /// Stops the app.
    fn stop(&mut self);
}

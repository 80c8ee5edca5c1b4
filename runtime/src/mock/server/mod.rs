//! The sockets of the mock side: one thread, one poll, and nothing that knows a protocol.
//!
//! It listens on loopback at a free port; where the app wanted to go is told by whoever redirected it. The driver speaks to
//! the mock through [`Server::with`], which runs on that thread between two events, so that nothing is shared.

mod poll;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};
use mio::Waker;

use super::Mock;
use crate::exit::{Exit, Failure};
use poll::Loop;

/// Tells where a connection of the app was meant to go, by the address that it comes from.
pub type Resolver = Box<dyn FnMut(SocketAddr) -> Option<SocketAddr> + Send>;

type Job = Box<dyn FnOnce(&mut Mock) + Send>;

/// What the driver asks of the thread.
enum Ask {
    Run(Job),
    /// Answer as soon as no call of the running test is outstanding, or at the deadline.
    Settle {
        deadline: Instant,
        reply: Sender<()>,
    },
    Stop,
}

/// The running mock side. Dropping it closes every connection.
pub struct Server {
    addrs: Vec<SocketAddr>,
    asks: Sender<Ask>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

/// The mock side's thread has ended, which it does only where the kernel refuses to poll.
#[derive(Debug, thiserror::Error)]
#[error("the mock server has stopped")]
pub struct Stopped;

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Self {
        Failure::new(Exit::Machine, stopped.to_string())
    }
}

impl Server {
    /// Listens on 127.0.0.1 and, where there is one, on ::1.
    ///
    /// # Errors
    /// The kernel's, where it gives no socket.
    pub fn start(mock: Mock, resolver: Resolver) -> io::Result<Self> {
        let (asks, inbox) = unbounded();
        let (driver, addrs, waker) = Loop::new(mock, resolver, inbox)?;
        let thread = std::thread::Builder::new().name("reel-mock".into()).spawn(move || driver.run())?;
        Ok(Server { addrs, asks, waker, thread: Some(thread) })
    }

    /// Where it listens: IPv4 first, then IPv6 on the same port.
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// Runs a function on the mock, between two events.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn with<R: Send + 'static>(&self, job: impl FnOnce(&mut Mock) -> R + Send + 'static) -> Result<R, Stopped> {
        let (reply, answer) = bounded(1);
        self.ask(Ask::Run(Box::new(move |mock| {
            let _ = reply.send(job(mock));
        })))?;
        answer.recv().map_err(|_| Stopped)
    }

    /// Waits until every expected call of the running test was made, one was made that was not recorded, or the time is over.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn settle(&self, at_most: Duration) -> Result<(), Stopped> {
        let (reply, answer) = bounded(1);
        self.ask(Ask::Settle { deadline: Instant::now() + at_most, reply })?;
        answer.recv().map_err(|_| Stopped)
    }

    fn ask(&self, ask: Ask) -> Result<(), Stopped> {
        self.asks.send(ask).map_err(|_| Stopped)?;
        self.waker.wake().map_err(|_| Stopped)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.ask(Ask::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;

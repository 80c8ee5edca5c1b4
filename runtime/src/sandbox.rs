//! Where an app is replayed: a cgroup whose connections all go to the mock, and nowhere else.
//!
//! The replay programs (`redirect.rr`) are attached before the app starts, and the guardian holds their links: where reel dies, the
//! app's connections go to a port that nobody listens on until the guardian has ended the app. The same programs tell when the
//! app listens, so that nothing is guessed about its start.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reel_compiler::bpf;
use reel_lang::value::Value;
use reel_probes::maps::Map;
use reel_probes::programs;
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::{AsFd, BorrowedFd};

use crate::app::{App, Home, Output};
use crate::capture::kernel::trusted;
use crate::clock::Clock;
use crate::engine::compile;
use crate::engine::session::Session;
use crate::engine::signals::{Signal, Signals};
use crate::exit::{Exit, Failure};

/// AF_INET
const INET: u32 = 2;

/// An app that talks to the mock alone.
pub struct Sandbox {
    app: App,
    session: Session,
}

/// What ended the wait for the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// It listens here.
    Listening(SocketAddr),
    Signal(Signal),
}

/// Tells where a connection to the mock was meant to go, by the client's address.
#[derive(Debug, Clone)]
pub struct Destinations {
    by_port: Map,
    /// The ports on which the app listens.
    own: Map,
}

impl Destinations {
    /// The address that the app asked for; none for a connection that did not come from the app, or that it meant for itself and
    /// that came before it listened: it is refused, as without reel.
    pub fn meant(&self, client: SocketAddr) -> Option<SocketAddr> {
        let key = u64::from(client.port()).to_le_bytes();
        let values = self.by_port.lookup(&key).ok()??;
        let words: Vec<[u8; 4]> = values.first()?.chunks_exact(4).filter_map(|chunk| chunk.try_into().ok()).collect();
        let [family, port, a, b, c, d] = *words.as_slice() else { return None };
        // The port lies in network order at the front of its word.
        let port = u16::from_be_bytes([port[0], port[1]]);
        let ip = if u32::from_le_bytes(family) == INET {
            IpAddr::V4(Ipv4Addr::from(a))
        } else {
            let mut octets = [0; 16];
            for (to, from) in octets.chunks_exact_mut(4).zip([a, b, c, d]) {
                to.copy_from_slice(&from);
            }
            Ipv6Addr::from(octets).to_canonical()
        };
        let is_own = || self.own.lookup(&u64::from(port).to_le_bytes()).is_ok_and(|value| value.is_some());
        (!ip.is_loopback() || !is_own()).then(|| SocketAddr::new(ip, port))
    }
}

impl Sandbox {
    /// Starts an app whose connections go to `mock_port` on 127.0.0.1 and ::1. `destinations` is set before the app runs: it may connect
    /// at once.
    ///
    /// # Errors
    /// What this machine cannot do, or why the command does not start.
    pub fn start(
        command: &[OsString],
        output: Output,
        clock: Option<Clock>,
        mock_port: u16,
        destinations: &OnceLock<Destinations>,
    ) -> Result<Sandbox, Failure> {
        let home = Home::make(output)?.under(clock);
        let network_order = u32::from(mock_port.to_be());
        let parameters = vec![home.cgroup().id().to_string(), network_order.to_string()];
        let lower = compile::kernel_options();
        let (kernel, sources) =
            trusted("redirect.rr", &programs::redirect(), parameters, &lower, &bpf::Options::default())?;
        let session = Session::start(kernel, Some(home.cgroup().path()), &sources)?;
        let map = |name: &str| {
            let lacks = || Failure::new(Exit::Machine, format!("the replay program has no map `{name}`"));
            session.kernel_map(name).ok_or_else(lacks)
        };
        let _ = destinations.set(Destinations { by_port: map("by_port")?, own: map("own")? });
        let app = home.start(command, &[], &session.links())?;
        Ok(Sandbox { app, session })
    }

    /// Waits until the app listens, as the kernel tells it.
    ///
    /// # Errors
    /// The app ended first, or the time is over.
    pub fn wait_listening(&mut self, signals: &mut Signals, timeout: Duration) -> Result<Ready, Failure> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(address) = self.listener() {
                return Ok(Ready::Listening(address));
            }
            if let Some(signal) = signals.take_next() {
                return Ok(Ready::Signal(signal));
            }
            if let Some(status) = self.app.exited() {
                return Err(Failure::new(Exit::App, format!("the app ended before it listened on any port: {status}"))
                    .remedy("its own output is above; in a replay it reaches the recorded dependencies only"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seconds = timeout.as_secs_f64().round();
                return Err(Failure::new(
                    Exit::App,
                    format!("the app listened on no TCP port within {seconds} seconds"),
                )
                .remedy("give it more time with --listen-timeout, or check the command"));
            }
            self.sleep(signals, left)?;
        }
    }

    fn sleep(&self, signals: &Signals, timeout: Duration) -> Result<(), Failure> {
        let ring = self.session.ring().map(AsFd::as_fd);
        self.wait(signals, ring, timeout)
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot wait for the app: {error}")))?;
        if let Some(ring) = self.session.ring() {
            let _ = ring.wait(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits for a signal, the app's end, or that there is something to read.
    fn wait(&self, signals: &Signals, more: Option<BorrowedFd<'_>>, timeout: Duration) -> rustix::io::Result<()> {
        let [interrupt, terminate] = signals.fds();
        let fds = [interrupt, terminate, self.app.exit_fd()].into_iter().chain(more);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut fds, timeout.try_into().ok().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How the app ended, if it does within a time; a signal ends the wait.
    pub fn exits_within(&mut self, signals: &Signals, timeout: Duration) -> Option<ExitStatus> {
        // Where the kernel refuses to wait, there is only nothing to wait for.
        let _ = self.wait(signals, None, timeout);
        self.exited()
    }

    /// The first address on which the app has begun to listen since the last call.
    fn listener(&mut self) -> Option<SocketAddr> {
        let events = self.session.events();
        events.iter().find_map(|(_, args)| address(args.first()?))
    }

    /// How the app ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.app.exited()
    }

    /// What the app sent over UDP and was refused: how often, by port. To port 0 nothing is sent: a C library that connects there asks
    /// which of its addresses has a route (RFC 6724).
    pub fn refused_datagrams(&self) -> BTreeMap<i64, u64> {
        use crate::output::map::Cell;
        use reel_compiler::aggregate::AggValue;
        let entries = self.session.map_named("refused").unwrap_or_default();
        let count = |entry: &crate::output::map::Entry| match (entry.key.first().and_then(Value::as_int), &entry.cell) {
            (Some(port), Cell::Agg(AggValue::Unsigned(count))) if port != 0 => Some((port, *count)),
            _ => None,
        };
        entries.iter().filter_map(count).collect()
    }

    /// Passes a signal on to the app.
    pub fn signal(&self, signal: Signal) {
        self.app.signal(signal.number());
    }

    /// Ends the app.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        self.app.stop()
    }
}

/// What the kernel keeps as the IPv4 address of a listener that is bound to an IPv6 one (`LOOPBACK4_IPV6`).
const OF_IPV6: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// The address of a (family, port, IPv4 address) that the program printed. An IPv6 listener is reached on ::1, one on every
/// address on the loopback; a socket of IPv6 that is bound to ::ffff:127.0.0.1, as Java's are, on 127.0.0.1.
fn address(value: &Value) -> Option<SocketAddr> {
    let Value::List(parts) = value else { return None };
    let number = |i: usize| parts.get(i).and_then(Value::as_int).and_then(|n| u32::try_from(n).ok());
    let port = u16::try_from(number(1)?).ok()?;
    let ip: IpAddr = match (number(0)?, Ipv4Addr::from(number(2)?.to_le_bytes())) {
        (INET, ip) if !ip.is_unspecified() => ip.into(),
        (INET, _) => Ipv4Addr::LOCALHOST.into(),
        (_, ip) if !ip.is_unspecified() && ip != OF_IPV6 => ip.into(),
        _ => Ipv6Addr::LOCALHOST.into(),
    };
    Some(SocketAddr::new(ip, port))
}

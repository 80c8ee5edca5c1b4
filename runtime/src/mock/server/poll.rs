//! The loop: readiness in, events to the mock, its commands out.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::socket::{End, Socket};
use super::{Ask, Resolver};
use crate::mock::{Command, ConnId, Event, Mock};

const WAKE: Token = Token(0);
const LISTEN: [Token; 2] = [Token(1), Token(2)];
/// The first token of a connection.
const FIRST: usize = 3;
const READ_LEN_BYTES: usize = 64 << 10;
/// How many connections may be open at once; beyond that a new one is reset.
const MAX_CONNECTIONS: usize = 16_384;

pub(super) struct Loop {
    poll: Poll,
    listeners: Vec<(Token, TcpListener)>,
    inbox: Receiver<Ask>,
    mock: Mock,
    resolver: Resolver,
    sockets: HashMap<Token, Peer>,
    next: usize,
    timers: BTreeSet<(u64, Token)>,
    settling: Vec<(Instant, Sender<()>)>,
    start: Instant,
    buffer: Vec<u8>,
}

/// How often a port is tried that is free for IPv4 and may be taken for IPv6.
const PORT_TRIES: usize = 16;

/// Listens on one port of 127.0.0.1 and ::1: the app's connections are redirected by address family alone.
fn listen() -> io::Result<Vec<(Token, TcpListener)>> {
    for _ in 0..PORT_TRIES {
        let four = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let port = four.local_addr()?.port();
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port).into()) {
            Ok(six) => return Ok(vec![(LISTEN[0], four), (LISTEN[1], six)]),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
            // A machine without IPv6 has no app that uses it.
            Err(_) => return Ok(vec![(LISTEN[0], four)]),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// A socket, and what it is part of.
struct Peer {
    socket: Socket,
    goes_to: To,
    /// The connection to the real server, of which single calls are asked.
    real: Option<Token>,
    timer_ns: Option<u64>,
    has_ended: bool,
}

/// Where bytes go that come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Mock,
    /// To another socket, as they are.
    Socket(Token),
    /// To the mock, as what the real server says to this connection.
    Asker(Token),
}

impl Loop {
    pub(super) fn new(
        mock: Mock,
        resolver: Resolver,
        inbox: Receiver<Ask>,
    ) -> io::Result<(Self, Vec<SocketAddr>, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut listeners = listen()?;
        let mut addrs = Vec::new();
        for (token, listener) in &mut listeners {
            poll.registry().register(listener, *token, Interest::READABLE)?;
            addrs.push(listener.local_addr()?);
        }
        let driver = Loop {
            poll,
            listeners,
            inbox,
            mock,
            resolver,
            sockets: HashMap::new(),
            next: FIRST,
            timers: BTreeSet::new(),
            settling: Vec::new(),
            start: Instant::now(),
            buffer: vec![0; READ_LEN_BYTES],
        };
        Ok((driver, addrs, waker))
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return,
                _ => {}
            }
            for event in &events {
                match event.token() {
                    WAKE => {}
                    token if LISTEN.contains(&token) => self.accept(token),
                    token => self.ready(token),
                }
            }
            self.fire_timers();
            if !self.take_asks() {
                return;
            }
            self.answer_settled();
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// How long to sleep: to the next timer or deadline.
    fn patience(&self) -> Option<Duration> {
        let timer = self.timers.first().map(|(at_ns, _)| Duration::from_nanos(at_ns.saturating_sub(self.now_ns())));
        let deadline = self.settling.iter().map(|(at, _)| at.saturating_duration_since(Instant::now())).min();
        // The poll counts in milliseconds and rounds up.
        timer.into_iter().chain(deadline).min()
    }

    fn take_asks(&mut self) -> bool {
        while let Ok(ask) = self.inbox.try_recv() {
            match ask {
                Ask::Run(job) => job(&mut self.mock),
                Ask::Settle { deadline, reply } => self.settling.push((deadline, reply)),
                Ask::Stop => return false,
            }
        }
        true
    }

    fn answer_settled(&mut self) {
        if self.settling.is_empty() {
            return;
        }
        let settled = self.mock.outstanding() == 0 || self.mock.has_missed();
        let now = Instant::now();
        self.settling.retain(|(deadline, reply)| {
            let over = settled || *deadline <= now;
            if over {
                let _ = reply.send(());
            }
            !over
        });
    }

    fn accept(&mut self, token: Token) {
        loop {
            let Some((_, listener)) = self.listeners.iter().find(|(known, _)| *known == token) else { return };
            let Ok((stream, from)) = listener.accept() else { return };
            let socket = Socket::new(stream);
            match (self.resolver)(from) {
                Some(to) if self.sockets.len() < MAX_CONNECTIONS => {
                    if let Some(token) = self.add(socket, To::Mock) {
                        self.tell(token, Event::Opened(to));
                        self.ready(token);
                    }
                }
                _ => socket.arm_reset(),
            }
        }
    }

    fn add(&mut self, mut socket: Socket, goes_to: To) -> Option<Token> {
        let token = Token(self.next);
        self.next += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket.stream, token, interest).ok()?;
        self.sockets.insert(token, Peer { socket, goes_to, real: None, timer_ns: None, has_ended: false });
        Some(token)
    }

    /// Writes and reads what is possible.
    fn ready(&mut self, token: Token) {
        self.flush(token);
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(peer) = self.sockets.get_mut(&token) {
            match peer.socket.read(&mut buffer) {
                Ok(None) => break,
                Ok(Some(0)) => {
                    self.ended(token);
                    break;
                }
                Ok(Some(len)) => self.received(token, buffer.get(..len).unwrap_or_default()),
                Err(_) => {
                    self.tell(token, Event::Reset);
                    self.remove(token);
                    break;
                }
            }
        }
        self.buffer = buffer;
    }

    fn received(&mut self, token: Token, bytes: &[u8]) {
        match self.sockets.get(&token).map(|peer| (peer.goes_to, peer.socket.end)) {
            Some((To::Socket(other), _)) => {
                if let Some(other) = self.sockets.get_mut(&other) {
                    other.socket.queue(Bytes::copy_from_slice(bytes));
                }
                self.flush(other);
            }
            Some((To::Asker(asker), _)) => self.tell(asker, Event::Real(bytes)),
            Some((To::Mock, End::Open)) => self.tell(token, Event::Bytes(bytes)),
            _ => {}
        }
    }

    fn ended(&mut self, token: Token) {
        let Some(peer) = self.sockets.get_mut(&token) else { return };
        if std::mem::replace(&mut peer.has_ended, true) {
            return;
        }
        match (peer.goes_to, peer.socket.end) {
            (To::Socket(other), _) => {
                if let Some(other) = self.sockets.get_mut(&other) {
                    other.socket.end = End::Close;
                }
                self.flush(other);
            }
            (To::Asker(_), _) => self.remove(token),
            (To::Mock, End::Open) => self.tell(token, Event::HalfClosed),
            (To::Mock, _) => self.remove(token),
        }
    }

    fn fire_timers(&mut self) {
        let now_ns = self.now_ns();
        while let Some(&(at_ns, token)) = self.timers.first() {
            if at_ns > now_ns {
                return;
            }
            self.timers.remove(&(at_ns, token));
            if let Some(peer) = self.sockets.get_mut(&token) {
                peer.timer_ns = None;
                self.tell(token, Event::Timer);
            }
        }
    }

    /// Tells the mock what happened, and does what it says.
    fn tell(&mut self, token: Token, event: Event<'_>) {
        let now_ns = self.now_ns();
        for command in self.mock.handle(now_ns, ConnId(token.0 as u64), event) {
            self.obey(token, command);
        }
        self.flush(token);
    }

    fn obey(&mut self, token: Token, command: Command) {
        let Some(peer) = self.sockets.get_mut(&token) else { return };
        match command {
            Command::Send(bytes) => peer.socket.queue(bytes),
            Command::Close => {
                if peer.socket.end == End::Open {
                    peer.socket.end = End::Close;
                }
            }
            Command::Reset => {
                let _ = peer.socket.flush();
                peer.socket.arm_reset();
                self.remove(token);
            }
            Command::SetTimer { at_ns } => {
                if let Some(old) = peer.timer_ns.replace(at_ns) {
                    self.timers.remove(&(old, token));
                }
                self.timers.insert((at_ns, token));
            }
            Command::Ask { to, bytes } => self.ask_real(token, to, bytes),
            Command::Forward { to, first } => self.forward(token, to, first),
        }
    }

    /// Sends a call to the real server.
    fn ask_real(&mut self, token: Token, to: SocketAddr, bytes: Bytes) {
        let known = self.sockets.get(&token).and_then(|peer| peer.real);
        let connect = || TcpStream::connect(to).ok();
        let real = match known {
            Some(real) => Some(real),
            None => connect().and_then(|stream| self.add(Socket::new(stream), To::Asker(token))),
        };
        if let Some(peer) = self.sockets.get_mut(&token) {
            peer.real = real;
        }
        match real.and_then(|real| self.sockets.get_mut(&real)) {
            Some(peer) => peer.socket.queue(bytes),
            None => return self.tell(token, Event::RealEnded),
        }
        if let Some(real) = real {
            self.flush(real);
        }
    }

    fn forward(&mut self, token: Token, to: SocketAddr, first: Bytes) {
        let other = TcpStream::connect(to).ok().and_then(|stream| self.add(Socket::new(stream), To::Socket(token)));
        match (other, self.sockets.get_mut(&token)) {
            (Some(other), Some(peer)) => {
                peer.goes_to = To::Socket(other);
                if let Some(other) = self.sockets.get_mut(&other) {
                    other.socket.queue(first);
                }
                self.flush(other);
            }
            (None, Some(peer)) => {
                peer.socket.arm_reset();
                self.remove(token);
            }
            _ => {}
        }
    }

    fn flush(&mut self, token: Token) {
        let Some(peer) = self.sockets.get_mut(&token) else { return };
        let failed = peer.socket.flush().is_err();
        if failed || (peer.socket.end == End::Closed && peer.has_ended) {
            self.remove(token);
        }
    }

    fn remove(&mut self, token: Token) {
        let Some(peer) = self.sockets.remove(&token) else { return };
        if let Some(at_ns) = peer.timer_ns {
            self.timers.remove(&(at_ns, token));
        }
        if let To::Socket(other) = peer.goes_to
            && let Some(other) = self.sockets.get_mut(&other)
        {
            other.goes_to = To::Mock;
            other.socket.end = End::Close;
            let _ = other.socket.flush();
        }
        if let Some(real) = peer.real {
            self.sockets.remove(&real);
        }
        if let To::Asker(asker) = peer.goes_to {
            if let Some(asker) = self.sockets.get_mut(&asker) {
                asker.real = None;
            }
            self.tell(asker, Event::RealEnded);
        }
    }
}

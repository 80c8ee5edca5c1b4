//! Drives a codec over one connection: bytes, holes and closes in, exchanges out. Knows no socket and no clock.
//!
//! The protocol is inferred from the first bytes of both sides; what no protocol claims is opaque. Responses are paired with
//! the oldest open request, as the codec says. After a hole the driver goes on only where that is certain: a protocol with plain
//! boundaries, a connection that never pipelined, a boundary at the start of a segment; otherwise both directions stop. After
//! invalid bytes they always stop. What was not decoded is counted, and each exchange that it touches says so.
//!
//! `T` is whatever the caller wants back of a message's first bytes: the thread, say.

mod datagrams;
mod exchange;
mod infer;
mod stream;

use std::collections::VecDeque;
use std::sync::Arc;

use reel_lang::schema::Side;

pub use datagrams::ANSWER_NS;
pub use exchange::{Breach, Counters, Exchange, Fault, Timed};
use infer::{Inferring, Pending};
use stream::{State, Stream};

use crate::{Codec, Demand, Frame, Message, Pairing, Protocol, Rest, protocols};

/// How often a connection may leave a protocol for another; what follows is opaque.
const UPGRADES_MAX: u32 = 4;

/// Most bytes of an invalid message that are shown.
pub const BREACH_LEN_MAX: usize = 256;

/// Slot numbers of the event `error`.
pub mod slots {
    include!(concat!(env!("OUT_DIR"), "/conversation.rs"));
}

/// What all conversations of a run share.
#[derive(Clone)]
pub struct Config {
    /// The protocols that are tried, in order, and the fields that are wanted of each. The last takes what no other claims.
    pub protocols: Vec<(&'static dyn Protocol, Demand)>,
    /// The most bytes that one direction keeps for an unfinished message.
    pub buffer_len_max: usize,
    /// The most requests that wait for a response.
    pub open_max: usize,
    /// Whether invalid bytes are told ([`Conversation::next_breach`]), and not only counted.
    pub tells_breaches: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            protocols: protocols().iter().map(|protocol| (*protocol, Demand::ALL)).collect(),
            buffer_len_max: 64 * 1024 * 1024,
            open_max: 65_536,
            tells_breaches: false,
        }
    }
}

/// One connection.
pub struct Conversation<T> {
    config: Arc<Config>,
    phase: Phase<T>,
    request: Stream<T>,
    response: Stream<T>,
    /// Requests without their last response, oldest first.
    open: VecDeque<Exchange<T>>,
    /// The length of their messages on the wire.
    open_len_bytes: u64,
    /// Whether two requests were ever open at once.
    has_pipelined: bool,
    done: VecDeque<Exchange<T>>,
    /// At most one for each protocol that was spoken: nothing is decoded after it.
    breaches: VecDeque<Breach<T>>,
    counters: Counters,
    /// How many segments there were, of both directions.
    segments: u64,
    /// How often the protocol was inferred anew.
    upgrades: u32,
}

enum Phase<T> {
    /// Too few bytes to tell the protocol.
    Inferring(Inferring<T>),
    Speaking {
        protocol: &'static dyn Protocol,
        codec: Box<dyn Codec>,
        demand: Demand,
    },
}

impl<T: Clone> Conversation<T> {
    /// Starts a conversation whose protocol is to be inferred.
    pub fn new(config: Arc<Config>) -> Self {
        Conversation {
            config,
            phase: Phase::Inferring(Inferring::default()),
            request: Stream::default(),
            response: Stream::default(),
            open: VecDeque::new(),
            open_len_bytes: 0,
            has_pipelined: false,
            done: VecDeque::new(),
            breaches: VecDeque::new(),
            counters: Counters::default(),
            segments: 0,
            upgrades: 0,
        }
    }

    /// Starts a conversation whose protocol is known.
    pub fn of(protocol: &'static dyn Protocol, demand: Demand, config: Arc<Config>) -> Self {
        let mut conversation = Conversation::new(config);
        conversation.phase = Phase::Speaking { protocol, codec: protocol.codec(), demand };
        conversation
    }

    /// The protocol, once it is known.
    pub fn protocol(&self) -> Option<&'static dyn Protocol> {
        match &self.phase {
            Phase::Speaking { protocol, .. } => Some(*protocol),
            Phase::Inferring(_) => None,
        }
    }

    /// What was seen and lost so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many bytes are kept: of messages that are not whole, and of requests that wait for a response.
    pub fn kept_len_bytes(&self) -> usize {
        let undecided = match &self.phase {
            Phase::Inferring(inferring) => inferring.len(),
            Phase::Speaking { .. } => 0,
        };
        let open = usize::try_from(self.open_len_bytes).unwrap_or(usize::MAX);
        undecided.saturating_add(self.request.kept_len()).saturating_add(self.response.kept_len()).saturating_add(open)
    }

    /// The next exchange that is complete.
    pub fn next_exchange(&mut self) -> Option<Exchange<T>> {
        self.done.pop_front()
    }

    /// The next place where the protocol was broken, where that is asked for.
    pub fn next_breach(&mut self) -> Option<Breach<T>> {
        self.breaches.pop_front()
    }

    /// Takes bytes that follow on those before them.
    pub fn bytes(&mut self, side: Side, time_ns: u64, data: &[u8], tag: T) {
        self.counters.bytes = self.counters.bytes.saturating_add(data.len() as u64);
        self.feed(side, time_ns, data, tag);
    }

    /// Takes note that so many bytes of a direction were not seen.
    pub fn hole(&mut self, side: Side, len: u64) {
        self.counters.holes = self.counters.holes.saturating_add(1);
        self.counters.hole_bytes = self.counters.hole_bytes.saturating_add(len);
        self.decide();
        self.lose(side, len);
        self.advance();
    }

    /// Takes note that a side sends nothing more.
    pub fn closed(&mut self, side: Side) {
        if let Phase::Inferring(inferring) = &mut self.phase {
            if inferring.close(side) {
                self.decide();
            }
            return;
        }
        self.stream(side).closed = true;
        self.end_run(side, Rest::Closed);
        self.advance();
    }

    /// Ends the conversation where the caller stops listening: what is open is given out as unfinished.
    pub fn finish(&mut self) {
        self.decide();
        if self.protocol().is_some_and(|protocol| !protocol.framed()) {
            self.end_run(Side::Request, Rest::Turn);
            self.end_run(Side::Response, Rest::Turn);
        }
        for side in [Side::Request, Side::Response] {
            let left = self.stream(side).discard();
            if left > 0 {
                self.undecoded(left);
                self.fault(side, Fault::Truncated { side, len: left });
            }
        }
        self.give_up_open(|| Fault::NoResponse);
    }

    fn stream(&mut self, side: Side) -> &mut Stream<T> {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    fn feed(&mut self, side: Side, time_ns: u64, data: &[u8], tag: T) {
        if data.is_empty() {
            return;
        }
        if let Phase::Inferring(inferring) = &mut self.phase {
            inferring.add(side, time_ns, data, tag);
            if let Some(choice) = inferring.choose(&self.config.protocols) {
                self.speak(choice);
            }
            return;
        }
        self.end_run(side.opposite(), Rest::Turn);
        let limit = self.config.buffer_len_max;
        let order = self.segments;
        self.segments = order.saturating_add(1);
        let stream = self.stream(side);
        if stream.state == State::Stopped {
            self.undecoded(data.len());
            return;
        }
        if stream.kept_len().saturating_add(data.len()) > limit {
            self.undecoded(data.len());
            self.stop(side, || Fault::Overflow { limit });
            return;
        }
        stream.push(order, time_ns, data, tag);
        self.advance();
    }

    /// Chooses a protocol now, whatever is missing.
    fn decide(&mut self) {
        if let Phase::Inferring(inferring) = &self.phase
            && let Some(choice) = inferring.last_resort(&self.config.protocols)
        {
            self.speak(choice);
        }
    }

    /// Starts to decode, with what was kept while the protocol was unknown.
    fn speak(&mut self, (protocol, demand): (&'static dyn Protocol, Demand)) {
        let phase = Phase::Speaking { protocol, codec: protocol.codec(), demand };
        if let Phase::Inferring(inferring) = std::mem::replace(&mut self.phase, phase) {
            self.replay(inferring.pending);
        }
    }

    fn replay(&mut self, pending: Vec<Pending<T>>) {
        for one in pending {
            match one {
                Pending::Bytes(segment) => self.feed(segment.side, segment.time_ns, &segment.data, segment.tag),
                Pending::Closed(side) => self.closed(side),
            }
        }
    }

    /// Cuts all messages that are whole. Responses that waited for a request go before the next request, so that how the bytes
    /// were cut makes no difference.
    fn advance(&mut self) {
        loop {
            while self.step(Side::Response) {
                self.settle_request();
            }
            self.settle_response();
            if !self.step(Side::Request) {
                break;
            }
        }
        self.settle_request();
    }

    /// Where messages have no bounds of their own, ends the one that a side is sending.
    fn end_run(&mut self, side: Side, rest: Rest) {
        if self.protocol().is_some_and(|protocol| !protocol.framed()) {
            self.cut(side, rest);
        }
    }

    fn step(&mut self, side: Side) -> bool {
        if self.stream(side).state == State::Lost {
            self.resynchronise(side);
        }
        if side == Side::Response && self.response_waits() {
            return false;
        }
        let rest = if self.stream(side).closed { Rest::Closed } else { Rest::Open };
        self.cut(side, rest)
    }

    /// Whether the response's bytes wait for a request. A response can come before its request is whole (100 Continue, an early
    /// refusal): it is read once there is a request for it. Bytes of a request that came later are not waited for.
    fn response_waits(&self) -> bool {
        let is_early = self.request.first_order() < self.response.first_order();
        let may_come = self.request.state == State::Live && !self.request.closed;
        is_early && may_come && self.open.is_empty() && self.protocol().is_some_and(|protocol| protocol.framed())
    }

    /// Cuts one message off the front of a direction.
    fn cut(&mut self, side: Side, rest: Rest) -> bool {
        let Phase::Speaking { codec, demand, protocol } = &mut self.phase else { return false };
        let stream = match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        };
        if stream.is_empty() || stream.state != State::Live {
            return false;
        }
        match codec.frame(side, stream.data(), rest, *demand) {
            Ok(Frame::Incomplete) => false,
            Ok(Frame::Message { message, len }) => {
                let pairing = codec.pair(&message);
                let timed = stream.take(len, message);
                self.counters.messages = self.counters.messages.saturating_add(1);
                if let Some(timed) = timed {
                    self.place(pairing, timed);
                }
                true
            }
            Ok(Frame::Part { len }) => {
                stream.part(len);
                true
            }
            Ok(Frame::Skip { len }) => {
                stream.skip(len);
                self.counters.passed_bytes = self.counters.passed_bytes.saturating_add(len as u64);
                true
            }
            Ok(Frame::Leave { len }) => {
                stream.skip(len);
                self.counters.passed_bytes = self.counters.passed_bytes.saturating_add(len as u64);
                self.begin_anew();
                false
            }
            Err(malformed) => {
                self.counters.malformed = self.counters.malformed.saturating_add(1);
                if self.config.tells_breaches {
                    self.breaches.extend(stream.breach(*protocol, side, &malformed));
                }
                self.stop(side, || Fault::Malformed { side, malformed: malformed.clone() });
                false
            }
        }
    }

    /// Puts a message into its exchange.
    fn place(&mut self, pairing: Pairing, timed: Timed<T>) {
        let Some(protocol) = self.protocol() else { return };
        let mut fresh = Exchange::new(protocol);
        match pairing {
            Pairing::Opens => {
                fresh.request = Some(timed);
                if self.response.closed && self.response.is_empty() {
                    // Nothing can answer it any more.
                    fresh.fault = protocol.framed().then_some(Fault::NoResponse);
                    self.done.push_back(fresh);
                    return;
                }
                self.has_pipelined |= !self.open.is_empty();
                self.open_len_bytes = self.open_len_bytes.saturating_add(fresh.len_bytes());
                self.open.push_back(fresh);
                if self.open.len() > self.config.open_max {
                    let limit = self.config.open_max;
                    self.stop(Side::Request, || Fault::Overflow { limit });
                }
            }
            Pairing::OneWay => {
                fresh.request = Some(timed);
                self.done.push_back(fresh);
            }
            Pairing::Push => {
                fresh.response = Some(timed);
                self.done.push_back(fresh);
            }
            Pairing::Interim => match self.open.front_mut() {
                Some(open) => {
                    self.open_len_bytes = self.open_len_bytes.saturating_add(timed.message.wire_len);
                    open.interim.push(timed);
                }
                None => self.done.push_back(fresh.orphan(timed)),
            },
            Pairing::Answers => {
                let exchange = match self.take_asked(&timed.message) {
                    Some(mut open) => {
                        open.response = Some(timed);
                        open
                    }
                    None => fresh.orphan(timed),
                };
                self.done.push_back(exchange);
            }
            Pairing::Closes | Pairing::Upgrades => {
                let exchange = match self.take_open() {
                    Some(mut open) => {
                        open.response = Some(timed);
                        open
                    }
                    None => fresh.orphan(timed),
                };
                self.done.push_back(exchange);
                if pairing == Pairing::Upgrades {
                    self.begin_anew();
                }
            }
        }
    }

    /// The oldest open exchange whose request a response answers.
    fn take_asked(&mut self, response: &Message) -> Option<Exchange<T>> {
        let Phase::Speaking { codec, .. } = &self.phase else { return None };
        let asked = |open: &Exchange<T>| open.request.as_ref().is_some_and(|one| codec.answers(&one.message, response));
        let index = self.open.iter().position(asked)?;
        let open = self.open.remove(index)?;
        self.open_len_bytes = self.open_len_bytes.saturating_sub(open.len_bytes());
        Some(open)
    }

    /// The oldest request without its last response.
    fn take_open(&mut self) -> Option<Exchange<T>> {
        let open = self.open.pop_front()?;
        self.open_len_bytes = self.open_len_bytes.saturating_sub(open.len_bytes());
        Some(open)
    }

    /// Infers the protocol again, of what follows an upgrade.
    fn begin_anew(&mut self) {
        self.give_up_open(|| Fault::NoResponse);
        let mut segments = self.request.drain(Side::Request);
        segments.extend(self.response.drain(Side::Response));
        segments.sort_by_key(|segment| segment.time_ns);
        let mut pending: Vec<_> = segments.into_iter().map(Pending::Bytes).collect();
        for side in [Side::Request, Side::Response] {
            if std::mem::take(&mut self.stream(side).closed) {
                pending.push(Pending::Closed(side));
            }
        }
        self.phase = Phase::Inferring(Inferring::default());
        self.upgrades = self.upgrades.saturating_add(1);
        if self.upgrades > UPGRADES_MAX
            && let Some((protocol, demand)) = self.config.protocols.last().copied()
        {
            self.phase = Phase::Speaking { protocol, codec: protocol.codec(), demand };
        }
        self.replay(pending);
    }

    /// Gives out what can no longer become whole, as the client has closed and waits for nothing.
    fn settle_request(&mut self) {
        let waits = !self.open.is_empty() && !self.response.closed;
        if self.request.closed && !waits && !self.step(Side::Request) {
            self.truncate(Side::Request);
        }
    }

    /// Gives out what can no longer become whole, as the server has closed.
    fn settle_response(&mut self) {
        if self.response.closed && !self.response_waits() {
            self.truncate(Side::Response);
            self.give_up_open(|| Fault::NoResponse);
        }
    }

    fn truncate(&mut self, side: Side) {
        if matches!(self.phase, Phase::Inferring(_)) {
            return;
        }
        let len = self.stream(side).discard();
        if len > 0 {
            self.undecoded(len);
            self.fault(side, Fault::Truncated { side, len });
        }
    }

    /// Says what went wrong: in the exchange whose response it was, or in one of its own.
    fn fault(&mut self, side: Side, fault: Fault) {
        let open = if side == Side::Response { self.take_open() } else { None };
        if let Some(mut exchange) = open.or_else(|| self.protocol().map(Exchange::new)) {
            exchange.fault = Some(fault);
            self.done.push_back(exchange);
        }
    }

    /// Gives out every open exchange. An opaque run that nothing answers is no fault.
    fn give_up_open(&mut self, fault: impl Fn() -> Fault) {
        self.open_len_bytes = 0;
        for mut exchange in std::mem::take(&mut self.open) {
            exchange.fault = exchange.protocol.framed().then(&fault);
            self.done.push_back(exchange);
        }
    }

    fn undecoded(&mut self, len: usize) {
        self.counters.undecoded_bytes = self.counters.undecoded_bytes.saturating_add(len as u64);
    }

    /// Decodes nothing more of either direction.
    fn stop(&mut self, side: Side, fault: impl Fn() -> Fault) {
        for side in [Side::Request, Side::Response] {
            let left = self.stream(side).discard();
            self.undecoded(left);
            self.stream(side).state = State::Stopped;
        }
        self.fault(side, fault());
        self.open_len_bytes = 0;
        for mut exchange in std::mem::take(&mut self.open) {
            exchange.fault = Some(fault());
            self.done.push_back(exchange);
        }
    }

    /// Drops the message that a hole has damaged, and looks for the next one where that is certain.
    fn lose(&mut self, side: Side, len: u64) {
        let Phase::Speaking { protocol, codec, .. } = &mut self.phase else { return };
        if self.request.state == State::Stopped {
            return;
        }
        let fault = || Fault::Hole { side, len };
        if !protocol.has_boundaries() || self.has_pipelined {
            self.stop(side, fault);
            return;
        }
        // What the codec remembers of open requests is no longer true.
        *codec = protocol.codec();
        let left = self.stream(side).discard();
        self.undecoded(left);
        self.stream(side).state = State::Lost;
        if left > 0 || !self.open.is_empty() {
            self.fault(Side::Response, fault());
        }
    }

    /// Looks for a message at the start of a segment, after a hole.
    fn resynchronise(&mut self, side: Side) {
        let Phase::Speaking { codec, .. } = &mut self.phase else { return };
        // A response counts only after a request that waits for it.
        let not_before_ns = match (side, self.open.front().and_then(|open| open.request.as_ref())) {
            (Side::Request, _) => 0,
            (Side::Response, Some(request)) => request.last_ns,
            (Side::Response, None) => u64::MAX,
        };
        let stream = match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        };
        let boundary = stream
            .segment_starts(not_before_ns)
            .find(|start| stream.data().get(*start..).and_then(|rest| codec.find_boundary(side, rest)) == Some(0));
        let Some(boundary) = boundary else { return };
        stream.skip(boundary);
        stream.state = State::Live;
        self.counters.resyncs = self.counters.resyncs.saturating_add(1);
        self.undecoded(boundary);
    }
}

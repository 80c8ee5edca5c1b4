//! One connection of the app to a dependency.
//!
//! Answers leave in the order of their requests: one that a rule delays holds back those behind it.

mod by_rule;
mod played;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_protocols::{Codec, Demand, Frame, Inference, Message, Protocol, Rest, Server};

use super::book::Taken;
use super::effects::{Answered, Disordered, Miss, UnmetCall};
use super::entry::{call_key, call_relaxations, operation_of};
use super::opaque::{self, Run};
use super::real::Real;
use super::{Command, Event, Mock, OnMiss};
use crate::matching::Key;
use crate::recording::{Ending, title};
use crate::rules::{Answer, Rules, View};

/// The most bytes of a request that is not whole.
const MAX_REQUEST_LEN_BYTES: usize = 64 << 20;

/// A connection.
pub(super) struct Connection {
    /// Where the app wanted to go.
    asked: SocketAddr,
    /// The recorded server that this is.
    destination: SocketAddr,
    protocol: Option<&'static dyn Protocol>,
    codec: Option<Box<dyn Codec>>,
    /// The server's side, of a protocol that has one of its own.
    server: Option<Box<dyn Server>>,
    /// What came in and is in no message yet.
    input: Vec<u8>,
    /// Whether the app sends nothing more.
    ended: bool,
    waiting: VecDeque<Waiting>,
    /// The last call that was answered: pushes follow it.
    last: Option<usize>,
    /// The server of the calls that a rule passes through.
    real: Option<Real>,
    gone: bool,
}

/// An answer whose time has not come, or that stands behind such a one.
struct Waiting {
    due: Due,
    bytes: Bytes,
    then: Then,
}

/// A request of the app, and its bytes.
struct Request {
    message: Message,
    bytes: Vec<u8>,
    /// A call whose recorded answers serve too.
    kin: Option<Message>,
}

/// When an answer may leave.
enum Due {
    At(u64),
    /// Neither it nor what stands behind it.
    Never,
    /// So long after the real server has answered this.
    Asked(Box<Message>, u64),
}

/// What follows an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Close,
    Reset,
}

impl From<Option<Ending>> for Then {
    fn from(ending: Option<Ending>) -> Self {
        match ending {
            None => Then::Nothing,
            Some(Ending::Closed) => Then::Close,
            Some(Ending::Reset | Ending::Refused) => Then::Reset,
        }
    }
}

type Out = VecDeque<Command>;

impl Connection {
    pub(super) fn new(asked: SocketAddr, destination: SocketAddr, protocol: Option<&'static dyn Protocol>) -> Self {
        Connection {
            asked,
            destination,
            protocol,
            codec: None,
            server: None,
            input: Vec::new(),
            ended: false,
            waiting: VecDeque::new(),
            last: None,
            real: None,
            gone: false,
        }
    }

    /// Whether nothing more can happen on it.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(super) fn handle(&mut self, mock: &mut Mock, now_ns: u64, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Opened(_) => self.open(mock, now_ns, out),
            Event::Bytes(bytes) => {
                self.input.extend_from_slice(bytes);
                self.read(mock, now_ns, false, out);
            }
            Event::HalfClosed => {
                self.ended = true;
                self.read(mock, now_ns, true, out);
            }
            Event::Reset => self.gone = true,
            Event::Timer => {
                if !self.input.is_empty() && self.protocol.is_none_or(|protocol| !protocol.framed()) {
                    self.read(mock, now_ns, true, out);
                }
            }
            Event::Real(bytes) => {
                if let Some(real) = self.real.as_mut().filter(|real| !real.is_over()) {
                    real.hear(bytes);
                    self.relay(mock, now_ns);
                }
            }
            Event::RealEnded => {
                if let Some(real) = self.real.as_mut().filter(|real| !real.is_over()) {
                    real.end();
                    self.relay(mock, now_ns);
                }
            }
        }
        self.flush(now_ns, out);
    }

    /// Says what the server says first; a refused connection is reset.
    fn greet(&mut self, mock: &mut Mock, now_ns: u64, out: &mut Out) {
        let (taken, speaks) = mock.book.take_greeting(self.destination);
        match taken {
            Some(index) => self.say(mock, now_ns, index, 0, None),
            None if mock.on_miss == OnMiss::Pass && (speaks || !mock.book.knows(self.destination)) => {
                self.forward(mock, Bytes::new(), out);
            }
            None if speaks => {
                let protocol = self.protocol.unwrap_or(&reel_protocols::opaque::Tcp);
                let reason = "no recorded greeting of this server is left for this test".to_owned();
                self.miss(mock, now_ns, protocol, None, Some(reason));
            }
            None => {}
        }
    }

    /// Takes the requests out of what came in.
    fn read(&mut self, mock: &mut Mock, now_ns: u64, is_all: bool, out: &mut Out) {
        let Some(protocol) = self.find_protocol(is_all) else {
            // A server that was never recorded is in no hurry; but a few bytes of nothing known are a miss, not a silence.
            if !self.input.is_empty() && !mock.book.knows(self.destination) {
                out.push_back(Command::SetTimer { at_ns: now_ns + opaque::QUIET_NS });
            }
            return;
        };
        if !protocol.framed() {
            return self.read_run(mock, now_ns, protocol, is_all, out);
        }
        if self.server.is_none() {
            self.server = protocol.server();
        }
        if self.server.is_some() {
            return self.read_calls(mock, now_ns, protocol, out);
        }
        let rest = if self.ended { Rest::Closed } else { Rest::Open };
        while !self.gone && !self.input.is_empty() {
            let codec = self.codec.get_or_insert_with(|| protocol.codec());
            match codec.frame(Side::Request, &self.input, rest, Demand::ALL) {
                Ok(Frame::Message { message, len }) => {
                    codec.pair(&message);
                    let bytes = self.input.drain(..len.min(self.input.len())).collect();
                    self.answer(mock, now_ns, protocol, Request { message, bytes, kin: None }, out);
                }
                Ok(Frame::Part { len } | Frame::Skip { len } | Frame::Leave { len }) => {
                    self.input.drain(..len.min(self.input.len()));
                }
                Ok(Frame::Incomplete) if self.input.len() > MAX_REQUEST_LEN_BYTES => {
                    let reason = format!("the request is longer than {MAX_REQUEST_LEN_BYTES} bytes");
                    self.miss(mock, now_ns, protocol, None, Some(reason));
                }
                Ok(Frame::Incomplete) => break,
                Err(malformed) => self.miss(mock, now_ns, protocol, None, Some(malformed.to_string())),
            }
        }
    }

    /// The protocol of the connection: as recorded with this server, else by the first bytes.
    fn find_protocol(&mut self, is_all: bool) -> Option<&'static dyn Protocol> {
        if self.protocol.is_none() && !self.input.is_empty() {
            let mut unsure = false;
            let mut likely: Option<&'static dyn Protocol> = None;
            for protocol in reel_protocols::protocols() {
                match protocol.infer(Side::Request, &self.input) {
                    Inference::Yes => {
                        self.protocol = Some(*protocol);
                        break;
                    }
                    Inference::Unsure if protocol.framed() => unsure = true,
                    // Only its answer could tell, and there is none: the first that it could be.
                    Inference::Likely => {
                        likely.get_or_insert(*protocol);
                    }
                    Inference::Unsure | Inference::No => {}
                }
            }
            if self.protocol.is_none() && (is_all || !unsure) {
                self.protocol = likely.or(Some(&reel_protocols::opaque::Tcp));
            }
        }
        self.protocol
    }

    /// Takes an opaque run, if it is whole.
    fn read_run(&mut self, mock: &mut Mock, now_ns: u64, protocol: &'static dyn Protocol, is_all: bool, out: &mut Out) {
        if self.input.is_empty() {
            return;
        }
        let runs = mock.book.runs(self.destination);
        match opaque::judge(&self.input, runs.iter().filter_map(|entry| entry.run.as_deref())) {
            Run::Whole => {}
            Run::Ambiguous | Run::Partial | Run::Unknown if is_all => {}
            Run::Ambiguous => return out.push_back(Command::SetTimer { at_ns: now_ns + opaque::QUIET_NS }),
            Run::Partial => return,
            Run::Unknown => {}
        }
        let codec = self.codec.get_or_insert_with(|| protocol.codec());
        if let Ok(Frame::Message { message, .. }) = codec.frame(Side::Request, &self.input, Rest::Turn, Demand::ALL) {
            codec.pair(&message);
            let bytes = std::mem::take(&mut self.input);
            self.answer(mock, now_ns, protocol, Request { message, bytes, kin: None }, out);
        }
    }

    /// Answers a request.
    fn answer(
        &mut self,
        mock: &mut Mock,
        now_ns: u64,
        protocol: &'static dyn Protocol,
        request: Request,
        out: &mut Out,
    ) {
        // Recorded calls and the rules on them know the values of the recording.
        let recorded = mock.ledger.recorded(protocol, &request.message);
        let known = recorded.as_ref().unwrap_or(&request.message);
        let view = View::of_call(protocol, self.destination, known);
        let rules = mock.rules.clone();
        let mocking = rules.mocking(&view);
        let relaxations = call_relaxations(&view, rules.as_ref(), mock.book.secrets(&protocol.schema().protocol));
        let key = call_key(&view, &mocking, &relaxations);
        mock.effects.unmet.extend(unmet(rules.as_ref(), Side::Request, &view));
        if mocking.answer != Answer::Recorded {
            by_rule::note(mock, mocking.decided.as_ref());
            return self.answer_by_rule(mock, now_ns, protocol, request, mocking, out);
        }
        let operation = mock.book.wants_operation(mocking.reuse).then(|| operation_of(&view, &mocking, &relaxations));
        let taken = key.and_then(|key| mock.book.take(key, mocking.reuse, operation.flatten()));
        if let (None, Some(kin)) = (taken, &request.kin)
            && let Some(index) = mock.book.kin(View { request: Some(kin), ..view })
        {
            if let Some(by) = &mocking.decided {
                mock.ledger.usage.reuses(by, 1);
            }
            mock.ledger.answered += 1;
            return self.say(mock, now_ns, index, mocking.delay_ns, None);
        }
        let Some((Taken { index, is_strange, overtook }, entry)) =
            taken.and_then(|taken| Some((taken, mock.book.entry(taken.index)?)))
        else {
            return match mock.on_miss {
                OnMiss::Fail => self.miss(mock, now_ns, protocol, Some((request.message, key)), None),
                OnMiss::Pass => self.pass(mock, now_ns, protocol, request, out),
            };
        };
        mock.ledger.answered += 1;
        match &mocking.decided {
            Some(by) if is_strange => mock.ledger.usage.reuses(by, 1),
            None if is_strange => mock.ledger.usage.stands_apart(1),
            _ => {}
        }
        if let Some(other) = overtook.and_then(|other| mock.book.entry(other)) {
            mock.effects.disordered.push(Disordered {
                mock: entry.id.clone(),
                title: entry.title.clone(),
                overtook: other.id.clone(),
                overtook_title: other.title.clone(),
            });
        }
        let mut differences = Vec::new();
        if let Some(recorded) = &entry.exchange.request {
            let mut matcher = mock.ledger.matcher(rules.as_ref());
            differences = matcher.compare(protocol.schema(), Side::Request, recorded, &request.message, &relaxations);
        }
        mock.ledger.give(&entry, &request.message);
        let differing = (!differences.is_empty()).then(|| request.message.clone());
        let (id, title) = (entry.id.clone(), entry.title.clone());
        mock.effects.answered.push(Answered { mock: id, title, differences, request: differing });
        let answered = View { response: entry.exchange.response.as_ref(), ..view };
        mock.effects.unmet.extend(unmet(rules.as_ref(), Side::Response, &answered));
        self.say(mock, now_ns, index, mocking.delay_ns, Some(&request.message));
    }

    /// Sends what a recorded server sent, in answer to a request, and what it said unasked after that.
    fn say(&mut self, mock: &mut Mock, now_ns: u64, index: usize, delay_ns: u64, asked: Option<&Message>) {
        let (mut next, mut asked) = (Some(index), asked);
        while let Some(index) = next {
            let Some(entry) = mock.book.entry(index) else { return };
            let entry = match mock.ledger.replayed(&entry) {
                Some(Ok(renamed)) => Arc::new(renamed),
                Some(Err(reason)) => {
                    let reason =
                        format!("the answer of {} cannot be sent with the values of this replay: {reason}", entry.id);
                    return self.miss(mock, now_ns, entry.protocol, None, Some(reason));
                }
                None => entry,
            };
            if self.server.is_some() {
                self.say_recorded(mock, now_ns, &entry, delay_ns);
                self.last = Some(index);
                next = mock.book.take_push(index);
                continue;
            }
            let codec = self.codec.get_or_insert_with(|| entry.protocol.codec());
            for response in entry.exchange.interim.iter().chain(&entry.exchange.response) {
                codec.pair(response);
            }
            let then = Then::from(entry.ending);
            let mut bytes = entry.answer.clone();
            if let Some(asked) = asked.take().filter(|_| entry.protocol.numbers_requests()) {
                let mut own = bytes.to_vec();
                entry.protocol.address(asked, &mut own);
                bytes = own.into();
            }
            self.waiting.push_back(Waiting { due: Due::At(now_ns + delay_ns), bytes, then });
            self.last = Some(index);
            next = mock.book.take_push(index);
        }
    }

    /// Notes a call that was not recorded, answers with the protocol's own error, and ends the connection.
    fn miss(
        &mut self,
        mock: &mut Mock,
        now_ns: u64,
        protocol: &'static dyn Protocol,
        request: Option<(Message, Option<Key>)>,
        reason: Option<String>,
    ) {
        let named = request.as_ref().map(|(request, _)| title(protocol, request));
        let (request, key) = request.map_or((None, None), |(request, key)| (Some(request), key));
        let title = named.unwrap_or_else(|| "connect".to_owned());
        let how = match (key.is_some_and(|key| mock.book.has(key)), mock.current) {
            (true, Some(_)) => "is in the recording, but not once more for this test",
            (true, None) => "is in the recording, but not once more",
            (false, Some(_)) => "is not in the recording of this test",
            (false, None) => "is not in the recording",
        };
        let text = format!("reel: {title} to {} {how}", self.destination);
        let answer = self.refusal(protocol, reason.as_deref().filter(|_| self.server.is_some()).unwrap_or(&text));
        let destination = self.destination;
        mock.effects.miss(Miss { protocol, destination, title, request, key, reason });
        let then = if answer.is_some() { Then::Close } else { Then::Reset };
        self.input.clear();
        let due = Due::At(now_ns);
        self.waiting.push_back(Waiting { due, bytes: answer.unwrap_or_default().into(), then });
        self.ended = true;
    }

    /// Sends what is due.
    fn flush(&mut self, now_ns: u64, out: &mut Out) {
        while let Some(first) = self.waiting.front() {
            match first.due {
                Due::At(at_ns) if at_ns > now_ns => return out.push_back(Command::SetTimer { at_ns }),
                Due::At(_) => {}
                Due::Never | Due::Asked(..) => return,
            }
            let Some(Waiting { bytes, then, .. }) = self.waiting.pop_front() else { return };
            if !bytes.is_empty() {
                out.push_back(Command::Send(bytes));
            }
            if then != Then::Nothing {
                out.push_back(if then == Then::Close { Command::Close } else { Command::Reset });
                self.gone = true;
                return;
            }
        }
        if self.ended && !self.gone {
            out.push_back(Command::Close);
            self.gone = true;
        }
    }
}

/// The `require`s that a call, or its answer, does not meet.
fn unmet<'a>(rules: &dyn Rules, side: Side, view: &View<'a>) -> impl Iterator<Item = UnmetCall> + use<'a> {
    let view = *view;
    rules.unmet(side, &view).into_iter().map(move |unmet| {
        let named = view.request.map_or_else(|| "connect".to_owned(), |request| title(view.protocol, request));
        UnmetCall { call: format!("{named} to {}", view.addr), unmet }
    })
}

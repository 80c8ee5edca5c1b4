//! From what was captured to what is written: tests, mocks, and which mock belongs to which test.
//!
//! Incoming exchanges become tests in the order in which they began, outgoing ones mocks; a refused connection is a mock without
//! messages. What the server said unasked (a greeting, a push) carries its cue: the connection's opening, or the exchange before
//! it on the same connection. Rules have their say through [`Selection`] before anything reaches the disk.

use std::collections::HashMap;
use std::net::SocketAddr;

use reel_lang::schema::Direction;
use reel_protocols::{Message, Protocol};

use super::attribution::trace::TraceIds;
use super::attribution::value::{Of, Values};
use super::attribution::{self, Cause, Evidence, Incoming, Outgoing};
use super::collector::{Captured, Collected, Refusal, began_ns};
use super::flows::{self, Finder};
use crate::capture::connections::{ConnId, Ends, Moment};
use crate::recording::{
    Attribution, CallId, Circumstance, Cue, Destination, EffectRef, Ending, Error, Exchange, MockId, Owner, Scope,
    SecretsRef, TestId, Writer,
};

/// What the capture rules say of one exchange.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Not recorded; skipping a test also skips the calls that are certainly its own.
    pub is_skipped: bool,
    pub tags: Vec<String>,
}

/// The capture rules: choose exchanges, and redact what they keep.
pub trait Selection {
    /// Judges an exchange, and takes its secrets out of it.
    fn judge(&mut self, exchange: &mut Exchange, at: &Circumstance) -> Verdict;

    /// Keeps the secrets that were taken out where replay finds them, and gives what the recording says of them.
    ///
    /// # Errors
    /// The disk's.
    fn secrets(&mut self) -> Result<Option<SecretsRef>, Error>;
}

/// No rules: everything is recorded as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everything;

impl Selection for Everything {
    fn judge(&mut self, _: &mut Exchange, _: &Circumstance) -> Verdict {
        Verdict::default()
    }

    fn secrets(&mut self) -> Result<Option<SecretsRef>, Error> {
        Ok(None)
    }
}

/// How many of each were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    pub tests: usize,
    pub mocks: usize,
    pub skipped: usize,
}

/// Writes everything that was collected.
///
/// # Errors
/// Where the disk refuses.
pub fn compose(
    collected: Collected,
    start_ns: u64,
    comm: &dyn Fn(u32) -> String,
    selection: &mut dyn Selection,
    writer: &mut Writer,
) -> Result<Written, Error> {
    let has_unseen_calls = collected.has_unseen_calls || !collected.encrypted.is_empty();
    let (incoming, outgoing): (Vec<Captured>, Vec<Captured>) =
        collected.exchanges.into_iter().partition(|captured| captured.ends.direction == Direction::In);
    let calls = calls(outgoing, collected.refusals);
    let requests: Vec<Incoming> = incoming.iter().map(request).collect();
    let said = Said { incoming: &incoming, calls: &calls, has_unseen_calls };
    let causes = attribution::attribute(&requests, &outgoing_calls(&calls), &said);

    let finder = finder(&incoming, &calls);
    let mut composer = Composer {
        start_ns,
        comm,
        selection,
        writer,
        finder,
        tests: Vec::with_capacity(incoming.len()),
        last_of_connection: HashMap::new(),
        written: Written::default(),
    };
    incoming.into_iter().for_each(|captured| composer.test(captured));
    for (call, cause) in calls.into_iter().zip(causes) {
        composer.call(call, &cause)?;
    }
    composer.finish()
}

/// What finds the values that flow, when it knows what was asked.
fn finder(incoming: &[Captured], calls: &[Call]) -> Finder {
    let mut finder = Finder::default();
    for captured in incoming {
        if let Some(request) = &captured.exchange.request {
            finder.asks(request.first_ns, captured.exchange.protocol, &request.message);
        }
    }
    for (protocol, sent_ns, request) in calls.iter().filter_map(Call::request) {
        finder.calls(sent_ns, protocol, request);
    }
    finder
}

/// A test on its way to the disk: calls come to it after it was judged.
struct Judged {
    exchange: Exchange,
    verdict: Verdict,
    at: Circumstance,
    effects: Vec<EffectRef>,
}

/// Writes calls as they come, and the tests that made them at the end.
struct Composer<'a> {
    start_ns: u64,
    comm: &'a dyn Fn(u32) -> String,
    selection: &'a mut dyn Selection,
    writer: &'a mut Writer,
    finder: Finder,
    tests: Vec<Judged>,
    last_of_connection: HashMap<ConnId, MockId>,
    written: Written,
}

impl Composer<'_> {
    fn circumstance(&self, conn: Option<ConnId>, ends: &Ends, moment: Moment, ended_ns: Option<u64>) -> Circumstance {
        Circumstance {
            at_ns: moment.time_ns.saturating_sub(self.start_ns),
            latency_ns: ended_ns.map(|end| end.saturating_sub(moment.time_ns)),
            pid: moment.task.tgid,
            tid: moment.task.tid,
            comm: (self.comm)(moment.task.tid),
            peer: Some(ends.client),
            connection: conn.map_or(0, |conn| conn.0),
        }
    }

    fn test(&mut self, captured: Captured) {
        let (moment, ended_ns) = span(&captured);
        let at = self.circumstance(Some(captured.conn), &captured.ends, moment, ended_ns);
        let mut exchange = recorded(captured);
        let seen = self.finder.see(&exchange);
        let verdict = self.selection.judge(&mut exchange, &at);
        let kept = (!verdict.is_skipped).then_some(&exchange);
        self.finder.test(self.tests.len(), seen, kept, moment.time_ns, ended_ns);
        self.written.skipped += usize::from(verdict.is_skipped);
        self.tests.push(Judged { exchange, verdict, at, effects: Vec::new() });
    }

    fn call(&mut self, call: Call, cause: &Cause) -> Result<(), Error> {
        let mut owners = owners(cause);
        owners.retain(|&(test, _)| !self.tests[test].verdict.is_skipped);
        if owners.is_empty() && matches!(cause, Cause::Certain(..) | Cause::Candidates(_)) {
            self.written.skipped += 1;
            return Ok(());
        }
        let conn = call.conn();
        let at = self.circumstance(conn, &call.ends(), call.moment(), call.ended_ns());
        let sent_ns = call.request().map_or(u64::MAX, |(_, sent_ns, _)| sent_ns);
        let (mut exchange, is_push) = call.recorded();
        let seen = self.finder.see(&exchange);
        let verdict = self.selection.judge(&mut exchange, &at);
        if verdict.is_skipped {
            self.written.skipped += 1;
            return Ok(());
        }
        let cue = is_push.then(|| match conn.and_then(|conn| self.last_of_connection.get(&conn)) {
            Some(id) => Cue::After(id.clone()),
            None => Cue::Connect,
        });
        let spots = self.finder.spots(seen, &exchange);
        let id = self.writer.add_mock(scope(cause), cue, exchange, verdict.tags, at)?;
        if let Some(call) = CallId::of(&id) {
            self.finder.call(Owner::Mock(call), sent_ns, spots);
        }
        self.written.mocks += 1;
        if let Some(conn) = conn {
            self.last_of_connection.insert(conn, id.clone());
        }
        for (test, attribution) in owners {
            self.tests[test].effects.push(EffectRef { mock: id.clone(), attribution });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Written, Error> {
        let mut count = 0;
        let number = |test: &Judged| {
            count += u32::from(!test.verdict.is_skipped);
            TestId(count)
        };
        let numbers: Vec<TestId> = self.tests.iter().map(number).collect();
        let number = |test: usize| numbers.get(test).copied();
        for (index, test) in self.tests.into_iter().enumerate().filter(|(_, test)| !test.verdict.is_skipped) {
            let flows = self.finder.flows(index, &number);
            self.writer.add_test_with(test.exchange, test.effects, test.verdict.tags, flows, test.at)?;
            self.written.tests += 1;
        }
        Ok(self.written)
    }
}

/// What was captured, for who looks into it.
struct Said<'a> {
    incoming: &'a [Captured],
    calls: &'a [Call],
    has_unseen_calls: bool,
}

impl Values for Said<'_> {
    fn each(&self, of: Of, is_wanted: &dyn Fn(&[u8]) -> bool, take: &mut dyn FnMut(&[u8])) -> bool {
        let captured = match of {
            Of::Request(at) | Of::Response(at) => self.incoming.get(at),
            Of::Call(at) | Of::Answer(at) => self.calls.get(at).and_then(Call::captured),
        };
        let Some(exchange) = captured.map(|captured| &captured.exchange) else { return true };
        let messages = match of {
            Of::Request(_) | Of::Call(_) => exchange.request.iter().chain(&[]),
            Of::Response(_) | Of::Answer(_) => exchange.response.iter().chain(&exchange.interim),
        };
        messages.fold(true, |is_read, timed| {
            flows::values(exchange.protocol, &timed.message, is_wanted).for_each(|value| take(&value));
            is_read && flows::is_readable(exchange.protocol, &timed.message)
        })
    }

    fn has_unseen_calls(&self) -> bool {
        self.has_unseen_calls
    }
}

/// A call of the app: an exchange, or a connection that was refused.
enum Call {
    Exchange(Box<Captured>),
    Refused(Refusal),
}

fn calls(exchanges: Vec<Captured>, refusals: Vec<Refusal>) -> Vec<Call> {
    let mut calls: Vec<Call> = exchanges.into_iter().map(|captured| Call::Exchange(Box::new(captured))).collect();
    calls.extend(refusals.into_iter().map(Call::Refused));
    calls.sort_by_key(|call| call.moment().time_ns);
    calls
}

/// What attribution is to know of calls, which are in order.
fn outgoing_calls(calls: &[Call]) -> Vec<Outgoing> {
    let mut last: HashMap<ConnId, usize> = HashMap::new();
    let each = |(i, call): (usize, &Call)| {
        let before = call
            .conn()
            .zip(call.request())
            .and_then(|(conn, (protocol, _, request))| last.insert(conn, i).filter(|_| protocol.continues(request)));
        Outgoing { after: before, ..call.outgoing() }
    };
    calls.iter().enumerate().map(each).collect()
}

impl Call {
    fn outgoing(&self) -> Outgoing {
        let moment = self.moment();
        let (answer, trace) = match self {
            Call::Exchange(captured) => {
                let answer = captured.exchange.request.as_ref().and(captured.exchange.response.as_ref());
                (answer.map(|answer| (answer.first_ns, answer.tag.task)), trace(captured))
            }
            Call::Refused(_) => (None, TraceIds::default()),
        };
        let connection = self.conn().map(|conn| conn.0);
        Outgoing { caller: moment.task, connection, began_ns: moment.time_ns, answer, trace, after: None }
    }

    fn moment(&self) -> Moment {
        match self {
            Call::Exchange(captured) => span(captured).0,
            Call::Refused(refusal) => refusal.moment,
        }
    }

    fn captured(&self) -> Option<&Captured> {
        match self {
            Call::Exchange(captured) => Some(captured),
            Call::Refused(_) => None,
        }
    }

    fn ended_ns(&self) -> Option<u64> {
        self.captured().and_then(|captured| span(captured).1)
    }

    /// The request, and when its last byte was sent.
    fn request(&self) -> Option<(&'static dyn Protocol, u64, &Message)> {
        let captured = self.captured()?;
        let request = captured.exchange.request.as_ref()?;
        Some((captured.exchange.protocol, request.last_ns, &request.message))
    }

    fn conn(&self) -> Option<ConnId> {
        self.captured().map(|captured| captured.conn)
    }

    fn ends(&self) -> Ends {
        match self {
            Call::Exchange(captured) => captured.ends,
            Call::Refused(refusal) => refusal.ends,
        }
    }

    /// The exchange as it is written, and whether the server spoke unasked.
    fn recorded(self) -> (Exchange, bool) {
        match self {
            Call::Exchange(captured) => {
                let is_push = captured.exchange.request.is_none();
                (recorded(*captured), is_push)
            }
            Call::Refused(refusal) => {
                let exchange = Exchange {
                    protocol: reel_protocols::opaque::Tcp.schema().protocol.clone(),
                    direction: Direction::Out,
                    destination: destination(refusal.ends.server),
                    request: None,
                    interim: Vec::new(),
                    response: None,
                    ending: Some(Ending::Refused),
                };
                (exchange, true)
            }
        }
    }
}

fn recorded(captured: Captured) -> Exchange {
    let Captured { ends, exchange, closed_by_server, .. } = captured;
    // A mock closes where the server did. A test is told by its response; only where there is none, by the end.
    let is_told = closed_by_server && (ends.direction == Direction::Out || exchange.response.is_none());
    Exchange {
        protocol: exchange.protocol.schema().protocol.clone(),
        direction: ends.direction,
        destination: destination(ends.server),
        request: exchange.request.map(|timed| timed.message),
        interim: exchange.interim.into_iter().map(|timed| timed.message).collect(),
        response: exchange.response.map(|timed| timed.message),
        ending: is_told.then_some(Ending::Closed),
    }
}

fn destination(server: SocketAddr) -> Destination {
    Destination { addr: server, host: None }
}

/// When and by whom an exchange began, and when its last byte was seen.
fn span(captured: &Captured) -> (Moment, Option<u64>) {
    let exchange = &captured.exchange;
    let first = exchange.request.as_ref().or(exchange.interim.first()).or(exchange.response.as_ref());
    let task = first.map_or(crate::capture::connections::NOBODY, |timed| timed.tag.task);
    let ended_ns = exchange.response.as_ref().map(|timed| timed.last_ns);
    (Moment { time_ns: began_ns(exchange), task }, ended_ns)
}

fn request(captured: &Captured) -> Incoming {
    let (moment, ended_ns) = span(captured);
    Incoming {
        reader: moment.task,
        writer: captured.exchange.response.as_ref().map(|timed| timed.tag.task),
        began_ns: moment.time_ns,
        ended_ns: ended_ns.unwrap_or(u64::MAX),
        trace: trace(captured),
    }
}

/// The trace ids that a request carries.
fn trace(captured: &Captured) -> TraceIds {
    let exchange = &captured.exchange;
    exchange.request.as_ref().map_or_else(TraceIds::default, |timed| TraceIds::of(exchange.protocol, &timed.message))
}

fn owners(cause: &Cause) -> Vec<(usize, Attribution)> {
    match cause {
        Cause::Certain(test, evidence) => vec![(*test, attribution(*evidence))],
        Cause::Candidates(tests) => tests.iter().map(|&test| (test, Attribution::Candidate)).collect(),
        Cause::StartUp | Cause::Background => Vec::new(),
    }
}

fn attribution(evidence: Evidence) -> Attribution {
    match evidence {
        Evidence::Thread => Attribution::Thread,
        Evidence::Socket => Attribution::Socket,
        Evidence::Trace => Attribution::Trace,
        Evidence::Value => Attribution::Value,
        Evidence::Window => Attribution::Window,
    }
}

fn scope(cause: &Cause) -> Scope {
    match cause {
        Cause::Certain(..) | Cause::Candidates(_) => Scope::Test,
        Cause::StartUp => Scope::Startup,
        Cause::Background => Scope::Background,
    }
}

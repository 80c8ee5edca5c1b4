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
use super::attribution::{self, Cause, Evidence, Incoming, Outgoing};
use super::collector::{Captured, Collected, Refusal, began_ns};
use super::flows::Finder;
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
    let (incoming, outgoing): (Vec<Captured>, Vec<Captured>) =
        collected.exchanges.into_iter().partition(|captured| captured.ends.direction == Direction::In);
    let calls = calls(outgoing, collected.refusals);
    let requests: Vec<Incoming> = incoming.iter().map(request).collect();
    let causes = attribution::attribute(&requests, &calls.iter().map(Call::outgoing).collect::<Vec<_>>());

    let mut finder = Finder::default();
    for captured in &incoming {
        if let Some(request) = &captured.exchange.request {
            finder.asks(request.first_ns, captured.exchange.protocol, &request.message);
        }
    }
    for (protocol, sent_ns, request) in calls.iter().filter_map(Call::request) {
        finder.calls(sent_ns, protocol, request);
    }

    let describe = |conn: Option<ConnId>, ends: &Ends, moment: Moment, ended_ns: Option<u64>| Circumstance {
        at_ns: moment.time_ns.saturating_sub(start_ns),
        latency_ns: ended_ns.map(|end| end.saturating_sub(moment.time_ns)),
        pid: moment.task.tgid,
        tid: moment.task.tid,
        comm: comm(moment.task.tid),
        peer: Some(ends.client),
        connection: conn.map_or(0, |conn| conn.0),
    };

    let mut written = Written::default();
    let mut tests = Vec::with_capacity(incoming.len());
    for captured in incoming {
        let (moment, ended_ns) = span(&captured);
        let at = describe(Some(captured.conn), &captured.ends, moment, ended_ns);
        let mut exchange = recorded(captured);
        let seen = finder.see(&exchange);
        let verdict = selection.judge(&mut exchange, &at);
        let is_recorded = !verdict.is_skipped;
        finder.test(tests.len(), seen, is_recorded.then_some(&exchange), moment.time_ns, ended_ns);
        written.skipped += usize::from(verdict.is_skipped);
        tests.push((exchange, verdict, at, Vec::new()));
    }

    let mut last_of_connection: HashMap<ConnId, MockId> = HashMap::new();
    for (call, cause) in calls.into_iter().zip(causes) {
        let owners = owners(&cause).into_iter().filter(|&(test, _)| !tests[test].1.is_skipped).collect::<Vec<_>>();
        if owners.is_empty() && matches!(cause, Cause::Certain(..) | Cause::Candidates(_)) {
            written.skipped += 1;
            continue;
        }
        let moment = call.moment();
        let (conn, ends, ended_ns) = (call.conn(), call.ends(), call.ended_ns());
        let at = describe(conn, &ends, moment, ended_ns);
        let sent_ns = call.request().map_or(u64::MAX, |(_, sent_ns, _)| sent_ns);
        let (mut exchange, is_push) = call.recorded();
        let seen = finder.see(&exchange);
        let verdict = selection.judge(&mut exchange, &at);
        if verdict.is_skipped {
            written.skipped += 1;
            continue;
        }
        let cue = is_push.then(|| match conn.and_then(|conn| last_of_connection.get(&conn)) {
            Some(id) => Cue::After(id.clone()),
            None => Cue::Connect,
        });
        let spots = finder.spots(seen, &exchange);
        let id = writer.add_mock(scope(&cause), cue, exchange, verdict.tags, at)?;
        if let Some(call) = CallId::of(&id) {
            finder.call(Owner::Mock(call), sent_ns, spots);
        }
        written.mocks += 1;
        if let Some(conn) = conn {
            last_of_connection.insert(conn, id.clone());
        }
        for (test, attribution) in owners {
            tests[test].3.push(EffectRef { mock: id.clone(), attribution });
        }
    }
    let mut count = 0;
    let numbers: Vec<TestId> = tests
        .iter()
        .map(|test| {
            count += u32::from(!test.1.is_skipped);
            TestId(count)
        })
        .collect();
    let number = |test: usize| numbers.get(test).copied();
    for (test, (exchange, verdict, at, effects)) in tests.into_iter().enumerate().filter(|(_, test)| !test.1.is_skipped)
    {
        writer.add_test_with(exchange, effects, verdict.tags, finder.flows(test, &number), at)?;
        written.tests += 1;
    }
    Ok(written)
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
        Outgoing { caller: moment.task, connection, began_ns: moment.time_ns, answer, trace }
    }

    fn moment(&self) -> Moment {
        match self {
            Call::Exchange(captured) => span(captured).0,
            Call::Refused(refusal) => refusal.moment,
        }
    }

    fn ended_ns(&self) -> Option<u64> {
        match self {
            Call::Exchange(captured) => span(captured).1,
            Call::Refused(_) => None,
        }
    }

    /// The request, and when its last byte was sent.
    fn request(&self) -> Option<(&'static dyn Protocol, u64, &Message)> {
        let Call::Exchange(captured) = self else { return None };
        let request = captured.exchange.request.as_ref()?;
        Some((captured.exchange.protocol, request.last_ns, &request.message))
    }

    fn conn(&self) -> Option<ConnId> {
        match self {
            Call::Exchange(captured) => Some(captured.conn),
            Call::Refused(_) => None,
        }
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

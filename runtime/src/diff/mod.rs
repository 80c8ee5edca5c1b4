//! Two recordings compared by meaning: what a service was asked, what it answered, and what it called.
//!
//! Numbers, times, ports and the order of tests say nothing, and what match rules relax is no difference. Tests are paired by their
//! operation, the first of a kind with the first; so are the calls of two tests. Calls that belong to no single test are
//! compared as one set. Where each server of one recording is one server of the other, only its address has changed: that is told, and
//! no difference.

mod pairing;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use reel_lang::schema::Side;
use reel_lang::value::Value;
use reel_protocols::Message;

pub use pairing::Pair;
use pairing::pair;

use crate::matching::{Difference, Equality, Matcher, Usage, similarity};
use crate::recording::{Error, Exchange, Mock, Recording, TestOutline, answer, title};
use crate::rules::{Rules, View};

/// What two recordings differ in.
#[derive(Debug, Default)]
pub struct Diff {
    pub dirs: [PathBuf; 2],
    /// The tests that are not the same, in the order of the first recording, then of the second.
    pub tests: Vec<TestDiff>,
    /// How many tests are the same.
    pub same: usize,
    /// The calls that belong to no single test, where they are not the same.
    pub apart: Vec<CallDiff>,
    /// Servers that have another address in the second recording.
    pub moved: Vec<(SocketAddr, SocketAddr)>,
}

/// A test that is not the same in both.
#[derive(Debug)]
pub struct TestDiff {
    pub named: Pair<Named>,
    pub request: Vec<Difference>,
    pub response: Vec<Difference>,
    pub calls: Vec<CallDiff>,
}

/// A call that is not the same in both.
#[derive(Debug)]
pub struct CallDiff {
    pub named: Pair<Named>,
    pub request: Vec<Difference>,
    pub response: Vec<Difference>,
    /// The servers, of a call that is in both.
    servers: Option<(SocketAddr, SocketAddr)>,
}

/// A test or a call, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub title: String,
    /// What came back, in a few words.
    pub answer: String,
}

impl Diff {
    /// Whether the two are the same.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty() && self.apart.is_empty()
    }
}

impl TestDiff {
    fn is_empty(&self) -> bool {
        let is_in_both = matches!(self.named, Pair::Both(..));
        is_in_both && self.request.is_empty() && self.response.is_empty() && self.calls.is_empty()
    }
}

impl CallDiff {
    fn is_empty(&self) -> bool {
        matches!(self.named, Pair::Both(..)) && self.request.is_empty() && self.response.is_empty()
    }
}

/// Compares two recordings under match rules.
///
/// # Errors
/// A document of either that cannot be read.
pub fn diff(first: &Recording, second: &Recording, rules: &dyn Rules) -> Result<Diff, Error> {
    let (mut equality, mut usage) = (Equality::default(), Usage::default());
    let matcher = Matcher { classes: rules, equality: &mut equality, usage: &mut usage };
    let mut comparison = Comparison { first, second, rules, matcher };
    let tests = comparison.tests()?;
    let apart = comparison.calls(&apart(first)?, &apart(second)?);
    let mut diff = Diff { dirs: [first.dir.clone(), second.dir.clone()], tests, apart, ..Diff::default() };
    diff.settle();
    Ok(diff)
}

impl Diff {
    /// Decides what the servers' addresses mean, and leaves out what is the same.
    fn settle(&mut self) {
        let mut servers: BTreeMap<SocketAddr, Vec<SocketAddr>> = BTreeMap::new();
        let calls = || self.tests.iter().flat_map(|test| &test.calls).chain(&self.apart);
        for (was, is) in calls().filter_map(|call| call.servers) {
            let known = servers.entry(was).or_default();
            if !known.contains(&is) {
                known.push(is);
            }
        }
        let mut now: Vec<SocketAddr> = servers.values().flatten().copied().collect();
        now.sort_unstable();
        let is_one_to_one = servers.values().all(|now| now.len() == 1) && now.windows(2).all(|two| two[0] != two[1]);
        if is_one_to_one {
            let pairs = servers.into_iter().filter_map(|(was, now)| Some((was, *now.first()?)));
            self.moved = pairs.filter(|(was, is)| was != is).collect();
        }
        for calls in self.tests.iter_mut().map(|test| &mut test.calls).chain([&mut self.apart]) {
            for call in calls.iter_mut() {
                if let Some((was, is)) = call.servers.filter(|(was, is)| was != is && !is_one_to_one) {
                    call.request.push(elsewhere(was, is));
                }
            }
            calls.retain(|call| !call.is_empty());
        }
        let all = self.tests.len();
        self.tests.retain(|test| !test.is_empty());
        self.same = all - self.tests.len();
    }
}

fn elsewhere(was: SocketAddr, is: SocketAddr) -> Difference {
    let text = |addr: SocketAddr| Value::text(addr.to_string());
    Difference { path: "destination".into(), recorded: text(was), replayed: text(is), why: "it changed".into() }
}

/// The calls that belong to no single test.
fn apart(recording: &Recording) -> Result<Vec<Mock>, Error> {
    let certain =
        |test: &TestOutline| test.effects.iter().filter(|e| e.attribution.is_certain()).map(|e| e.call).collect();
    let mut owned: Vec<_> = recording.tests().iter().flat_map(|test| -> Vec<_> { certain(test) }).collect();
    owned.sort_unstable();
    let of_none = recording.mocks().iter().filter(|mock| owned.binary_search(&mock.id).is_err());
    of_none.map(|mock| recording.mock(mock)).collect()
}

struct Comparison<'a> {
    first: &'a Recording,
    second: &'a Recording,
    rules: &'a dyn Rules,
    matcher: Matcher<'a>,
}

impl Comparison<'_> {
    fn tests(&mut self) -> Result<Vec<TestDiff>, Error> {
        let (first, second) = (self.first, self.second);
        let of = |recording: &'_ Recording| (0..recording.tests().len()).collect::<Vec<_>>();
        let outlines: Vec<&TestOutline> = first.tests().iter().chain(second.tests()).collect();
        let after = first.tests().len();
        let seconds: Vec<usize> = of(second).into_iter().map(|index| index + after).collect();
        let read =
            |index: usize| if index < after { first.test(outlines[index]) } else { second.test(outlines[index]) };
        let alike = |a: usize, b: usize| Ok::<u32, Error>(likeness(&read(a)?.exchange, &read(b)?.exchange));
        let key = |index: usize| (outlines[index].protocol, &outlines[index].title);
        let pairs = pair(&of(first), &seconds, key, alike)?;
        pairs.into_iter().map(|pair| self.test(pair.map(|index| outlines[index]))).collect()
    }

    fn test(&mut self, pair: Pair<&TestOutline>) -> Result<TestDiff, Error> {
        let named = pair.map(|test| Named {
            id: test.id.to_string(),
            title: test.title.to_string(),
            answer: test.answer.to_string(),
        });
        let mut diff = TestDiff { named, request: Vec::new(), response: Vec::new(), calls: Vec::new() };
        if let Pair::Both(a, b) = pair {
            let (was, is) = (self.first.test(a)?, self.second.test(b)?);
            diff.request = self.messages(Side::Request, &was.exchange, &is.exchange);
            diff.response = self.messages(Side::Response, &was.exchange, &is.exchange);
            let (was, is) = (own(self.first, a)?, own(self.second, b)?);
            diff.calls = self.calls(&was, &is);
        }
        Ok(diff)
    }

    fn calls(&mut self, first: &[Mock], second: &[Mock]) -> Vec<CallDiff> {
        let (first, second): (Vec<&Mock>, Vec<&Mock>) = (first.iter().collect(), second.iter().collect());
        let key = |mock: &Mock| (mock.id.protocol.clone(), call_title(&mock.exchange));
        let alike = |a: &Mock, b: &Mock| Ok::<u32, Never>(likeness(&a.exchange, &b.exchange));
        let Ok(pairs) = pair(&first, &second, key, alike);
        pairs.into_iter().map(|pair| self.call(pair)).collect()
    }

    fn call(&mut self, pair: Pair<&Mock>) -> CallDiff {
        let named = pair.map(|mock| Named {
            id: mock.id.to_string(),
            title: call_title(&mock.exchange),
            answer: answer(&mock.exchange),
        });
        let mut diff = CallDiff { named, request: Vec::new(), response: Vec::new(), servers: None };
        if let Pair::Both(a, b) = pair {
            diff.request = self.messages(Side::Request, &a.exchange, &b.exchange);
            diff.response = self.messages(Side::Response, &a.exchange, &b.exchange);
            diff.servers = Some((a.exchange.destination.addr, b.exchange.destination.addr));
        }
        diff
    }

    /// Compares the messages of one side, but for what rules relax.
    fn messages(&mut self, side: Side, was: &Exchange, is: &Exchange) -> Vec<Difference> {
        let Some(protocol) = reel_protocols::by_name(&was.protocol) else { return Vec::new() };
        let of = |exchange: &Exchange| match side {
            Side::Request => exchange.request.iter().cloned().collect::<Vec<Message>>(),
            Side::Response => exchange.interim.iter().chain(&exchange.response).cloned().collect(),
        };
        let (a, b) = (of(was), of(is));
        let mut found = Vec::new();
        if a.len() != b.len() || (side == Side::Response && was.ending != is.ending) {
            let text = |exchange: &Exchange| Value::text(answer(exchange));
            let why = "one has messages, or an end, that the other has not".to_owned();
            found.push(Difference { path: side.name().into(), recorded: text(was), replayed: text(is), why });
        }
        let relaxations = self.rules.relaxations(side, &View::of(protocol, was));
        for (a, b) in a.iter().zip(&b) {
            found.extend(self.matcher.compare(protocol.schema(), side, a, b, &relaxations));
        }
        found
    }
}

/// What cannot go wrong.
type Never = std::convert::Infallible;

/// The calls that surely belong to a test.
fn own(recording: &Recording, test: &TestOutline) -> Result<Vec<Mock>, Error> {
    let certain = test.effects.iter().filter(|effect| effect.attribution.is_certain());
    certain.filter_map(|effect| recording.find(effect.call)).map(|mock| recording.mock(mock)).collect()
}

fn call_title(exchange: &Exchange) -> String {
    match (reel_protocols::by_name(&exchange.protocol), exchange.request.as_ref().or(exchange.response.as_ref())) {
        (Some(protocol), Some(message)) => title(protocol, message),
        _ => "connect".to_owned(),
    }
}

/// How alike two exchanges of one protocol are, of 1000.
fn likeness(a: &Exchange, b: &Exchange) -> u32 {
    match (reel_protocols::by_name(&a.protocol), &a.request, &b.request) {
        (Some(protocol), Some(was), Some(is)) if a.protocol == b.protocol => similarity(protocol.schema(), was, is),
        _ => 0,
    }
}

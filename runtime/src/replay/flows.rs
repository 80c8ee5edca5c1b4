//! The values of this replay in the requests that carried recorded ones.
//!
//! When a source has answered, or a call that is one was made, what stands at its place is kept; the request that got it when it was
//! recorded is sent with that. A source that has nothing there fails the test that needs it, by name. One that is not run at all, since
//! only some tests are, leaves the recorded value, and that is told.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use reel_protocols::{Message, by_name};

use super::outcome::Answer;
use crate::flow::{self, Flow, Given, Spot, leaves, source, text_of};
use crate::recording::{CallId, Owner, Recording, Scope, Test, TestId, TestOutline, is_secret};

/// Recorded values, each with what it is in this replay.
pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The values of a run.
#[derive(Default)]
pub(super) struct Flows {
    /// The places of each source that some test needs.
    wanted: HashMap<Owner, BTreeSet<Spot>>,
    given: Given,
    ran: HashSet<TestId>,
    /// Whether every test of the recording is run.
    is_all: bool,
    used: BTreeMap<(Owner, Spot, Spot), u64>,
    unused: Vec<String>,
}

/// What is sent, and what that says of recorded values.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) values: Pairs,
    /// Tokens of secrets.
    pub(super) secrets: Pairs,
}

impl Flows {
    /// Finds out what these tests need.
    pub(super) fn of(recording: &Recording, chosen: &[&TestOutline]) -> Flows {
        let mut flows = Flows { is_all: chosen.len() == recording.tests().len(), ..Flows::default() };
        for flow in chosen.iter().flat_map(|test| &test.flows) {
            flows.wanted.entry(flow.from).or_default().insert(flow.at.clone());
        }
        flows
    }

    /// The calls that are sources.
    pub(super) fn calls(&self) -> HashMap<CallId, Vec<Spot>> {
        let call = |(owner, spots): (&Owner, &BTreeSet<Spot>)| match owner {
            Owner::Mock(id) => Some((*id, spots.iter().cloned().collect())),
            Owner::Test(_) => None,
        };
        self.wanted.iter().filter_map(call).collect()
    }

    /// Takes what a test answered. Gives the recorded values that are others now.
    pub(super) fn answered(&mut self, test: &Test, answer: Option<&Answer>) -> Pairs {
        self.ran.insert(test.id);
        let mut pairs = Pairs::new();
        let source = Owner::Test(test.id);
        let (Some(spots), Some(protocol)) = (self.wanted.get(&source), by_name(&test.exchange.protocol)) else {
            return pairs;
        };
        for spot in spots {
            let read = |message: &Message| spot.read(protocol, message);
            let Some(now) = answer.and_then(|answer| answer.response.as_ref()).and_then(read) else { continue };
            let was = test.exchange.response.as_ref().and_then(read);
            pairs.extend(was.filter(|was| !is_secret(was)).map(|was| (was, now.clone())));
            self.given.insert((source, spot.clone()), now);
        }
        pairs
    }

    /// Puts values into a request that is about to be sent. `template` is the request with the tokens of its secrets, `calls` what calls
    /// have given.
    ///
    /// # Errors
    /// Which value is not there, for a person.
    pub(super) fn fill(
        &mut self,
        recording: &Recording,
        test: &mut Test,
        template: &Message,
        calls: &Given,
    ) -> Result<Sent, String> {
        let mut sent = Sent::default();
        let (Some(protocol), Some(request)) = (by_name(&test.exchange.protocol), &mut test.exchange.request) else {
            return Ok(sent);
        };
        let mut values: Vec<(&Flow, Vec<u8>)> = Vec::new();
        for flow in &test.flows {
            let found =
                self.given.get(&(flow.from, flow.at.clone())).or_else(|| calls.get(&(flow.from, flow.at.clone())));
            match found {
                Some(value) => values.push((flow, value.clone())),
                None if self.is_run(recording, flow.from) => return Err(missing(flow)),
                None => self.unused.push(format!(
                    "{} {}: sent as recorded, since {} was not run",
                    test.id,
                    flow.to,
                    source(flow.from)
                )),
            }
        }
        for (flow, now) in &values {
            let was = flow.to.read(protocol, request).filter(|was| !is_secret(was));
            let was = was.or_else(|| plain(recording, flow.plain.as_ref()?));
            if was.as_ref() != Some(now) {
                *self.used.entry((flow.from, flow.at.clone(), flow.to.clone())).or_default() += 1;
            }
            sent.values.extend(was.map(|was| (was, now.clone())));
            sent.secrets.extend(flow.to.read(protocol, template).map(|was| (was, now.clone())));
        }
        if let Some(flow) = flow::fill(protocol, request, &values).first() {
            return Err(format!("the recorded request has no {}: mend `flows` in this test's file", flow.to));
        }
        let texts = |message: &Message| {
            let mut texts = Vec::new();
            leaves(protocol, message, &mut |_, leaf| texts.push(text_of(leaf).unwrap_or_default().to_vec()));
            texts
        };
        sent.secrets.extend(texts(template).into_iter().zip(texts(request)));
        sent.secrets.retain(|(was, _)| is_secret(was));
        Ok(sent)
    }

    /// Whether a source was run, or should have been by now.
    fn is_run(&self, recording: &Recording, source: Owner) -> bool {
        match source {
            Owner::Test(id) => self.ran.contains(&id) || self.is_all,
            // What belongs to no test may be missing.
            Owner::Mock(id) => self.is_all && recording.find(id).is_some_and(|call| call.scope == Scope::Test),
        }
    }

    /// What was sent in place of recorded values, and how often.
    pub(super) fn used(&self) -> Vec<(String, u64)> {
        let line = |((from, at, to), count): (&(Owner, Spot, Spot), &u64)| {
            (format!("{at} of {} into {to}", source(*from)), *count)
        };
        self.used.iter().map(line).collect()
    }

    /// What was sent as recorded all the same.
    pub(super) fn unused(&self) -> Vec<String> {
        self.unused.clone()
    }
}

fn missing(flow: &Flow) -> String {
    let what = match flow.from {
        Owner::Test(_) => "which the replay's answer did not have",
        Owner::Mock(_) => "which was not made in this replay, or did not have it",
    };
    format!("the value of {} came from {}'s {}, {what}", flow.to, source(flow.from), flow.at)
}

/// What a value was, where only a call says so.
fn plain(recording: &Recording, (owner, at): &(Owner, Spot)) -> Option<Vec<u8>> {
    let Owner::Mock(id) = owner else { return None };
    let exchange = recording.mock(recording.find(*id)?).ok()?.exchange;
    at.read(by_name(&exchange.protocol)?, exchange.request.as_ref()?)
}

//! What is known of a test, a mock or an entry of `timing.yaml` without reading it: where it stands, and what is asked of all
//! of them at once.
//!
//! Nothing here depends on rules: it is the same whoever opens the recording, and so it can be kept in the index. Outlines are
//! small, since those of a whole recording are in memory; the documents themselves are read one by one, when they are needed.

use std::cmp::Ordering;
use std::fmt;
use std::net::SocketAddr;

use reel_lang::schema::{FieldId, Side, conn};
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};
use serde::{Deserialize, Serialize};

use super::model::{Attribution, Circumstance, Cue, Ending, Exchange, Mock, MockId, Scope, Test, TestId};
use super::redact::{is_secret, secret_tokens};
use super::title::{answer, exchange_title};
use crate::flow::{self, Flow};
use crate::matching::operation;

/// A document in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which of the index's files.
    pub file: u32,
    /// The line of the document's first byte, from 1.
    pub line: u32,
    pub offset: u64,
    pub len: u32,
    /// Of the document's bytes.
    pub hash: u64,
}

/// A protocol of this version's registry, by its place there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProtocolId(u16);

impl ProtocolId {
    /// Finds a protocol.
    pub fn of(name: &str) -> Option<Self> {
        let at = reel_protocols::protocols().iter().position(|protocol| protocol.schema().protocol == name)?;
        u16::try_from(at).ok().map(ProtocolId)
    }

    /// Whether this version has it: an index may say anything.
    pub(super) fn is_known(self) -> bool {
        reel_protocols::protocols().get(self.0 as usize).is_some()
    }

    pub fn protocol(self) -> &'static dyn Protocol {
        reel_protocols::protocols().get(self.0 as usize).copied().unwrap_or(&reel_protocols::opaque::Tcp)
    }

    pub fn name(self) -> &'static str {
        &self.protocol().schema().protocol
    }
}

impl fmt::Debug for ProtocolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The id of a mock, in eight bytes; its order is that of [`MockId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallId {
    pub protocol: ProtocolId,
    pub number: u32,
}

impl CallId {
    /// None where the protocol is not known to this version.
    pub fn of(id: &MockId) -> Option<Self> {
        Some(CallId { protocol: ProtocolId::of(&id.protocol)?, number: id.number })
    }

    pub fn id(self) -> MockId {
        MockId { protocol: self.protocol.name().to_owned(), number: self.number }
    }
}

impl Ord for CallId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.protocol.name().cmp(other.protocol.name()).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for CallId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

/// An effect of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectOutline {
    pub call: CallId,
    pub attribution: Attribution,
}

/// A test, without its messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestOutline {
    pub id: TestId,
    pub place: Place,
    pub protocol: ProtocolId,
    pub addr: SocketAddr,
    /// The operation, for people.
    pub title: Box<str>,
    /// What came back, in a few words.
    pub answer: Box<str>,
    pub tags: Box<[Box<str>]>,
    pub effects: Box<[EffectOutline]>,
    /// The tokens of secrets in its request.
    pub secrets: Box<[Box<str>]>,
    /// Those of them that flows put in where their sources are run.
    pub given: Box<[Box<str>]>,
    /// The values that its request got from earlier exchanges.
    pub flows: Box<[Flow]>,
}

impl TestOutline {
    /// None where this version does not know a protocol that the test names.
    pub(super) fn of(test: &Test, place: Place) -> Option<Self> {
        let effect = |effect: &super::EffectRef| {
            Some(EffectOutline { call: CallId::of(&effect.mock)?, attribution: effect.attribution })
        };
        Some(TestOutline {
            id: test.id,
            place,
            protocol: ProtocolId::of(&test.exchange.protocol)?,
            addr: test.exchange.destination.addr,
            title: exchange_title(&test.exchange).into(),
            answer: answer(&test.exchange).into(),
            tags: test.tags.iter().map(|tag| tag.as_str().into()).collect(),
            effects: test.effects.iter().map(effect).collect::<Option<_>>()?,
            secrets: test.exchange.request.as_ref().map(secret_tokens).unwrap_or_default().into(),
            given: given(test).into(),
            flows: test.flows.clone().into(),
        })
    }

    /// The tests that its flows begin in.
    pub fn sources(&self) -> impl Iterator<Item = TestId> {
        self.flows.iter().filter_map(|flow| if let Owner::Test(id) = flow.from { Some(id) } else { None })
    }
}

/// The tokens of a request that its flows replace.
fn given(test: &Test) -> Vec<Box<str>> {
    let (Some(request), Some(protocol)) =
        (&test.exchange.request, reel_protocols::by_name(&test.exchange.protocol).filter(|_| !test.flows.is_empty()))
    else {
        return Vec::new();
    };
    let mut filled = request.clone();
    let values: Vec<(&Flow, Vec<u8>)> = test.flows.iter().map(|flow| (flow, b"value".to_vec())).collect();
    flow::fill(protocol, &mut filled, &values);
    let left = secret_tokens(&filled);
    secret_tokens(request).into_iter().filter(|token| !left.contains(token)).collect()
}

/// When the server speaks an exchange that has no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CueOutline {
    Connect,
    After(CallId),
}

/// A mock, without its messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MockOutline {
    pub id: CallId,
    pub place: Place,
    /// The server.
    pub addr: SocketAddr,
    /// Of the fields of its request that name the operation: requests with one key have the same, unless rules relax these fields.
    pub operation: Option<u64>,
    pub scope: Scope,
    pub cue: Option<CueOutline>,
    pub ending: Option<Ending>,
    pub has_request: bool,
    pub has_response: bool,
    /// Whether a `limit` cut one of its messages.
    pub is_cut: bool,
}

impl MockOutline {
    /// None where this version does not know a protocol that the mock names.
    pub(crate) fn of(mock: &Mock, place: Place) -> Option<Self> {
        let Exchange { destination, request, interim, response, ending, .. } = &mock.exchange;
        let cue = match &mock.cue {
            None => None,
            Some(Cue::Connect) => Some(CueOutline::Connect),
            Some(Cue::After(id)) => Some(CueOutline::After(CallId::of(id)?)),
        };
        let protocol = ProtocolId::of(&mock.exchange.protocol)?;
        let mut messages = request.iter().chain(interim).chain(response);
        Some(MockOutline {
            id: CallId::of(&mock.id)?,
            place,
            addr: destination.addr,
            operation: request.as_ref().map(|request| operation(protocol.protocol().schema(), request)),
            scope: mock.scope,
            cue,
            ending: *ending,
            has_request: request.is_some(),
            has_response: response.is_some(),
            is_cut: messages.any(|message| message.cut_from.is_some()),
        })
    }
}

/// Whose times an entry of `timing.yaml` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Owner {
    Mock(CallId),
    Test(TestId),
}

impl Owner {
    /// Reads `test-0001` or the id of a mock.
    pub(super) fn of(key: &str) -> Option<Self> {
        match key.strip_prefix("test-") {
            Some(number) => number.parse().ok().map(|number| Owner::Test(TestId(number))),
            None => CallId::of(&key.parse().ok()?).map(Owner::Mock),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Test(id) => write!(f, "test-{id}"),
            Owner::Mock(id) => write!(f, "{id}"),
        }
    }
}

/// An entry of `timing.yaml`, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimingOutline {
    pub owner: Owner,
    pub place: Place,
    pub at_ns: u64,
    pub latency_ns: Option<u64>,
    /// Which of the index's parties.
    pub party: u32,
}

/// Who took part in an exchange: exchanges of one connection and thread share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Party {
    pub pid: u32,
    pub tid: u32,
    pub comm: Box<str>,
    pub peer: Option<SocketAddr>,
    pub connection: u32,
}

impl Party {
    pub(super) fn of(at: &Circumstance) -> Self {
        let Circumstance { pid, tid, peer, connection, .. } = *at;
        Party { pid, tid, comm: at.comm.as_str().into(), peer, connection }
    }
}

impl TimingOutline {
    /// The entry as it was written.
    pub(super) fn circumstance(&self, party: &Party) -> Circumstance {
        Circumstance {
            at_ns: self.at_ns,
            latency_ns: self.latency_ns,
            pid: party.pid,
            tid: party.tid,
            comm: party.comm.to_string(),
            peer: party.peer,
            connection: party.connection,
        }
    }
}

/// When a recording began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// In nanoseconds since 1970.
    pub at_ns: i64,
    /// Which of the index's files says so.
    pub file: u32,
}

/// A step to a value within a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SecretStep {
    Name(Box<str>),
    Index(u32),
}

/// Where a recorded request has a redacted value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretPlace {
    /// Which of the index's files has a mock with it.
    pub file: u32,
    pub protocol: ProtocolId,
    slot: u32,
    pub steps: Vec<SecretStep>,
}

impl SecretPlace {
    /// The field.
    pub fn field(&self) -> FieldId {
        FieldId(self.slot)
    }
}

/// Notes the places of redacted values in a request, each once a file.
pub(crate) fn note_secrets(file: u32, protocol: ProtocolId, request: &Message, found: &mut Vec<SecretPlace>) {
    debug_assert_eq!(request.side, Side::Request);
    for (slot, value) in (conn::COUNT..).zip(&request.fields) {
        walk(value, &mut Vec::new(), &mut |steps| {
            let place = SecretPlace { file, protocol, slot, steps: steps.to_vec() };
            if !found.contains(&place) {
                found.push(place);
            }
        });
    }
}

fn walk(value: &Value, steps: &mut Vec<SecretStep>, found: &mut dyn FnMut(&[SecretStep])) {
    match value.untagged() {
        Value::Str(text) if is_secret(text) => found(steps),
        Value::List(items) => {
            for (index, item) in (0..).zip(items) {
                steps.push(SecretStep::Index(index));
                walk(item, steps, found);
                steps.pop();
            }
        }
        Value::Map(pairs) => {
            for (key, item) in pairs {
                if let Some(name) = key.as_str() {
                    steps.push(SecretStep::Name(name.into()));
                    walk(item, steps, found);
                    steps.pop();
                }
            }
        }
        _ => {}
    }
}

//! A recorded call, ready to answer: its key, its bytes, and whose it is.

use bytes::Bytes;
use reel_lang::schema::{Direction, Side};
use reel_protocols::{Frame, Protocol, Rest};

use crate::matching::{Key, chosen_key, request_key};
use crate::recording::{Cue, Ending, Exchange, Mock, MockId, Scope, TestId, title, wire_bytes};
use crate::rules::{Answer, Mocking, Relaxation, Reuse, Rules, View};

/// A recorded call.
pub struct Entry {
    pub id: MockId,
    pub protocol: &'static dyn Protocol,
    pub exchange: Exchange,
    pub scope: Scope,
    pub cue: Option<Cue>,
    /// The operation, for people.
    pub title: String,
    /// The tests that may have made it; one if that is certain.
    pub owners: Vec<TestId>,
    /// Whether the only owner is certain.
    pub is_certain: bool,
    /// Absent where there is no request.
    pub key: Option<Key>,
    /// The request's bytes, of a protocol whose messages have no bounds of their own.
    pub run: Option<Bytes>,
    /// Everything that the server sent.
    pub answer: Bytes,
    /// Whether the connection ends after the answer, and how.
    pub ending: Option<Ending>,
    /// Whether it may repeat or be missing.
    pub is_free: bool,
    /// Whether a rule answers such calls without the recording.
    pub by_rule: bool,
    /// Whether it has answered.
    pub is_used: bool,
}

impl Entry {
    /// Prepares a recorded call.
    ///
    /// # Errors
    /// What is wrong with its messages, for a person.
    pub fn new(mock: &Mock, rules: &dyn Rules, secrets: &[Relaxation]) -> Result<Self, String> {
        let exchange = mock.exchange.clone();
        let protocol = reel_protocols::by_name(&exchange.protocol)
            .ok_or_else(|| format!("this version of reel has no protocol `{}`", exchange.protocol))?;
        let mut request = View::of(protocol, &exchange);
        request.response = None;
        let mocking = if request.request.is_some() { rules.mocking(&request) } else { Mocking::default() };
        let key = call_key(&request, &mocking, &call_relaxations(&request, rules, secrets));
        let by_rule = mocking.answer != Answer::Recorded;
        let title = match (&exchange.request, &exchange.response) {
            (Some(message), _) | (None, Some(message)) => title(protocol, message),
            (None, None) => "connect".to_owned(),
        };
        let cannot = |reason: String| format!("{} {title} cannot be a mock's answer: {reason}", mock.id);
        // What a rule answers needs no recorded bytes.
        let is_cut = exchange.request.iter().chain(&exchange.response).any(|message| message.cut_from.is_some());
        let (answer, ending, run) = if by_rule && is_cut {
            (Bytes::new(), None, None)
        } else {
            let (answer, ending) = answer(protocol, &exchange).map_err(cannot)?;
            (answer, ending, run(protocol, &exchange).map_err(cannot)?)
        };
        let is_free = mock.scope != Scope::Test || mocking.reuse != Reuse::Once || by_rule;
        Ok(Entry {
            id: mock.id.clone(),
            protocol,
            scope: mock.scope,
            cue: mock.cue.clone(),
            title,
            owners: Vec::new(),
            is_certain: false,
            key,
            run,
            answer,
            ending,
            is_free,
            by_rule,
            is_used: false,
            exchange,
        })
    }

    /// Whether it may answer in this test.
    pub fn is_eligible(&self, test: Option<TestId>) -> bool {
        match self.scope {
            Scope::Startup | Scope::Background => true,
            Scope::Test => !self.is_used && test.is_some_and(|test| self.owners.contains(&test)),
        }
    }
}

/// The bytes of the request, which must be whole; kept of a protocol whose messages have no bounds of their own.
fn run(protocol: &dyn Protocol, exchange: &Exchange) -> Result<Option<Bytes>, String> {
    match &exchange.request {
        Some(request) if !protocol.framed() || request.cut_from.is_some() => wire_bytes(protocol, request).map(Some),
        _ => Ok(None),
    }
}

/// The key of a call; none without a request.
pub fn call_key(view: &View<'_>, mocking: &Mocking, relaxations: &[Relaxation]) -> Option<Key> {
    let request = view.request?;
    Some(match &mocking.key {
        Some(fields) => chosen_key(view.schema(), view.addr, request, fields),
        None => request_key(view.schema(), view.addr, request, relaxations),
    })
}

/// The match rules that apply to a call, and the places where secrets were recorded.
pub fn call_relaxations(view: &View<'_>, rules: &dyn Rules, secrets: &[Relaxation]) -> Vec<Relaxation> {
    debug_assert_eq!(view.direction, Direction::Out);
    let mut relaxations = rules.relaxations(Side::Request, view);
    relaxations.extend_from_slice(secrets);
    relaxations
}

/// The bytes of everything that the server sent, and how the connection ends after them.
fn answer(protocol: &dyn Protocol, exchange: &Exchange) -> Result<(Bytes, Option<Ending>), String> {
    let responses: Vec<_> = exchange.interim.iter().chain(&exchange.response).collect();
    let bytes = match responses.as_slice() {
        [only] => wire_bytes(protocol, only)?,
        many => {
            let mut all = Vec::new();
            for message in many {
                all.extend_from_slice(&wire_bytes(protocol, message)?);
            }
            all.into()
        }
    };
    let closes = exchange.ending.is_none() && protocol.framed() && ends_with_close(protocol, exchange, &bytes);
    Ok((bytes, if closes { Some(Ending::Closed) } else { exchange.ending }))
}

/// Whether only the connection's end tells where the answer ends.
fn ends_with_close(protocol: &dyn Protocol, exchange: &Exchange, bytes: &[u8]) -> bool {
    let mut codec = protocol.codec();
    if let Some(request) = &exchange.request {
        codec.pair(request);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        match codec.frame(Side::Response, rest, Rest::Open, reel_protocols::Demand::ALL) {
            Ok(Frame::Message { message, len }) => {
                codec.pair(&message);
                rest = rest.get(len.max(1)..).unwrap_or_default();
            }
            Ok(Frame::Incomplete) => return true,
            Err(_) => return false,
        }
    }
    false
}

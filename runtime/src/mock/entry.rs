//! A recorded call, ready to answer: its bytes, and what the rules say of it.
//!
//! The two are apart: what rules say is asked once and small, so it is kept of every call that was looked at; the messages and
//! bytes of a call are read again when they are needed again.

use bytes::Bytes;
use reel_lang::schema::{Direction, Side};
use reel_protocols::{Frame, Message, Protocol, Rest};

use super::book::Operation;
use crate::matching::{Key, Names, Way, chosen_key, likeness, operation, relaxes_operation, request_key};
use crate::recording::{Ending, Exchange, Mock, MockId, ProtocolId, exchange_len_bytes, title, wire_bytes};
use crate::rules::{ActionId, Answer, Mocking, Origin, Relaxation, Reuse, Rules, View};

/// A recorded call.
pub struct Entry {
    pub id: MockId,
    pub protocol: &'static dyn Protocol,
    pub exchange: Exchange,
    /// The operation, for people.
    pub title: String,
    /// The request's bytes, of a protocol whose messages have no bounds of their own.
    pub run: Option<Bytes>,
    /// Everything that the server sent.
    pub answer: Bytes,
    /// Whether the connection ends after the answer, and how.
    pub ending: Option<Ending>,
}

/// What the rules say of a recorded call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// Absent where there is no request.
    pub key: Option<Key>,
    /// Which of several with its key answers.
    pub reuse: Reuse,
    /// Whether a rule answers such calls without the recording.
    pub by_rule: bool,
    /// The action that decided on either.
    pub decided: Option<ActionId>,
    /// What calls share that are one and the same to whoever makes them: what they ask, in every field, and what is answered.
    pub likeness: u64,
}

impl Ruling {
    /// Asks the rules. Beside it, the action that decided.
    ///
    /// # Errors
    /// The recording names a protocol that this version does not have.
    pub fn of(
        mock: &Mock,
        rules: &dyn Rules,
        secrets: &[Relaxation],
    ) -> Result<(Self, Option<(ActionId, Origin)>), String> {
        let mut request = View::of(protocol(&mock.exchange)?, &mock.exchange);
        request.response = None;
        let mocking = match request.request {
            Some(_) => rules.mocking(&request),
            None => rules.mocking_of_connection(&request).unwrap_or_default(),
        };
        let key = call_key(&request, &mocking, &call_relaxations(&request, rules, secrets));
        let by_rule = mocking.answer != Answer::Recorded;
        let decided = mocking.decided.as_ref().map(|(id, _)| *id);
        let likeness = likeness(request.schema(), &mock.exchange);
        Ok((Ruling { key, reuse: mocking.reuse, by_rule, decided, likeness }, mocking.decided))
    }

    /// Whether it may repeat or be missing.
    pub fn is_free(&self) -> bool {
        self.by_rule || self.reuse != Reuse::Once
    }
}

fn protocol(exchange: &Exchange) -> Result<&'static dyn Protocol, String> {
    reel_protocols::by_name(&exchange.protocol)
        .ok_or_else(|| format!("this version of reel has no protocol `{}`", exchange.protocol))
}

impl Entry {
    /// Prepares a recorded call.
    ///
    /// # Errors
    /// What is wrong with its messages, for a person.
    pub fn new(mock: Mock, ruling: Ruling) -> Result<Self, String> {
        let Mock { id, exchange, .. } = mock;
        let protocol = protocol(&exchange)?;
        let title = match (&exchange.request, &exchange.response) {
            (Some(message), _) | (None, Some(message)) => title(protocol, message),
            (None, None) => "connect".to_owned(),
        };
        let cannot = |reason: String| format!("{id} {title} cannot be a mock's answer: {reason}");
        // What a rule answers needs no recorded bytes.
        let is_cut = exchange.request.iter().chain(&exchange.response).any(|message| message.cut_from.is_some());
        let (answer, ending, run) = if ruling.by_rule && is_cut {
            (Bytes::new(), None, None)
        } else if protocol.server().is_some() {
            // How it is put depends on who asks. An end after an answer is only the session's.
            if is_cut {
                return Err(cannot("it was cut by `limit` when it was recorded".to_owned()));
            }
            (Bytes::new(), exchange.ending.filter(|_| exchange.response.is_none()), None)
        } else {
            let (answer, ending) = answer(protocol, &exchange).map_err(cannot)?;
            (answer, ending, run(protocol, &exchange).map_err(cannot)?)
        };
        Ok(Entry { id, protocol, exchange, title, run, answer, ending })
    }

    /// The same call, its answer with the values of this replay; none where that has none.
    pub fn renamed(&self, names: &Names) -> Option<Result<Entry, String>> {
        let rename = |message: &Message| names.message(Way::ToReplay, self.protocol, message);
        let responses = || self.exchange.interim.iter().chain(&self.exchange.response);
        if names.is_empty() || !responses().any(|message| rename(message).is_some()) {
            return None;
        }
        let mut exchange = self.exchange.clone();
        for message in exchange.interim.iter_mut().chain(&mut exchange.response) {
            if let Some(renamed) = rename(message) {
                *message = renamed;
            }
        }
        let answer = match self.protocol.server() {
            Some(_) => Ok((Bytes::new(), self.ending)),
            None => answer(self.protocol, &exchange),
        };
        let Entry { id, protocol, title, run, .. } = self;
        let (id, title, run) = (id.clone(), title.clone(), run.clone());
        Some(answer.map(|(answer, ending)| Entry { id, protocol: *protocol, exchange, title, run, answer, ending }))
    }

    /// Whether another call has the same answer.
    pub fn answers_as(&self, other: &Entry) -> bool {
        let is_played = self.protocol.server().is_some();
        self.answer == other.answer
            && self.ending == other.ending
            && (!is_played || self.exchange.response == other.exchange.response)
    }

    /// What it takes in memory.
    pub fn len_bytes(&self) -> usize {
        exchange_len_bytes(&self.exchange) + self.answer.len() + self.run.as_ref().map_or(0, Bytes::len)
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

/// The calls among which those with the key of this one are; none without a request.
pub fn operation_of(view: &View<'_>, mocking: &Mocking, relaxations: &[Relaxation]) -> Option<Operation> {
    let request = view.request?;
    let is_free = mocking.key.is_some() || relaxes_operation(view.schema(), relaxations);
    let hash = (!is_free).then(|| operation(view.schema(), request));
    Some(Operation { server: view.addr, protocol: ProtocolId::of(&view.schema().protocol)?, hash })
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
            Ok(Frame::Part { len } | Frame::Skip { len } | Frame::Leave { len }) => {
                rest = rest.get(len.max(1)..).unwrap_or_default();
            }
            Ok(Frame::Incomplete) => return true,
            Err(_) => return false,
        }
    }
    false
}

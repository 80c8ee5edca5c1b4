//! What a conversation gives out: exchanges, what was wrong with them, and counts.

use bytes::Bytes;

use crate::{Malformed, Message, Protocol};
use reel_lang::schema::Side;

/// A message, and when and by whom it was sent.
#[derive(Debug, Clone)]
pub struct Timed<T> {
    pub message: Message,
    /// When the first byte was seen.
    pub first_ns: u64,
    /// When the last byte was seen.
    pub last_ns: u64,
    /// What the caller said of the first byte.
    pub tag: T,
}

/// A request and what answered it.
///
/// Without a request it is a push: what the server said of its own accord. Where bytes are missing or wrong, `fault` says what,
/// and either message may be absent.
#[derive(Clone)]
pub struct Exchange<T> {
    pub protocol: &'static dyn Protocol,
    pub request: Option<Timed<T>>,
    /// Responses before the last, as HTTP's 100 Continue.
    pub interim: Vec<Timed<T>>,
    pub response: Option<Timed<T>>,
    pub fault: Option<Fault>,
}

impl<T> Exchange<T> {
    pub(super) fn new(protocol: &'static dyn Protocol) -> Self {
        Exchange { protocol, request: None, interim: Vec::new(), response: None, fault: None }
    }

    /// The length of its messages on the wire.
    pub(super) fn len_bytes(&self) -> u64 {
        let messages = self.request.iter().chain(&self.interim).chain(&self.response);
        messages.fold(0, |sum, timed| sum.saturating_add(timed.message.wire_len))
    }

    /// Makes the exchange of a response whose request was not seen.
    pub(super) fn orphan(mut self, response: Timed<T>) -> Self {
        self.response = Some(response);
        self.fault = Some(Fault::NoRequest);
        self
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Exchange<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("protocol", &self.protocol.schema().protocol)
            .field("request", &self.request)
            .field("interim", &self.interim)
            .field("response", &self.response)
            .field("fault", &self.fault)
            .finish()
    }
}

/// A place where a side broke its protocol.
#[derive(Clone)]
pub struct Breach<T> {
    pub protocol: &'static dyn Protocol,
    /// Whose message it is in.
    pub side: Side,
    pub malformed: Malformed,
    /// The message from its start, at most [`BREACH_LEN_MAX`](super::BREACH_LEN_MAX) bytes.
    pub data: Bytes,
    /// When the invalid byte was seen.
    pub time_ns: u64,
    /// What the caller said of that byte.
    pub tag: T,
}

/// Why an exchange is not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The connection ended before the response: the server's doing, or the recording's end.
    #[error("the connection ended without a response")]
    NoResponse,
    /// A response to no request that was seen.
    #[error("a response without a request")]
    NoRequest,
    /// The sender closed in the middle of a message.
    #[error("the {} was cut off after {len} bytes", side.name())]
    Truncated { side: Side, len: usize },
    /// The sender broke the protocol.
    #[error("invalid {}: {malformed}", side.name())]
    Malformed { side: Side, malformed: Malformed },
    /// Bytes were sent that the capture did not see.
    #[error("{len} bytes of the {} were not captured", side.name())]
    Hole { side: Side, len: u64 },
    /// A message is longer than a conversation keeps, or more requests wait than it remembers.
    #[error("more than the limit of {limit}")]
    Overflow { limit: usize },
}

/// What a conversation has seen and lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// All bytes that came in.
    pub bytes: u64,
    pub messages: u64,
    /// Bytes that came in and are in no message.
    pub undecoded_bytes: u64,
    /// Bytes that were understood and belong to no exchange.
    pub passed_bytes: u64,
    pub holes: u64,
    /// Bytes that never came in.
    pub hole_bytes: u64,
    /// How often decoding went on after a hole.
    pub resyncs: u64,
    pub malformed: u64,
}

impl Counters {
    /// Adds those of another conversation.
    pub fn add(&mut self, other: &Counters) {
        let Counters { bytes, messages, undecoded_bytes, passed_bytes, holes, hole_bytes, resyncs, malformed } = other;
        self.bytes = self.bytes.saturating_add(*bytes);
        self.messages = self.messages.saturating_add(*messages);
        self.undecoded_bytes = self.undecoded_bytes.saturating_add(*undecoded_bytes);
        self.passed_bytes = self.passed_bytes.saturating_add(*passed_bytes);
        self.holes = self.holes.saturating_add(*holes);
        self.hole_bytes = self.hole_bytes.saturating_add(*hole_bytes);
        self.resyncs = self.resyncs.saturating_add(*resyncs);
        self.malformed = self.malformed.saturating_add(*malformed);
    }
}

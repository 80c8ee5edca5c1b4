//! Sans-IO protocol codecs: bytes in, messages out, and back.
//!
//! Every protocol has the same five verbs: [`Protocol::infer`] (is this stream mine?), [`Codec::frame`] (cut one message
//! off the front), [`Codec::find_boundary`] (where decoding can start again after a hole), [`Codec::pair`] (which exchange
//! a message belongs to) and [`Codec::encode`] (the message's bytes). This crate knows no socket, thread or clock; time is
//! an input. `encode(decode(bytes)) == bytes`, or the message keeps its exact bytes beside the decoded fields.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod conversation;
pub mod dns;
pub mod http;
pub mod json;
pub mod opaque;
pub mod postgres;
mod reader;
pub mod record;
pub mod redis;
mod registry;

use bytes::Bytes;
use reel_lang::schema::{FieldId, Schema, Side, conn};
use reel_lang::value::Value;
pub use registry::{by_name, has_datagrams, protocols, tag};

/// Which slots the caller will read; a codec need not decode the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand(pub u64);

impl Demand {
    /// Everything is wanted: recording and matching.
    pub const ALL: Demand = Demand(u64::MAX);

    /// Whether a field is wanted. Fields beyond the 64th always are.
    pub fn wants(self, field: FieldId) -> bool {
        field.0 >= 64 || self.0 & (1 << field.0) != 0
    }

    /// How many of a side's `count` slots, from `first`, it takes to hold all that are wanted; at least one.
    pub(crate) fn room(self, first: u32, count: usize) -> usize {
        let end = (first as usize).saturating_add(count);
        if end > 64 {
            return count;
        }
        let up_to_end = u64::MAX.checked_shr(64_u32.saturating_sub(end as u32)).unwrap_or_default();
        let used = u64::BITS.saturating_sub((self.0 & up_to_end).leading_zeros()) as usize;
        used.saturating_sub(first as usize).max(1)
    }
}

/// One decoded message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub side: Side,
    /// The slot number of the side's first field.
    first: u32,
    /// The side's own fields, from the first.
    pub fields: Vec<Value>,
    /// The bytes on the wire, kept where encoding the fields would not give the same bytes again.
    pub exact: Option<Bytes>,
    /// The length of the message on the wire.
    pub wire_len: u64,
    /// That length, where a `limit` of a capture rule cut the fields: such a message cannot be written as bytes.
    pub cut_from: Option<u64>,
}

impl Message {
    /// Makes an empty message of a schema.
    pub fn new(schema: &Schema, side: Side) -> Self {
        let mut own = schema.fields.iter().filter(|field| field.side == Some(side)).map(|field| field.id.0);
        let first = own.next().unwrap_or(conn::COUNT);
        let last = own.next_back().unwrap_or(first);
        Message::sized(side, first, (last.saturating_sub(first) as usize).saturating_add(1))
    }

    /// Makes an empty message whose fields are these slots.
    pub(crate) fn sized(side: Side, first: u32, count: usize) -> Self {
        let fields = std::iter::repeat_with(Value::default).take(count).collect();
        Message { side, first, fields, exact: None, wire_len: 0, cut_from: None }
    }

    /// Reads a field; nil for one that is not this side's own.
    pub fn field(&self, id: FieldId) -> &Value {
        const NIL: &Value = &Value::Nil;
        id.0.checked_sub(self.first).and_then(|i| self.fields.get(i as usize)).unwrap_or(NIL)
    }

    /// Writes a field; one that is not this side's own is left alone.
    pub fn put(&mut self, id: FieldId, value: Value) {
        if let Some(slot) = id.0.checked_sub(self.first).and_then(|i| self.fields.get_mut(i as usize)) {
            *slot = value;
        }
    }
}

/// Whether a stream's first bytes belong to a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inference {
    Yes,
    No,
    /// They could be, and other protocols' too: the other side's bytes decide.
    Likely,
    /// Too few bytes to tell.
    Unsure,
}

/// What is left to arrive in a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// More bytes may follow.
    Open,
    /// More bytes may follow, but the other side has begun to speak: where messages have no bounds of their own, this ends one.
    Turn,
    /// The sender has closed: what is here is all.
    Closed,
}

/// The outcome of cutting a message off the front of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// The message is not whole yet. With [`Rest::Closed`] the stream was cut off in the middle of a message.
    Incomplete,
    /// A message, and how many bytes of the input it took: at least one, but for an end that the input's first byte, or its close,
    /// tells.
    Message { message: Message, len: usize },
    /// So many bytes of the next message of this side, which the codec has taken in.
    Part { len: usize },
    /// So many bytes that belong to no exchange: an acknowledgement, a password.
    Skip { len: usize },
    /// So many bytes, and what follows in both directions is another protocol: TLS.
    Leave { len: usize },
}

/// Bytes that break the protocol: the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset} of the message ({spec})")]
pub struct Malformed {
    /// Where in the input, counted from the start of the message.
    pub offset: usize,
    pub reason: String,
    /// The section of the specification that the bytes break.
    pub spec: &'static str,
}

/// What a message does to the exchanges of its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// A request: opens an exchange.
    Opens,
    /// A request that gets no response (Redis `CLIENT REPLY OFF`): an exchange of its own.
    OneWay,
    /// The last response of the oldest open exchange.
    Closes,
    /// The only response of the oldest open exchange whose request it answers ([`Codec::answers`]); where there is none, it was
    /// repeated, or its request was not seen.
    Answers,
    /// As `Closes`, and what follows on the connection is no longer this protocol (HTTP 101, CONNECT).
    Upgrades,
    /// A response that another will follow (HTTP 1xx).
    Interim,
    /// A message of the server that answers no request (Redis pub/sub): an exchange of its own, without request.
    Push,
}

/// A message that cannot be written as bytes: a recording that was edited into nonsense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode field {field}: {reason}")]
pub struct Unencodable {
    pub field: String,
    pub reason: String,
}

/// What a recorded call was, and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    pub request: Option<&'a Message>,
    pub response: &'a Message,
}

/// What a call is to those before and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether it may change what later calls are answered.
    pub is_write: bool,
    /// Whether it stands in no transaction that an earlier call has begun.
    pub begins: bool,
}

/// What a server wants next.
#[derive(Debug)]
pub enum Step {
    /// More bytes of the client.
    Idle,
    /// The answer to a call. Where there is none, that of any call of kin's operation will do: it describes the same.
    Call { request: Box<Message>, kin: Option<Box<Message>> },
    /// Nothing: the client has said farewell, or was shown the door.
    Closed,
}

/// The server's side of a protocol whose exchanges depend on what the client said before, and how: bytes in, calls out; answers in,
/// bytes out. A protocol whose responses are the same bytes for whoever asks needs none.
pub trait Server: Send {
    /// Takes bytes of the client.
    fn hear(&mut self, bytes: &[u8]);

    /// Goes on until a call needs an answer. The next call comes only after [`Server::answer`].
    ///
    /// # Errors
    /// [`Malformed`] where the client breaks the protocol.
    fn step(&mut self) -> Result<Step, Malformed>;

    /// Answers the call.
    ///
    /// # Errors
    /// [`Unencodable`] where the recorded answer cannot be put as this client wants it.
    fn answer(&mut self, recorded: Recorded<'_>) -> Result<(), Unencodable>;

    /// Says something unasked.
    ///
    /// # Errors
    /// [`Unencodable`].
    fn push(&mut self, message: &Message) -> Result<(), Unencodable>;

    /// Tells the client that its call cannot be answered, and ends the session.
    fn refuse(&mut self, reason: &str);

    /// Gives out what is to be sent.
    fn output(&mut self) -> Vec<u8>;
}

/// The schema that a file beside a codec declares, with what every protocol has whose messages can be invalid.
pub(crate) fn schema(text: &'static str) -> Schema {
    let mut schema = plain_schema(text);
    schema.add_events(&plain_schema(include_str!("conversation/schema.rr")));
    schema
}

/// The schema that a file declares, and nothing else.
pub(crate) fn plain_schema(text: &'static str) -> Schema {
    // The build script has read the same text, so only an error in between could empty the schema; a test looks.
    reel_lang::schema::parse(text).unwrap_or_default()
}

/// One conversation (one connection) of a protocol, with what must be remembered between its messages.
pub trait Codec: Send {
    /// Cuts one message off the front of one direction's bytes. After `Incomplete` the next call for this side has the same
    /// bytes and more, so that a codec may remember how far it has looked.
    ///
    /// # Errors
    /// [`Malformed`] where no continuation could make the input valid.
    fn frame(&mut self, side: Side, input: &[u8], rest: Rest, demand: Demand) -> Result<Frame, Malformed>;

    /// The offset of the first place where a message plainly begins, for going on after a hole or invalid bytes; none where the
    /// protocol has no such place, or it is still to come. Forgets what `frame` remembers of an unfinished message.
    fn find_boundary(&mut self, side: Side, input: &[u8]) -> Option<usize>;

    /// Tells what a message does to the open exchanges, and remembers what later messages need. Called once for each message, in
    /// order, before the side's next `frame`.
    fn pair(&mut self, message: &Message) -> Pairing;

    /// Whether a response is that of a request, where [`Pairing::Answers`] leaves the order open.
    fn answers(&self, _request: &Message, _response: &Message) -> bool {
        true
    }

    /// Writes the message's bytes from its decoded fields; `exact` is the caller's business.
    ///
    /// # Errors
    /// [`Unencodable`] names the field that is wrong.
    fn encode(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable>;
}

/// A registered protocol.
pub trait Protocol: Sync {
    /// The fields of its messages.
    fn schema(&self) -> &'static Schema;

    /// Whether these first bytes of a direction are this protocol's.
    fn infer(&self, side: Side, input: &[u8]) -> Inference;

    /// Starts a conversation.
    fn codec(&self) -> Box<dyn Codec>;

    /// Starts a conversation of datagrams, each of which is one message to `frame`; none where the protocol knows only streams.
    fn datagram_codec(&self) -> Option<Box<dyn Codec>> {
        None
    }

    /// Which side sent a datagram, if it is this protocol's.
    fn infer_datagram(&self, _input: &[u8]) -> Option<Side> {
        None
    }

    /// Whether messages have bounds of their own; if not, a message is what one side says before the other speaks.
    fn framed(&self) -> bool {
        true
    }

    /// Whether there are places where a message plainly begins, so that decoding can go on after a hole.
    fn has_boundaries(&self) -> bool {
        false
    }

    /// Fills in what a response that a rule made leaves out, so that it can be written.
    fn complete(&self, _response: &mut Message) {}

    /// Whether an answer repeats a number of its request's own, which [`Protocol::address`] writes.
    fn numbers_requests(&self) -> bool {
        false
    }

    /// Makes a recorded answer, as bytes, that of a request.
    fn address(&self, _request: &Message, _answer: &mut [u8]) {}

    /// The bytes that tell a client, in this protocol, that its request cannot be answered; none where the protocol has no word
    /// for it.
    fn refusal(&self, _reason: &str) -> Option<Vec<u8>> {
        None
    }

    /// Whether a request goes on with what the one before it on its connection has begun, so that who made one made the other.
    fn continues(&self, _request: &Message) -> bool {
        false
    }

    /// Computes the derived fields from the stored ones, as after a message was read from a recording or edited.
    fn derive(&self, _message: &mut Message) {}

    /// How a text of a derived field is written in the stored fields of a message, where not as itself: `a b` as `a%20b`.
    fn spellings(&self, _message: &Message, _text: &[u8]) -> Vec<Bytes> {
        Vec::new()
    }

    /// A server for one client, of a protocol whose answers depend on how they were asked for. Its messages are made of several on the
    /// wire: `encode` then writes one of the forms that a message may have there.
    fn server(&self) -> Option<Box<dyn Server>> {
        None
    }

    /// Whether [`Protocol::place`] ever says something.
    fn has_order(&self) -> bool {
        false
    }

    /// The place of a call among the others of its connection; none where calls may be made in any order.
    fn place(&self, _request: &Message) -> Option<Place> {
        None
    }

    /// Whether a response is a good one to tell what [`Step::Call`] asks of a kin's; of none that is, the first will do.
    fn describes(&self, _response: &Message) -> bool {
        true
    }

    /// The wire tags that this protocol's values can carry.
    fn tags(&self) -> &'static [&'static str] {
        &[]
    }
}

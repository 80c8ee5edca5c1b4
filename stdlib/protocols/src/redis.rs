//! Redis: RESP2 and RESP3 (the Redis serialization protocol specification), both directions.
//!
//! Every type of the specification is read, streamed strings and aggregates too; inline commands as `redis-cli` over a bare
//! socket sends them. Replies answer requests in order, but for what the server says of its own accord (pub/sub messages,
//! invalidations, MONITOR) and for commands that get no reply or several ([`pairing`]). RESP has no place where a message
//! plainly begins, since a bulk string may hold anything: after a hole decoding cannot go on.

mod commands;
mod decode;
mod encode;
mod inline;
mod pairing;
mod skim;

use std::sync::LazyLock;

use bytes::Bytes;
use reel_lang::schema::{Schema, Side};
use reel_lang::value::Value;

use crate::reader::{Line, Reader};
use crate::{Codec, Demand, Frame, Inference, Malformed, Message, Pairing, Protocol, Rest, Unencodable};
use slots::{request, response};

/// Slot numbers of the schema.
pub mod slots {
    include!(concat!(env!("OUT_DIR"), "/redis.rs"));
}

/// Longest line: a simple string, an error, a number, an inline command (`PROTO_INLINE_MAX_SIZE` of the server).
pub const LINE_LEN_MAX: usize = 64 * 1024;
/// Longest bulk string (`proto-max-bulk-len` of the server, by default).
pub const BULK_LEN_MAX: u64 = 512 * 1024 * 1024;
/// Most items of an aggregate.
pub const ITEMS_MAX: u64 = 1 << 31;
/// Aggregates within each other.
pub const DEPTH_MAX: usize = 128;

const SPEC: &str = "RESP specification";

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| crate::schema(include_str!("redis/schema.rr")));

/// The protocol `redis`.
#[derive(Debug)]
pub struct Redis;

impl Protocol for Redis {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, side: Side, input: &[u8]) -> Inference {
        match side {
            Side::Request if input.first() == Some(&b'*') => infer_array(input),
            Side::Request => inline::infer(input),
            Side::Response => infer_reply(input),
        }
    }

    fn codec(&self) -> Box<dyn Codec> {
        Box::new(RedisCodec::default())
    }

    fn derive(&self, message: &mut Message) {
        derive(message, Demand::ALL);
    }

    fn refusal(&self, reason: &str) -> Option<Vec<u8>> {
        // A simple error ends at the line's end, and holds no control characters before it.
        let text: String = reason.chars().filter(|c| !c.is_control()).collect();
        Some(format!("-ERR {text}\r\n").into_bytes())
    }

    fn tags(&self) -> &'static [&'static str] {
        &tag::ALL
    }
}

/// The wire tags: what a value's kind alone does not say of its form.
mod tag {
    pub(super) const SIMPLE: &str = "simple";
    pub(super) const ERROR: &str = "error";
    pub(super) const BULK_ERROR: &str = "bulk-error";
    /// RESP3's `_`; plain null is `$-1`.
    pub(super) const NULL: &str = "null3";
    /// `*-1`.
    pub(super) const NULL_ARRAY: &str = "null-array";
    pub(super) const DOUBLE: &str = "double";
    pub(super) const BIG: &str = "big";
    pub(super) const VERBATIM_TEXT: &str = "verbatim-txt";
    pub(super) const VERBATIM_MARKDOWN: &str = "verbatim-mkd";
    pub(super) const SET: &str = "set";
    pub(super) const PUSH: &str = "push";
    /// A list of attributes and the value that they belong to.
    pub(super) const ATTRIBUTE: &str = "attribute";
    /// A command whose name was sent in lower case.
    pub(super) const LOWER: &str = "lower";
    /// A command that was sent as a line.
    pub(super) const INLINE: &str = "inline";

    pub(super) const ALL: [&str; 14] = [
        SIMPLE,
        ERROR,
        BULK_ERROR,
        NULL,
        NULL_ARRAY,
        DOUBLE,
        BIG,
        VERBATIM_TEXT,
        VERBATIM_MARKDOWN,
        SET,
        PUSH,
        ATTRIBUTE,
        LOWER,
        INLINE,
    ];
}

#[derive(Default)]
struct RedisCodec {
    request: skim::Skim,
    response: skim::Skim,
    pairing: pairing::State,
    /// What `frame` saw of the request that `pair` will open; its fields may not be wanted.
    framed: Option<pairing::Asked>,
}

impl Codec for RedisCodec {
    fn frame(&mut self, side: Side, input: &[u8], _rest: Rest, demand: Demand) -> Result<Frame, Malformed> {
        let is_inline = side == Side::Request && input.first().is_some_and(|byte| *byte != b'*');
        let skim = match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        };
        let end = if is_inline { inline::end(input)? } else { skim.end(input)? };
        let Some(len) = end else { return Ok(Frame::Incomplete) };
        *skim = skim::Skim::default();
        let input = input.get(..len).unwrap_or_default();
        let mut message = Message::new(&SCHEMA, side);
        message.wire_len = len as u64;
        match side {
            Side::Request => {
                let words = if is_inline { inline::words(input)? } else { decode::command(input)? };
                self.framed = Some(pairing::Asked::of(&words));
                put_command(&mut message, words, is_inline);
            }
            Side::Response => put_reply(&mut message, input)?,
        }
        derive(&mut message, demand);
        if demand == Demand::ALL {
            let mut written = Vec::with_capacity(len);
            if encode::message(&message, &mut written).is_err() || written != input {
                message.exact = Some(Bytes::copy_from_slice(input));
            }
        }
        Ok(Frame::Message { message, len })
    }

    fn find_boundary(&mut self, side: Side, _input: &[u8]) -> Option<usize> {
        match side {
            Side::Request => self.request = skim::Skim::default(),
            Side::Response => self.response = skim::Skim::default(),
        }
        None
    }

    fn pair(&mut self, message: &Message) -> Pairing {
        match message.side {
            Side::Request => {
                let asked = self.framed.take().unwrap_or_else(|| pairing::Asked::by(message));
                self.pairing.request(asked)
            }
            Side::Response => self.pairing.response(message.field(response::REPLY)),
        }
    }

    fn encode(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        encode::message(message, out)
    }
}

fn put_command(message: &mut Message, words: Vec<Bytes>, is_inline: bool) {
    let mut words = words.into_iter();
    let Some(name) = words.next() else {
        message.put(request::ARGS, Value::List(Vec::new()));
        return;
    };
    let upper = Value::Str(Bytes::from(name.to_ascii_uppercase()));
    let is_lower = name.iter().any(u8::is_ascii_lowercase) && !name.iter().any(u8::is_ascii_uppercase);
    let mut command = if is_lower { Value::Tagged(tag::LOWER, Box::new(upper)) } else { upper };
    if is_inline {
        command = Value::Tagged(tag::INLINE, Box::new(command));
    }
    message.put(request::COMMAND, command);
    message.put(request::ARGS, Value::List(words.map(Value::Str).collect()));
}

fn put_reply(message: &mut Message, input: &[u8]) -> Result<(), Malformed> {
    let (attributes, reply) = decode::reply(input)?;
    message.put(response::ATTRIBUTES, attributes);
    message.put(response::REPLY, reply);
    Ok(())
}

/// Fills in the fields that others give.
fn derive(message: &mut Message, demand: Demand) {
    match message.side {
        Side::Request => {
            if demand.wants(request::KEY) {
                let name = message.field(request::COMMAND).as_bytes().unwrap_or_default();
                let key = commands::first_key(name, arguments(message)).cloned().unwrap_or_default();
                message.put(request::KEY, key);
            }
        }
        Side::Response => {
            let reply = message.field(response::REPLY);
            let error = match reply {
                Value::Tagged(tag::ERROR | tag::BULK_ERROR, text) => (**text).clone(),
                _ => Value::Nil,
            };
            let kind = Value::Str(Bytes::from_static(kind(reply).as_bytes()));
            message.put(response::ERROR, error);
            message.put(response::KIND, kind);
        }
    }
}

fn arguments(message: &Message) -> &[Value] {
    match message.field(request::ARGS).untagged() {
        Value::List(args) => args,
        _ => &[],
    }
}

/// The word for a reply's form on the wire.
fn kind(reply: &Value) -> &'static str {
    match reply {
        Value::Tagged(tag::SIMPLE, _) => "simple",
        Value::Tagged(tag::ERROR | tag::BULK_ERROR, _) => "error",
        Value::Tagged(tag::DOUBLE, _) => "double",
        Value::Tagged(tag::BIG, _) => "big",
        Value::Tagged(tag::VERBATIM_TEXT | tag::VERBATIM_MARKDOWN, _) => "verbatim",
        Value::Tagged(tag::SET, _) => "set",
        Value::Tagged(tag::PUSH, _) => "push",
        other => match other.untagged() {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::List(_) => "array",
            Value::Map(_) => "map",
            Value::Str(_) => "bulk",
            _ => "integer",
        },
    }
}

/// Whether a client's first bytes are an array of bulk strings: `*1\r\n$4\r\n`.
fn infer_array(input: &[u8]) -> Inference {
    let mut reader = Reader::at(input, 0);
    for mark in [b'*', b'$'] {
        match reader.byte() {
            None => return Inference::Unsure,
            Some(byte) if byte == mark => {}
            Some(_) => return Inference::No,
        }
        match reader.line(10) {
            Line::Whole(digits) if crate::reader::decimal(digits).is_some() => {}
            Line::Partial if reader.rest().iter().all(|byte| byte.is_ascii_digit() || *byte == b'\r') => {
                return Inference::Unsure;
            }
            _ => return Inference::No,
        }
    }
    Inference::Yes
}

/// Whether a server's first bytes are a reply: a type, and a first line that fits it.
fn infer_reply(input: &[u8]) -> Inference {
    let mut reader = Reader::at(input, 0);
    let Some(mark) = reader.byte() else { return Inference::Unsure };
    let is_text = match mark {
        b'+' | b'-' => true,
        b':' | b'$' | b'*' | b'_' | b'#' | b',' | b'(' | b'!' | b'=' | b'%' | b'~' | b'>' | b'|' => false,
        _ => return Inference::No,
    };
    let line = match reader.line(LINE_LEN_MAX) {
        Line::Whole(line) => line,
        Line::Partial => return Inference::Unsure,
        Line::Bad => return Inference::No,
    };
    let fits =
        is_text || line.len() <= 64 && line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-+.?".contains(byte));
    if fits { Inference::Yes } else { Inference::No }
}

fn malformed(offset: usize, reason: &str) -> Malformed {
    Malformed { offset, reason: reason.to_owned(), spec: SPEC }
}

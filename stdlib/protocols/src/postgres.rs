//! PostgreSQL: the frontend/backend protocol 3.0 (PostgreSQL's documentation, chapter 55), both directions.
//!
//! Three layers. [`wire`] has the messages, byte exact. [`session`] makes of them what a program asked and what came of it, whichever
//! way its driver sent it: the protocol is one whose exchanges are made of several messages a side, and some messages belong to none.
//! [`types`] makes values of the bytes in rows and parameters. The same session plays the server in a replay, so that a call is
//! known again. Decoding cannot go on after a hole: what a row means was said before it.

mod fields;
mod outcome;
mod rows;
mod session;
mod sql;
mod types;
mod wire;
mod write;

use std::sync::LazyLock;

use reel_lang::schema::{FieldId, Schema, Side};
use reel_lang::value::Value;

use crate::reader::Reader;
use crate::{Codec, Demand, Frame, Inference, Malformed, Message, Pairing, Place, Protocol, Rest, Server, Unencodable};
pub use session::PENDING_MAX;
use session::{Heard, Session};
use slots::{request, response};
pub use wire::{MESSAGE_LEN_MAX, SHORT_LEN_MAX, STARTUP_LEN_MAX};

/// Slot numbers of the schema.
pub mod slots {
    include!(concat!(env!("OUT_DIR"), "/postgres.rs"));
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| crate::schema(include_str!("postgres/schema.rr")));

/// The protocol `postgres`.
#[derive(Debug)]
pub struct Postgres;

impl Protocol for Postgres {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// A client begins with a length and a code that no other protocol has there.
    fn infer(&self, side: Side, input: &[u8]) -> Inference {
        if side == Side::Response {
            return Inference::Unsure;
        }
        let mut reader = Reader::at(input, 0);
        match (reader.be_u32(), reader.be_u32()) {
            (Some(len), Some(code)) => {
                let is_known = matches!(code, wire::code::CANCEL | wire::code::SSL | wire::code::GSS)
                    || code >> 16 == wire::code::MAJOR && code & 0xffff < 100;
                if is_known && (8..=STARTUP_LEN_MAX).contains(&len) { Inference::Yes } else { Inference::No }
            }
            _ if input.starts_with(&[0]) || input.is_empty() => Inference::Unsure,
            _ => Inference::No,
        }
    }

    fn codec(&self) -> Box<dyn Codec> {
        Box::new(PostgresCodec::default())
    }

    fn server(&self) -> Option<Box<dyn Server>> {
        Some(Box::new(session::Playing::default()))
    }

    fn derive(&self, message: &mut Message) {
        derive(message);
    }

    /// The data of a COPY, the rows that are left of a query, and whatever is within a transaction.
    fn continues(&self, request: &Message) -> bool {
        let is_any = |field, words: &[&[u8]]| request.field(field).as_bytes().is_some_and(|word| words.contains(&word));
        is_any(request::OPERATION, &[b"copy", b"fetch"]) || is_any(request::STATE, &[b"transaction", b"failed"])
    }

    fn has_order(&self) -> bool {
        true
    }

    fn place(&self, request: &Message) -> Option<Place> {
        let is_write = match request.field(request::OPERATION).as_bytes()? {
            b"query" => sql::writes(request.field(request::SQL).as_bytes()?),
            b"fetch" | b"copy" | b"function" => true,
            _ => return None,
        };
        Some(Place { is_write, begins: request.field(request::STATE).as_bytes() == Some(b"idle") })
    }

    /// Rows have columns; what failed may have had some that nobody saw.
    fn describes(&self, response: &Message) -> bool {
        let is_nil = |id| response.field(id).is_nil();
        !is_nil(response::COLUMNS) || is_nil(response::ERROR) && is_nil(response::SKIPPED)
    }

    fn tags(&self) -> &'static [&'static str] {
        &[types::BINARY, types::TEXT]
    }
}

#[derive(Default)]
struct PostgresCodec {
    session: Session,
}

impl Codec for PostgresCodec {
    fn frame(&mut self, side: Side, input: &[u8], _rest: Rest, demand: Demand) -> Result<Frame, Malformed> {
        let (heard, len) = match side {
            Side::Request => self.session.request(input)?,
            Side::Response => {
                let wants_rows = [response::ROWS, response::COPY, response::RESULTS].iter().any(|id| demand.wants(*id));
                self.session.response(input, wants_rows)?
            }
        };
        Ok(match heard {
            Heard::Incomplete => Frame::Incomplete,
            Heard::Skip => Frame::Skip { len },
            Heard::Part => Frame::Part { len },
            Heard::Message(message) | Heard::Before(message) => Frame::Message { message, len },
            Heard::Leave => Frame::Leave { len },
        })
    }

    fn find_boundary(&mut self, _side: Side, _input: &[u8]) -> Option<usize> {
        None
    }

    fn pair(&mut self, message: &Message) -> Pairing {
        self.session.pair(message)
    }

    fn encode(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        let written = match message.side {
            Side::Request => call(message, out),
            Side::Response => answer(message, out),
        };
        written.map_err(|reason| Unencodable { field: message.side.name().to_owned(), reason })
    }
}

/// Writes one of the ways in which a client may put a call: a message that holds all of it.
fn call(message: &Message, out: &mut Vec<u8>) -> Result<(), String> {
    let operation = message.field(request::OPERATION).as_bytes().unwrap_or_default();
    let sql = message.field(request::SQL).as_bytes();
    check_nul(message, request::SQL)?;
    match operation {
        b"startup" | b"cancel" | b"function" | b"describe" => {}
        b"query" | b"prepare" | b"fetch" | b"copy" if sql.is_none() => return Err("`sql` must be a text".to_owned()),
        b"query" | b"prepare" | b"fetch" => wire::Frontend::Query(sql.unwrap_or_default()).write(out),
        b"copy" => {
            let data = message.field(request::DATA).as_bytes().ok_or("`data` must be a text")?;
            wire::Frontend::CopyData(data).write(out);
        }
        _ => {
            return Err(
                "`operation` is one of startup, query, prepare, fetch, describe, copy, function, cancel".to_owned()
            );
        }
    }
    let state = message.field(request::STATE);
    if !state.is_nil() && !matches!(state.as_bytes(), Some(b"idle" | b"transaction" | b"failed")) {
        return Err("`state` is one of idle, transaction, failed".to_owned());
    }
    fields::read_types(message.field(request::TYPES))?;
    Ok(())
}

/// Writes an answer with each column in a format that its values have, or what is said unasked.
fn answer(message: &Message, out: &mut Vec<u8>) -> Result<(), String> {
    use response::{CHANNEL, COLUMNS, ERROR, NOTICES, PARAMETERS, PAYLOAD, RESULTS, SKIPPED, TAG, VALUE};
    for id in [CHANNEL, COLUMNS, ERROR, NOTICES, PARAMETERS, PAYLOAD, TAG] {
        check_nul(message, id)?;
    }
    out.extend(session::unasked(message)?);
    fields::read_types(message.field(response::PARAM_TYPES))?;
    if !matches!(message.field(SKIPPED), Value::Nil | Value::Bool(_)) {
        return Err("skipped must be true or false".to_owned());
    }
    session::function_value(message.field(VALUE))?;
    let formats = formats(message.field(response::ROWS));
    let wanted = |formats| write::Wanted { is_described: true, formats, is_brief: true };
    let start = out.len();
    write::outcome(message, wanted(&formats), out).or_else(|wrong| {
        // A cursor that was declared BINARY gives its rows to a simple query.
        out.truncate(start);
        let is_several = !message.field(RESULTS).is_nil();
        if is_several { write::outcome(message, wanted(&[1]), out) } else { Err(wrong) }
    })
}

/// The codes of the formats that the values of each column have: what could not be read in the binary format has no other.
fn formats(rows: &Value) -> Vec<u16> {
    fn is_binary(value: &Value) -> bool {
        match value {
            Value::Tagged(types::BINARY, _) => true,
            Value::Tagged(_, inner) => is_binary(inner),
            Value::List(items) => items.iter().any(is_binary),
            _ => false,
        }
    }
    let Value::List(rows) = rows.untagged() else { return Vec::new() };
    let mut formats = Vec::new();
    for row in rows {
        let Value::List(values) = row.untagged() else { continue };
        formats.resize(formats.len().max(values.len()), 0);
        for (format, value) in formats.iter_mut().zip(values) {
            *format |= u16::from(is_binary(value));
        }
    }
    formats
}

/// Texts of the protocol end with a NUL byte, so they hold none.
fn check_nul(message: &Message, id: FieldId) -> Result<(), String> {
    fn holds_nul(value: &Value) -> bool {
        match value {
            Value::Str(text) => text.contains(&0),
            Value::Tagged(_, inner) => holds_nul(inner),
            Value::List(items) => items.iter().any(holds_nul),
            Value::Map(pairs) => pairs.iter().any(|(name, value)| holds_nul(name) || holds_nul(value)),
            _ => false,
        }
    }
    if !holds_nul(message.field(id)) {
        return Ok(());
    }
    let name = SCHEMA.fields.iter().find(|field| field.id == id).map_or("a text", |field| &field.name);
    Err(format!("`{name}` holds a NUL byte, which ends a text on the wire"))
}

/// Fills in the fields that others give.
fn derive(message: &mut Message) {
    if message.side == Side::Response {
        let code = message.field(response::ERROR).entry("code").cloned().unwrap_or_default();
        message.put(response::SQLSTATE, code);
    }
}

fn text(text: &'static str) -> Value {
    Value::Str(bytes::Bytes::from_static(text.as_bytes()))
}

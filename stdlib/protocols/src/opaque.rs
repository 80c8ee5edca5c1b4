//! Any other TCP conversation: bytes that no decoder claims, both directions, exact and in order.
//!
//! A message is a maximal run of bytes in one direction. How the run was cut into packets never matters: it ends when the
//! other side speaks or when the sender closes. What a server says first is a push; a run of the client opens an exchange,
//! which the server's next run closes.

use std::sync::LazyLock;

use bytes::Bytes;
use reel_lang::schema::{Schema, Side};
use reel_lang::value::Value;

use crate::{Codec, Demand, Frame, Inference, Malformed, Message, Pairing, Protocol, Rest, Unencodable};

/// Slot numbers of the schema.
pub mod slots {
    include!(concat!(env!("OUT_DIR"), "/opaque.rs"));
}

use slots::{request, response};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| crate::plain_schema(include_str!("opaque/schema.rr")));

/// The protocol `tcp`.
#[derive(Debug)]
pub struct Tcp;

impl Protocol for Tcp {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// Claims nothing: it is what is left where every other protocol says no.
    fn infer(&self, _side: Side, _input: &[u8]) -> Inference {
        Inference::Unsure
    }

    fn codec(&self) -> Box<dyn Codec> {
        Box::new(TcpCodec { open: false })
    }

    fn framed(&self) -> bool {
        false
    }
}

struct TcpCodec {
    /// Whether a run of the client waits for its answer.
    open: bool,
}

impl Codec for TcpCodec {
    fn frame(&mut self, side: Side, input: &[u8], rest: Rest, demand: Demand) -> Result<Frame, Malformed> {
        if rest == Rest::Open || input.is_empty() {
            return Ok(Frame::Incomplete);
        }
        let data = match side {
            Side::Request => request::DATA,
            Side::Response => response::DATA,
        };
        let mut message = Message::new(&SCHEMA, side);
        message.wire_len = input.len() as u64;
        if demand.wants(data) {
            message.put(data, Value::Str(Bytes::copy_from_slice(input)));
        }
        Ok(Frame::Message { message, len: input.len() })
    }

    /// Bytes without bounds have no place to go on from.
    fn find_boundary(&mut self, _side: Side, _input: &[u8]) -> Option<usize> {
        None
    }

    fn pair(&mut self, message: &Message) -> Pairing {
        match (message.side, std::mem::replace(&mut self.open, message.side == Side::Request)) {
            (Side::Request, _) => Pairing::Opens,
            (Side::Response, true) => Pairing::Closes,
            (Side::Response, false) => Pairing::Push,
        }
    }

    fn encode(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        let data = match message.side {
            Side::Request => request::DATA,
            Side::Response => response::DATA,
        };
        let Some(bytes) = message.field(data).as_bytes() else {
            return Err(Unencodable { field: "data".to_owned(), reason: "expected bytes".to_owned() });
        };
        out.extend_from_slice(bytes);
        Ok(())
    }
}

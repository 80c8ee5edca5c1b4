//! DNS: questions and answers over UDP and TCP (RFC 1035, RFC 7766, EDNS of RFC 6891).
//!
//! Over TCP a message has its length before it, over UDP a datagram is a message; the field `transport` says which, and encoding goes by
//! it. An answer finds its question by number, name and type, never by order: it may overtake others, come twice or not at all.
//! Names are compressed on the wire in more than one way, so a message whose fields give other bytes keeps its own.

mod decode;
mod encode;
mod parts;
mod words;

use std::sync::LazyLock;

use bytes::Bytes;
use reel_lang::schema::{Schema, Side};
use reel_lang::value::Value;

use crate::reader::Reader;
use crate::{Codec, Demand, Frame, Inference, Malformed, Message, Pairing, Protocol, Rest, Unencodable};
use parts::{HEADER_LEN, Parts, is_plausible};
use slots::{request, response};

/// Slot numbers of the schema.
pub mod slots {
    include!(concat!(env!("OUT_DIR"), "/dns.rs"));
}

/// The longest question over TCP by whose length a stream is told to be DNS.
const INFER_LEN_MAX: usize = 4095;
/// The shortest message: a header, and a question of the root.
const MESSAGE_LEN_MIN: usize = HEADER_LEN + 5;

const TCP: &str = "tcp";
const UDP: &str = "udp";

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| crate::schema(include_str!("dns/schema.rr")));

/// The protocol `dns`.
#[derive(Debug)]
pub struct Dns;

impl Protocol for Dns {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// A length, and a header with one question; then the message must be whole and sound.
    fn infer(&self, side: Side, input: &[u8]) -> Inference {
        let mut reader = Reader::at(input, 0);
        let Some(high) = reader.byte() else { return Inference::Unsure };
        // Text of other protocols has a greater first byte.
        if side == Side::Request && usize::from(high) << 8 > INFER_LEN_MAX {
            return Inference::No;
        }
        let Some(low) = reader.byte() else { return Inference::Unsure };
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len < MESSAGE_LEN_MIN {
            return Inference::No;
        }
        if !is_plausible(reader.rest(), side) {
            return Inference::No;
        }
        match reader.rest().get(..len) {
            Some(message) if Parts::of(message).is_ok() => Inference::Yes,
            Some(_) => Inference::No,
            None => Inference::Unsure,
        }
    }

    fn codec(&self) -> Box<dyn Codec> {
        Box::new(DnsCodec { transport: TCP })
    }

    fn datagram_codec(&self) -> Option<Box<dyn Codec>> {
        Some(Box::new(DnsCodec { transport: UDP }))
    }

    fn infer_datagram(&self, input: &[u8]) -> Option<Side> {
        let side = if input.get(2)? & 0x80 == 0 { Side::Request } else { Side::Response };
        (is_plausible(input, side) && Parts::of(input).is_ok()).then_some(side)
    }

    fn numbers_requests(&self) -> bool {
        true
    }

    fn address(&self, request: &Message, answer: &mut [u8]) {
        let before = if request.field(request::TRANSPORT).as_str() == Some(TCP) { 2_usize } else { 0 };
        let id = request.field(request::ID).as_int().and_then(|id| u16::try_from(id).ok());
        if let (Some(id), Some(place)) = (id, answer.get_mut(before..before.saturating_add(2))) {
            place.copy_from_slice(&id.to_be_bytes());
        }
    }

    fn derive(&self, message: &mut Message) {
        if message.side == Side::Response {
            let number = message.field(response::RCODE).as_str().and_then(words::rcode_number);
            message.put(response::RCODE_NUMBER, number.map_or(Value::Nil, |number| Value::Int(i64::from(number))));
        }
    }
}

struct DnsCodec {
    transport: &'static str,
}

impl DnsCodec {
    /// The message at the front of what was sent, without its length, and how many bytes stand before it.
    fn message<'a>(&self, input: &'a [u8]) -> Result<Option<(&'a [u8], usize)>, Malformed> {
        if self.transport == UDP {
            return Ok(Some((input, 0)));
        }
        let mut reader = Reader::at(input, 0);
        let Some(len) = reader.take(2).and_then(|len| len.try_into().ok()).map(u16::from_be_bytes) else {
            return Ok(None);
        };
        if usize::from(len) < HEADER_LEN {
            let reason = format!("a length of {len}, less than a header's");
            return Err(Malformed { offset: 0, reason, spec: "RFC 1035 section 4.2.2" });
        }
        Ok(reader.take(usize::from(len)).map(|message| (message, 2)))
    }
}

impl Codec for DnsCodec {
    fn frame(&mut self, side: Side, input: &[u8], _rest: Rest, demand: Demand) -> Result<Frame, Malformed> {
        let Some((bytes, before)) = self.message(input)? else { return Ok(Frame::Incomplete) };
        let within = |malformed: Malformed| Malformed { offset: malformed.offset.saturating_add(before), ..malformed };
        let parts = Parts::of(bytes).map_err(within)?;
        let is_response = parts.flags & 0x8000 != 0;
        if is_response != (side == Side::Response) {
            let reason = format!("the bit QR says that this is no {}", side.name());
            return Err(within(Malformed { offset: 2, reason, spec: "RFC 1035 section 4.1.1" }));
        }
        let len = bytes.len().saturating_add(before);
        let mut message = Message::new(&SCHEMA, side);
        message.wire_len = len as u64;
        decode::put(&mut message, &parts, bytes, demand);
        let transport = if side == Side::Request { request::TRANSPORT } else { response::TRANSPORT };
        message.put(transport, Value::Str(Bytes::from_static(self.transport.as_bytes())));
        Dns.derive(&mut message);
        if demand == Demand::ALL {
            let whole = input.get(..len).unwrap_or_default();
            let mut written = Vec::with_capacity(len);
            if encode::message(&message, &mut written).is_err() || written != whole {
                message.exact = Some(Bytes::copy_from_slice(whole));
            }
        }
        Ok(Frame::Message { message, len })
    }

    /// A length is no mark: any bytes may look like one.
    fn find_boundary(&mut self, _side: Side, _input: &[u8]) -> Option<usize> {
        None
    }

    fn pair(&mut self, message: &Message) -> Pairing {
        match message.side {
            Side::Request => Pairing::Opens,
            Side::Response => Pairing::Answers,
        }
    }

    /// The number is the question's, and so is what the answer repeats of it (RFC 5452 section 9.1); case does not matter.
    fn answers(&self, asked: &Message, answer: &Message) -> bool {
        let same = |asked_in, answered_in| {
            let (asked, answered) = (asked.field(asked_in), answer.field(answered_in));
            let both = asked.as_bytes().zip(answered.as_bytes());
            answered.is_nil() || both.is_some_and(|(asked, answered)| asked.eq_ignore_ascii_case(answered))
        };
        asked.field(request::ID) == answer.field(response::ID)
            && same(request::NAME, response::NAME)
            && same(request::TYPE, response::TYPE)
    }

    fn encode(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        encode::message(message, out)
    }
}

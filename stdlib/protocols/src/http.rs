//! HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112): heads by httparse, everything else here.
//!
//! A message is cut by the rules of RFC 9112 section 6.3, which need the request's method to cut a response: the codec keeps
//! the requests that wait for one, in order. After a request that asks to leave HTTP (CONNECT, Upgrade) nothing of the client
//! is read until the answer says whether it did. What is framed wrongly in a way that two parties could read differently
//! (two lengths, a length beside chunks) is malformed, and never guessed.

mod chunked;
mod content;
mod encode;
mod fields;
mod form;
mod framing;
mod head;
mod made;
mod target;

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::sync::LazyLock;

use bytes::Bytes;
use reel_lang::schema::{Schema, Side};
use reel_lang::value::Value;

use crate::{Codec, Demand, Frame, Inference, Malformed, Message, Pairing, Protocol, Rest, Unencodable};
use framing::Framing;

/// Slot numbers of the schema.
pub mod slots {
    include!(concat!(env!("OUT_DIR"), "/http.rs"));
}

/// Longest start line and header section together.
pub const HEAD_LEN_MAX: usize = 128 * 1024;
/// Most header fields of a message, and most trailer fields.
pub const HEADERS_MAX: usize = 256;
/// Longest payload that is decompressed for its decoded view; a longer one stays compressed.
pub const INFLATED_LEN_MAX: usize = 64 * 1024 * 1024;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| crate::schema(include_str!("http/schema.rr")));

/// The protocol `http`.
#[derive(Debug)]
pub struct Http;

impl Protocol for Http {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, side: Side, input: &[u8]) -> Inference {
        match side {
            Side::Request => head::infer_request(input),
            Side::Response => head::infer_response(input),
        }
    }

    fn codec(&self) -> Box<dyn Codec> {
        Box::new(HttpCodec::default())
    }

    fn has_boundaries(&self) -> bool {
        true
    }

    fn derive(&self, message: &mut Message) {
        fields::derive(message);
    }

    fn spellings(&self, message: &Message, wanted: &[u8]) -> Vec<Bytes> {
        match message.side {
            Side::Request => form::spellings(target::query(text(message.field(slots::request::TARGET))), wanted),
            Side::Response => Vec::new(),
        }
    }

    fn complete(&self, response: &mut Message) {
        made::complete(response);
    }

    fn refusal(&self, reason: &str) -> Option<Vec<u8>> {
        Some(made::refusal(reason))
    }

    fn tags(&self) -> &'static [&'static str] {
        &content::TAGS
    }
}

/// What a response's framing must know of its request.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    /// HEAD: the response has the header fields of a payload, and no payload.
    head: bool,
    connect: bool,
    /// The request has an Upgrade field.
    upgrade: bool,
}

impl Asked {
    fn may_leave_http(self) -> bool {
        self.connect || self.upgrade
    }
}

/// How far an unfinished message has been looked at, so that it is not read from its start each time.
#[derive(Debug, Default)]
struct Progress {
    /// Bytes that hold no whole head.
    searched: usize,
    /// The head's length and what it says of the payload.
    head: Option<(usize, Framing)>,
    chunks: chunked::Scan,
}

#[derive(Default)]
struct HttpCodec {
    /// Requests without their last response, oldest first.
    open: VecDeque<Asked>,
    /// What `frame` saw of the request that `pair` will open.
    framed: Option<Asked>,
    request: Progress,
    response: Progress,
}

impl HttpCodec {
    fn progress(&mut self, side: Side) -> &mut Progress {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    /// Compiled once for each side, so that nothing is asked twice.
    fn frame_of<const IS_REQUEST: bool>(
        &mut self,
        input: &[u8],
        rest: Rest,
        demand: Demand,
    ) -> Result<Frame, Malformed> {
        let side = if IS_REQUEST { Side::Request } else { Side::Response };
        if side == Side::Request && self.open.back().is_some_and(|asked| asked.may_leave_http()) {
            return Ok(Frame::Incomplete);
        }
        let asked = self.open.front().copied().unwrap_or_default();
        let progress = self.progress(side);
        let may_be_whole = match progress.head {
            Some((len, framing)) => framing.end(input, len, rest, &mut progress.chunks)?.is_some(),
            // A head ends with a line's end, so one more is needed to look again.
            None if progress.searched == 0 => true,
            None => memchr::memchr(b'\n', input.get(progress.searched..).unwrap_or_default()).is_some(),
        };
        if !may_be_whole {
            progress.searched = input.len();
            head::check_len(input, progress.head.is_some())?;
            return Ok(Frame::Incomplete);
        }
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let window = input.get(..HEAD_LEN_MAX).unwrap_or(input);
        let (head_len, head) = head::parse(side, window, &mut headers);
        if !matches!(head_len, Ok(Some(_))) {
            if let Err(error) = head_len {
                head::judge(side, window, error)?;
            }
            progress.searched = input.len();
            head::check_len(input, false)?;
            return Ok(Frame::Incomplete);
        }
        let facts = framing::Facts::of(&head)?;
        let framing = facts.framing(&head, asked)?;
        let Some(len) = framing.end(input, head.len, rest, &mut progress.chunks)? else {
            progress.head = Some((head.len, framing));
            return Ok(Frame::Incomplete);
        };
        *progress = Progress::default();
        let message = fields::message(&head, input.get(..len).unwrap_or_default(), framing, demand)?;
        if side == Side::Request {
            self.framed = Some(Asked { head: head.is("HEAD"), connect: head.is("CONNECT"), upgrade: facts.upgrade });
        }
        Ok(Frame::Message { message, len })
    }
}

impl Codec for HttpCodec {
    fn frame(&mut self, side: Side, input: &[u8], rest: Rest, demand: Demand) -> Result<Frame, Malformed> {
        match side {
            Side::Request => self.frame_of::<true>(input, rest, demand),
            Side::Response => self.frame_of::<false>(input, rest, demand),
        }
    }

    fn find_boundary(&mut self, side: Side, input: &[u8]) -> Option<usize> {
        *self.progress(side) = Progress::default();
        head::find(side, input)
    }

    fn pair(&mut self, message: &Message) -> Pairing {
        if message.side == Side::Request {
            let asked = self.framed.take().unwrap_or_else(|| asked_by(message));
            self.open.push_back(asked);
            return Pairing::Opens;
        }
        let status = message.field(slots::response::STATUS).as_int().unwrap_or_default();
        // RFC 9110 section 15.2: a 1xx response is not the last one; 101 is, as HTTP ends there.
        if (100..200).contains(&status) && status != 101 {
            return Pairing::Interim;
        }
        let asked = self.open.pop_front().unwrap_or_default();
        // RFC 9110 section 9.3.6: any 2xx to CONNECT opens the tunnel.
        if status == 101 || (asked.connect && (200..300).contains(&status)) {
            return Pairing::Upgrades;
        }
        Pairing::Closes
    }

    fn encode(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
        encode::message(message, out)
    }
}

/// What a request that was not framed here asks, as one from a recording.
fn asked_by(message: &Message) -> Asked {
    let method = message.field(slots::request::METHOD).as_bytes().unwrap_or_default();
    let upgrade =
        fields::pairs(message.field(slots::request::HEADER)).any(|(name, _)| name.eq_ignore_ascii_case(b"upgrade"));
    Asked { head: method == b"HEAD", connect: method == b"CONNECT", upgrade }
}

/// A request's or response's slot for what both have.
fn shared(side: Side) -> SharedSlots {
    use slots::{request, response};
    match side {
        Side::Request => SharedSlots {
            version: request::VERSION,
            header: request::HEADER,
            body: request::BODY,
            body_raw: request::BODY_RAW,
            trailers: request::TRAILERS,
        },
        Side::Response => SharedSlots {
            version: response::VERSION,
            header: response::HEADER,
            body: response::BODY,
            body_raw: response::BODY_RAW,
            trailers: response::TRAILERS,
        },
    }
}

struct SharedSlots {
    version: reel_lang::schema::FieldId,
    header: reel_lang::schema::FieldId,
    body: reel_lang::schema::FieldId,
    body_raw: reel_lang::schema::FieldId,
    trailers: reel_lang::schema::FieldId,
}

/// The value of a field as text, empty where there is none.
fn text(value: &Value) -> &[u8] {
    value.as_bytes().unwrap_or_default()
}

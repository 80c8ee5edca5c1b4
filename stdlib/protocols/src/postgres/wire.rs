//! The messages of the PostgreSQL protocol 3.0, and 3.2's longer keys, as they are on the wire: byte exact, both directions.
//!
//! Chapter 55 of PostgreSQL's documentation ("Frontend/Backend Protocol") is the specification; sections are cited by number. A message is
//! a type, a length that counts itself, and a body. The client's first messages have no type, and the answer to SSLRequest and
//! GSSENCRequest is a bare byte. Whatever these modules read they write again as the same bytes: every field is kept, and bytes that no
//! field takes are an error.

mod backend;
mod frontend;

pub(super) use backend::{Backend, Column, Copy};
pub(super) use frontend::{Frontend, Target};

use crate::Malformed;
use crate::reader::Reader;

/// Longest message: the server's own limit on memory in one piece (`PQ_LARGE_MESSAGE_LIMIT`).
pub const MESSAGE_LEN_MAX: u32 = 0x3fff_ffff;
/// Longest message without a type (`MAX_STARTUP_PACKET_LENGTH`).
pub const STARTUP_LEN_MAX: u32 = 10_000;
/// Longest message whose content is fixed or short (`PQ_SMALL_MESSAGE_LIMIT`).
pub const SHORT_LEN_MAX: u32 = 10_000;

pub(super) const FORMATS: &str = "PostgreSQL section 55.7";
pub(super) const FLOW: &str = "PostgreSQL section 55.2";

/// The codes that stand where a start-up message has its version.
pub(super) mod code {
    pub(crate) const CANCEL: u32 = 80_877_102;
    pub(crate) const SSL: u32 = 80_877_103;
    pub(crate) const GSS: u32 = 80_877_104;
    /// The only major version since 2003.
    pub(crate) const MAJOR: u32 = 3;
}

/// A message cut off the front of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    /// Zero for a message without one.
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
    /// With type and length.
    pub(super) len: usize,
}

/// Cuts a message without a type.
pub(super) fn cut_untyped(input: &[u8]) -> Result<Option<Packet<'_>>, Malformed> {
    let mut reader = Reader::at(input, 0);
    let Some(len) = reader.be_u32() else { return Ok(None) };
    if !(8..=STARTUP_LEN_MAX).contains(&len) {
        return Err(malformed(0, format!("a first message of {len} bytes")));
    }
    Ok(body(&mut reader, 0, len))
}

/// Cuts a message with a type.
pub(super) fn cut(input: &[u8], len_max: impl Fn(u8) -> Option<u32>) -> Result<Option<Packet<'_>>, Malformed> {
    let mut reader = Reader::at(input, 0);
    let Some(kind) = reader.byte() else { return Ok(None) };
    let limit = len_max(kind).ok_or_else(|| malformed(0, format!("an unknown message `{}`", kind.escape_ascii())))?;
    let Some(len) = reader.be_u32() else { return Ok(None) };
    if len < 4 || len > limit {
        return Err(malformed(1, format!("a message `{}` of {len} bytes", kind.escape_ascii())));
    }
    Ok(body(&mut reader, kind, len))
}

fn body<'a>(reader: &mut Reader<'a>, kind: u8, len: u32) -> Option<Packet<'a>> {
    let body = reader.take(usize::try_from(len.saturating_sub(4)).unwrap_or(usize::MAX))?;
    Some(Packet { kind, body, len: reader.position() })
}

pub(super) fn malformed(offset: usize, reason: impl Into<String>) -> Malformed {
    Malformed { offset, reason: reason.into(), spec: FORMATS }
}

/// Writes a message around what `fill` writes of its body.
pub(super) fn packet(out: &mut Vec<u8>, kind: Option<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    out.extend(kind);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    fill(out);
    let len = u32::try_from(out.len().saturating_sub(at)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at.saturating_add(4)) {
        place.copy_from_slice(&len.to_be_bytes());
    }
}

pub(super) fn put_str(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(0);
}

/// Writes a count of two bytes; no list that this program makes is longer.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

/// Writes a value with its length; none is null.
pub(super) fn put_cell(out: &mut Vec<u8>, cell: Option<&[u8]>) {
    match cell {
        None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        Some(bytes) => {
            out.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

/// The fields of a body, each an error where the body ends before it.
pub(super) struct Body<'a> {
    reader: Reader<'a>,
    /// Where the body begins in the message.
    start: usize,
    /// What is read, for errors.
    what: &'static str,
}

impl<'a> Body<'a> {
    pub(super) fn of(packet: &Packet<'a>, what: &'static str) -> Self {
        Body { reader: Reader::at(packet.body, 0), start: packet.len.saturating_sub(packet.body.len()), what }
    }

    pub(super) fn fault(&self, reason: &str) -> Malformed {
        malformed(self.start.saturating_add(self.reader.position()), format!("{}: {reason}", self.what))
    }

    fn need<T>(&mut self, what: &str, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Result<T, Malformed> {
        match read(&mut self.reader) {
            Some(found) => Ok(found),
            None => Err(self.fault(what)),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.need("it ends before a byte", Reader::byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.need("it ends within a number", Reader::be_u16)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.need("it ends within a number", Reader::be_u32)
    }

    pub(super) fn text(&mut self) -> Result<&'a [u8], Malformed> {
        self.need("a text without its end", Reader::cstr)
    }

    /// A value with its length; none is null.
    pub(super) fn cell(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let len = self.u32()?;
        if len == u32::MAX {
            return Ok(None);
        }
        if len > MESSAGE_LEN_MAX {
            return Err(self.fault("a value of a length that cannot be"));
        }
        self.need("it ends within a value", |reader| reader.take(len as usize)).map(Some)
    }

    /// A count of two bytes, and so many items. The body's length bounds what a count may claim.
    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.u16()?;
        let mut items = Vec::with_capacity(usize::from(count).min(self.reader.rest().len()));
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.reader.rest();
        self.reader.take(rest.len()).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reader.rest().is_empty()
    }

    /// Nothing more may stand in the body.
    pub(super) fn done<T>(self, found: T) -> Result<T, Malformed> {
        if self.is_empty() { Ok(found) } else { Err(self.fault("bytes after its end")) }
    }
}

#[cfg(test)]
mod tests;

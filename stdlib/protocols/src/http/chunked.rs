//! The chunked transfer coding: RFC 9112 section 7.1.

use super::{HEAD_LEN_MAX, HEADERS_MAX};
use crate::Malformed;
use crate::reader::{Line, Reader, hexadecimal};

/// Longest chunk-size line, extensions included.
pub(super) const CHUNK_LINE_LEN_MAX: usize = 4096;
/// Longest chunk.
pub(super) const CHUNK_LEN_MAX: u64 = 1 << 40;

/// How far a chunked payload has been looked at.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The offset of the next chunk's size line, or of the first trailer line; 0 before the first chunk.
    position: usize,
    /// Whether the last chunk has been seen.
    in_trailers: bool,
}

impl Scan {
    /// The offset of the end of a payload that starts at `start`; none while it is not whole.
    pub(super) fn end(&mut self, input: &[u8], start: usize) -> Result<Option<usize>, Malformed> {
        if self.position == 0 {
            self.position = start;
        }
        while !self.in_trailers {
            let mut reader = Reader::at(input, self.position);
            let Some(chunk) = chunk(&mut reader)? else { return Ok(None) };
            self.position = reader.position();
            self.in_trailers = chunk.is_empty();
        }
        let mut reader = Reader::at(input, self.position);
        Ok(trailer_lines(&mut reader)?.map(|_| reader.position()))
    }
}

/// Reads a chunk, `chunk-size [ chunk-ext ] CRLF chunk-data CRLF`; none while it is not whole. The last chunk is empty, and
/// what follows it are trailer lines.
fn chunk<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    let at = reader.position();
    let line = match reader.line(CHUNK_LINE_LEN_MAX) {
        Line::Whole(line) => line,
        Line::Partial => return Ok(None),
        Line::Bad => return Err(malformed(at, "a chunk-size line that is too long or does not end in CR LF")),
    };
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    // Section 7.1: a recipient must anticipate large numbers and prevent overflow.
    let Some(size) = hexadecimal(digits).filter(|size| *size <= CHUNK_LEN_MAX) else {
        return Err(malformed(at, "an invalid or too large chunk size"));
    };
    if size == 0 {
        return Ok(Some(&[]));
    }
    let Some(data) = usize::try_from(size).ok().and_then(|size| reader.take(size)) else { return Ok(None) };
    let end = reader.position();
    match reader.take(2) {
        Some(b"\r\n") => Ok(Some(data)),
        Some(_) => Err(malformed(end, "chunk data that is not followed by CR LF")),
        None if reader.peek().is_some_and(|byte| byte != b'\r') => {
            Err(malformed(end, "chunk data that is not followed by CR LF"))
        }
        None => Ok(None),
    }
}

/// Reads trailer lines and the empty line after them; none while they are not whole.
fn trailer_lines<'a>(reader: &mut Reader<'a>) -> Result<Option<Vec<&'a [u8]>>, Malformed> {
    let start = reader.position();
    let mut lines = Vec::new();
    loop {
        let at = reader.position();
        match reader.line(HEAD_LEN_MAX) {
            Line::Whole(b"") => return Ok(Some(lines)),
            Line::Whole(line) => lines.push(line),
            Line::Partial => return Ok(None),
            Line::Bad => return Err(malformed(at, "a trailer line that is too long or does not end in CR LF")),
        }
        if lines.len() > HEADERS_MAX || reader.position().saturating_sub(start) > HEAD_LEN_MAX {
            return Err(malformed(at, "a trailer section that is too long"));
        }
        let is_field = lines.last().is_some_and(|line| field(line).is_some());
        if !is_field {
            return Err(malformed(at, "an invalid trailer field"));
        }
    }
}

/// The name and the value of a trailer line.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (line.get(..colon)?, line.get(colon.saturating_add(1)..)?);
    super::encode::is_token(name).then_some((name, value.trim_ascii()))
}

/// A payload without its chunks, and the trailer fields.
pub(super) struct Payload<'a> {
    pub(super) data: Vec<u8>,
    pub(super) trailers: Vec<(&'a [u8], &'a [u8])>,
}

/// Takes apart a whole chunked payload.
pub(super) fn decode(input: &[u8]) -> Result<Payload<'_>, Malformed> {
    let mut reader = Reader::at(input, 0);
    let mut data = Vec::with_capacity(input.len());
    while let Some(chunk) = chunk(&mut reader)?.filter(|chunk| !chunk.is_empty()) {
        data.extend_from_slice(chunk);
    }
    let lines = trailer_lines(&mut reader)?.unwrap_or_default();
    Ok(Payload { data, trailers: lines.into_iter().filter_map(field).collect() })
}

fn malformed(offset: usize, reason: &str) -> Malformed {
    Malformed { offset, reason: reason.to_owned(), spec: "RFC 9112 section 7.1" }
}

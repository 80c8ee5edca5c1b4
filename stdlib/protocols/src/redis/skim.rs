//! Finds the end of a RESP value without reading what is in it, and goes on where it stopped when more bytes arrive.

use super::{BULK_LEN_MAX, DEPTH_MAX, ITEMS_MAX, LINE_LEN_MAX, malformed};
use crate::Malformed;
use crate::reader::{Line, Reader, decimal};

/// How far a value has been looked at.
#[derive(Debug, Default)]
pub(super) struct Skim {
    /// The offset of the next element.
    position: usize,
    open: Vec<Open>,
    is_whole: bool,
}

/// An aggregate whose end has not been seen.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// So many elements are left.
    Items(u64),
    /// So many elements of attributes are left, which stand before a value and are none.
    Attribute(u64),
    /// Elements up to `.`.
    UntilEnd,
    /// The chunks of a streamed string, up to an empty one.
    Chunks,
}

/// The length in a header line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Known(u64),
    Null,
    Streamed,
}

/// Reads the length after a type byte.
pub(super) fn length(line: &[u8], limit: u64, offset: usize) -> Result<Length, Malformed> {
    match line {
        b"-1" => Ok(Length::Null),
        b"?" => Ok(Length::Streamed),
        digits => decimal(digits)
            .filter(|len| *len <= limit)
            .map(Length::Known)
            .ok_or_else(|| malformed(offset, "an invalid or too large length")),
    }
}

impl Skim {
    /// The offset of the value's end; none while it is not whole.
    pub(super) fn end(&mut self, input: &[u8]) -> Result<Option<usize>, Malformed> {
        while !self.is_whole {
            let mut reader = Reader::at(input, self.position);
            if !self.element(&mut reader)? {
                return Ok(None);
            }
            self.position = reader.position();
        }
        Ok(Some(self.position))
    }

    /// Passes over one element, or an aggregate's header; false while it is not whole.
    fn element(&mut self, reader: &mut Reader<'_>) -> Result<bool, Malformed> {
        let at = reader.position();
        let Some(mark) = reader.byte() else { return Ok(false) };
        let line = match reader.line(LINE_LEN_MAX) {
            Line::Whole(line) => line,
            Line::Partial => return Ok(false),
            Line::Bad => return Err(malformed(at, "a line that is too long or does not end in CR LF")),
        };
        if matches!(self.open.last(), Some(Open::Chunks)) != (mark == b';') {
            return Err(malformed(at, "a chunk outside a streamed string, or something else within"));
        }
        match mark {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => self.complete(),
            b'$' | b'!' | b'=' => match length(line, BULK_LEN_MAX, at)? {
                Length::Null => self.complete(),
                Length::Streamed => self.enter(Open::Chunks, at)?,
                Length::Known(len) => {
                    if !bulk(reader, len)? {
                        return Ok(false);
                    }
                    self.complete();
                }
            },
            b';' => match length(line, BULK_LEN_MAX, at)? {
                Length::Known(0) => {
                    self.open.pop();
                    self.complete();
                }
                Length::Known(len) => return bulk(reader, len),
                _ => return Err(malformed(at, "a chunk without a length")),
            },
            b'*' | b'%' | b'~' | b'>' | b'|' => self.aggregate(mark, length(line, ITEMS_MAX, at)?, at)?,
            b'.' if matches!(self.open.last(), Some(Open::UntilEnd)) => {
                self.open.pop();
                self.complete();
            }
            _ => return Err(malformed(at, "an unknown type")),
        }
        Ok(true)
    }

    fn aggregate(&mut self, mark: u8, length: Length, at: usize) -> Result<(), Malformed> {
        match length {
            Length::Null if mark == b'*' => self.complete(),
            Length::Null => return Err(malformed(at, "a null that is no array")),
            Length::Streamed if mark == b'|' => return Err(malformed(at, "streamed attributes")),
            Length::Streamed => self.enter(Open::UntilEnd, at)?,
            Length::Known(0) if mark == b'|' => {}
            Length::Known(0) => self.complete(),
            Length::Known(items) => {
                let both = if matches!(mark, b'%' | b'|') { items.saturating_mul(2) } else { items };
                self.enter(if mark == b'|' { Open::Attribute(both) } else { Open::Items(both) }, at)?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, open: Open, at: usize) -> Result<(), Malformed> {
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed(at, "nested too deeply"));
        }
        self.open.push(open);
        Ok(())
    }

    /// Counts an element that is whole, and the aggregates that end with it.
    fn complete(&mut self) {
        loop {
            match self.open.last_mut() {
                None => {
                    self.is_whole = true;
                    return;
                }
                Some(Open::UntilEnd | Open::Chunks) => return,
                Some(Open::Items(left) | Open::Attribute(left)) if *left > 1 => {
                    *left = left.saturating_sub(1);
                    return;
                }
                Some(Open::Items(_)) => {
                    self.open.pop();
                }
                Some(Open::Attribute(_)) => {
                    self.open.pop();
                    return;
                }
            }
        }
    }
}

/// Passes over a bulk string's bytes and their CR LF; false while they are not whole.
fn bulk(reader: &mut Reader<'_>, len: u64) -> Result<bool, Malformed> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if reader.take(len).is_none() {
        return Ok(false);
    }
    let at = reader.position();
    match reader.rest() {
        [b'\r', b'\n', ..] => Ok(reader.take(2).is_some()),
        [] | [b'\r'] => Ok(false),
        _ => Err(malformed(at, "a bulk string that is not followed by CR LF")),
    }
}

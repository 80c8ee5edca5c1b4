//! Where a message's payload ends: RFC 9112 section 6.3.

use super::head::{First, Head};
use super::{Asked, chunked};
use crate::{Malformed, Rest};

/// How a payload is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    Chunked,
    /// All bytes until the server closes.
    UntilClose,
}

impl Framing {
    /// The offset of the message's end; none while it is not whole.
    pub(super) fn end(
        self,
        input: &[u8],
        head_len: usize,
        rest: Rest,
        chunks: &mut chunked::Scan,
    ) -> Result<Option<usize>, Malformed> {
        Ok(match self {
            Framing::Empty => Some(head_len),
            Framing::Length(len) => {
                let end = usize::try_from(len).ok().and_then(|len| head_len.checked_add(len));
                end.filter(|end| *end <= input.len())
            }
            Framing::Chunked => chunks.end(input, head_len)?,
            Framing::UntilClose => (rest == Rest::Closed).then_some(input.len()),
        })
    }
}

/// What the header fields say about framing.
#[derive(Debug, Default)]
pub(super) struct Facts {
    length: Option<u64>,
    /// Whether the last transfer coding is `chunked`; none without the field.
    chunked: Option<bool>,
    pub(super) upgrade: bool,
}

impl Facts {
    /// Reads the fields in one pass; most are told apart by length alone.
    #[inline(always)]
    pub(super) fn of(head: &Head<'_, '_>) -> Result<Facts, Malformed> {
        let mut facts = Facts::default();
        for header in head.headers {
            match header.name.len() {
                7 if header.name.eq_ignore_ascii_case("upgrade") => facts.upgrade = true,
                14 if header.name.eq_ignore_ascii_case("content-length") => facts.add_length(header.value)?,
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    let last = header.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                    facts.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    /// A list of equal lengths is one length (RFC 9112 section 6.3 item 5).
    fn add_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        // Nearly every length is nothing but digits.
        if let (None, Some(length)) = (self.length, crate::reader::decimal(value)) {
            self.length = Some(length);
            return Ok(());
        }
        for item in value.split(|byte| *byte == b',') {
            let Some(length) = crate::reader::decimal(item.trim_ascii()) else {
                return Err(malformed("an invalid Content-Length", "RFC 9110 section 8.6"));
            };
            if self.length.is_some_and(|other| other != length) {
                return Err(malformed("two different Content-Length values", "RFC 9112 section 6.3"));
            }
            self.length = Some(length);
        }
        Ok(())
    }

    /// Decides by the rules of RFC 9112 section 6.3, in their order.
    #[inline(always)]
    pub(super) fn framing(&self, head: &Head<'_, '_>, asked: Asked) -> Result<Framing, Malformed> {
        let is_request = matches!(head.first, First::Request { .. });
        if let First::Response { status, .. } = head.first {
            // Items 1 and 2.
            let has_none = asked.head || matches!(status, 100..200 | 204 | 304);
            if has_none || (asked.connect && (200..300).contains(&status)) {
                return Ok(Framing::Empty);
            }
        }
        match (self.chunked, self.length) {
            (Some(_), Some(_)) => Err(malformed("Content-Length beside Transfer-Encoding", "RFC 9112 section 6.3")),
            (Some(_), None) if head.minor == 0 => {
                Err(malformed("Transfer-Encoding in an HTTP/1.0 message", "RFC 9112 section 6.1"))
            }
            (Some(true), None) => Ok(Framing::Chunked),
            (Some(false), None) if is_request => {
                Err(malformed("a request whose last transfer coding is not chunked", "RFC 9112 section 6.3"))
            }
            (Some(false), None) => Ok(Framing::UntilClose),
            (None, Some(0)) => Ok(Framing::Empty),
            (None, Some(length)) => Ok(Framing::Length(length)),
            (None, None) if is_request => Ok(Framing::Empty),
            (None, None) => Ok(Framing::UntilClose),
        }
    }
}

fn malformed(reason: &str, spec: &'static str) -> Malformed {
    Malformed { offset: 0, reason: reason.to_owned(), spec }
}

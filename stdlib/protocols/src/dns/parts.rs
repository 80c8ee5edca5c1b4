//! The structure of a DNS message (RFC 1035 section 4): header, questions, records, names.
//!
//! This is the framing, so it is ours: every fault has its place and its section. What a record's data means is left to
//! [`super::decode`]. A pointer in a name goes back, always, so that a name ends.

use reel_lang::schema::Side;

use crate::Malformed;
use crate::reader::Reader;

/// The length of the header.
pub(super) const HEADER_LEN: usize = 12;
/// The longest name on the wire (RFC 1035 section 2.3.4).
const NAME_LEN_MAX: usize = 255;
/// Most questions of a message: more than one has no meaning (RFC 9619).
const QUESTIONS_MAX: u16 = 16;
/// The record that EDNS is in (RFC 6891 section 6.1.1).
const OPT: u16 = 41;

/// A message, cut into its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) id: u16,
    pub(super) flags: u16,
    pub(super) questions: Vec<Question>,
    /// Answer, authority, additional without EDNS's own.
    pub(super) sections: [Vec<Record>; 3],
    pub(super) edns: Option<Edns>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: String,
    pub(super) kind: u16,
    pub(super) class: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    /// Where its data is in the message.
    pub(super) data_start: usize,
    pub(super) data_len: u16,
}

/// What EDNS's record says (RFC 6891 section 6.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edns {
    pub(super) size: u16,
    /// The upper eight bits of the response code.
    pub(super) rcode_high: u8,
}

/// The first 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    /// Questions, answers, authority, additional.
    pub(super) counts: [u16; 4],
}

impl Header {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Header> {
        let [id, flags] = [u16(reader)?, u16(reader)?];
        Some(Header { id, flags, counts: [u16(reader)?, u16(reader)?, u16(reader)?, u16(reader)?] })
    }
}

/// Whether this can be the front of a question or an answer, as far as it is there: one question, and in a question nothing that only
/// answers have.
pub(super) fn is_plausible(front: &[u8], side: Side) -> bool {
    let is_question = side == Side::Request;
    let fits = |at: usize, holds: &dyn Fn(u8) -> bool| front.get(at).copied().is_none_or(holds);
    // Operations beyond 6 are not assigned, and the bit Z is 0 (RFC 6895 section 2).
    let flags = |byte: u8| (byte & 0x80 == 0) == is_question && byte >> 3 & 0xf <= 6;
    let more_flags = |byte: u8| byte & 0x40 == 0 && !(is_question && byte & 0xf != 0);
    let no_answers = |byte: u8| !is_question || byte == 0;
    fits(2, &flags)
        && fits(3, &more_flags)
        && fits(4, &|high| high == 0)
        && fits(5, &|low| low == 1)
        && fits(6, &no_answers)
        && fits(7, &no_answers)
}

impl Parts {
    /// Cuts a message, all of whose bytes are there.
    pub(super) fn of(message: &[u8]) -> Result<Parts, Malformed> {
        let mut reader = Reader::at(message, 0);
        let header = Header::read(&mut reader)
            .ok_or_else(|| cut(message, "a header of less than 12 bytes", "RFC 1035 section 4.1.1"))?;
        let [questions, sections @ ..] = header.counts;
        if questions > QUESTIONS_MAX {
            return Err(malformed(4, "more than 16 questions", "RFC 9619 section 4"));
        }
        let questions = (0..questions).map(|_| question(message, &mut reader)).collect::<Result<Vec<_>, _>>()?;
        let mut parts =
            Parts { id: header.id, flags: header.flags, questions, sections: Default::default(), edns: None };
        for (section, count) in parts.sections.iter_mut().zip(sections) {
            for _ in 0..count {
                let record = record(message, &mut reader)?;
                if record.kind == OPT && parts.edns.is_none() {
                    let [rcode_high, ..] = record.ttl.to_be_bytes();
                    parts.edns = Some(Edns { size: record.class, rcode_high });
                } else {
                    section.push(record);
                }
            }
        }
        match reader.rest() {
            [] => Ok(parts),
            _ => Err(malformed(reader.position(), "bytes after the last record", "RFC 1035 section 4.1")),
        }
    }

    /// The response code, with EDNS's part of it.
    pub(super) fn rcode(&self) -> u16 {
        let high = self.edns.map_or(0, |edns| u16::from(edns.rcode_high));
        high << 4 | self.flags & 0xf
    }
}

fn malformed(offset: usize, reason: &str, spec: &'static str) -> Malformed {
    Malformed { offset, reason: reason.to_owned(), spec }
}

fn cut(message: &[u8], reason: &str, spec: &'static str) -> Malformed {
    malformed(message.len(), reason, spec)
}

fn u16(reader: &mut Reader<'_>) -> Option<u16> {
    reader.take(2)?.try_into().ok().map(u16::from_be_bytes)
}

fn u32(reader: &mut Reader<'_>) -> Option<u32> {
    reader.take(4)?.try_into().ok().map(u32::from_be_bytes)
}

fn question<'a>(message: &'a [u8], reader: &mut Reader<'a>) -> Result<Question, Malformed> {
    let name = name(message, reader)?;
    let ended = || cut(message, "a question that is cut off", "RFC 1035 section 4.1.2");
    let [kind, class] = [u16(reader).ok_or_else(ended)?, u16(reader).ok_or_else(ended)?];
    Ok(Question { name, kind, class })
}

fn record<'a>(message: &'a [u8], reader: &mut Reader<'a>) -> Result<Record, Malformed> {
    let name = name(message, reader)?;
    let ended = || cut(message, "a record that is cut off", "RFC 1035 section 4.1.3");
    let [kind, class] = [u16(reader).ok_or_else(ended)?, u16(reader).ok_or_else(ended)?];
    let ttl = u32(reader).ok_or_else(ended)?;
    let data_len = u16(reader).ok_or_else(ended)?;
    let data_start = reader.position();
    reader.take(usize::from(data_len)).ok_or_else(ended)?;
    Ok(Record { name, kind, class, ttl, data_start, data_len })
}

/// Reads a name (RFC 1035 section 4.1.4), as text without the dot at its end.
pub(super) fn name<'a>(message: &'a [u8], reader: &mut Reader<'a>) -> Result<String, Malformed> {
    let mut text = String::new();
    let mut wire_len = 0_usize;
    // Where the labels at hand begin: a pointer goes before them. Behind the first pointer another reader goes on.
    let mut from = reader.position();
    let mut beyond: Option<Reader<'_>> = None;
    loop {
        let at = beyond.as_mut().unwrap_or(reader);
        let offset = at.position();
        let ended = || malformed(message.len(), "a name that is cut off", "RFC 1035 section 4.1.4");
        let len = at.byte().ok_or_else(ended)?;
        match len & 0xc0 {
            0x00 if len == 0 => break,
            0x00 => {
                let label = at.take(usize::from(len)).ok_or_else(ended)?;
                wire_len = wire_len.saturating_add(label.len()).saturating_add(1);
                if wire_len >= NAME_LEN_MAX {
                    return Err(malformed(offset, "a name of more than 255 bytes", "RFC 1035 section 2.3.4"));
                }
                if !text.is_empty() {
                    text.push('.');
                }
                push_label(&mut text, label);
            }
            0xc0 => {
                let low = at.byte().ok_or_else(ended)?;
                let to = usize::from(len & 0x3f) << 8 | usize::from(low);
                if to >= from {
                    let reason = "a pointer in a name that does not go back";
                    return Err(malformed(offset, reason, "RFC 1035 section 4.1.4"));
                }
                from = to;
                beyond = Some(Reader::at(message, to));
            }
            _ => return Err(malformed(offset, "a label of an unknown kind", "RFC 1035 section 4.1.4")),
        }
    }
    Ok(if text.is_empty() { ".".to_owned() } else { text })
}

/// Writes a label; what is no plain character is escaped as RFC 1035 section 5.1 has it.
fn push_label(text: &mut String, label: &[u8]) {
    for byte in label {
        match byte {
            b'.' | b'\\' => text.extend(['\\', char::from(*byte)]),
            byte if byte.is_ascii_graphic() => text.push(char::from(*byte)),
            byte => text.push_str(&format!("\\{byte:03}")),
        }
    }
}

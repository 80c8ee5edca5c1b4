//! From a message's parts to its fields. What a record's data says is hickory-proto's; data that it does not know, or that breaks its
//! type's form, is written in digits as RFC 3597 section 5 has it.

use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, Restrict};
use reel_lang::schema::{FieldId, Side};
use reel_lang::value::Value;

use super::parts::{Parts, Record};
use super::slots::{request, response};
use super::words;
use crate::{Demand, Message};

/// Fills in what a message says of itself. Its name, type and number are always there, since pairing goes by them.
pub(super) fn put(message: &mut Message, parts: &Parts, bytes: &[u8], demand: Demand) {
    let flag = |bit: u16| Value::Bool(parts.flags & bit != 0);
    let opcode = Value::text(words::opcode(parts.flags >> 11 & 0xf));
    let edns_size = parts.edns.map_or(Value::Nil, |edns| Value::Int(i64::from(edns.size)));
    let id = Value::Int(i64::from(parts.id));
    let question = parts.questions.first();
    let name = question.map_or(Value::Nil, |question| Value::text(&question.name));
    let kind = question.map_or(Value::Nil, |question| Value::text(words::kind(question.kind)));
    let class = question.map_or(Value::Nil, |question| Value::text(words::class(question.class)));
    let fields: Vec<(FieldId, Value)> = match message.side {
        Side::Request => vec![
            (request::NAME, name),
            (request::TYPE, kind),
            (request::CLASS, class),
            (request::ID, id),
            (request::OPCODE, opcode),
            (request::RD, flag(0x0100)),
            (request::AD, flag(0x0020)),
            (request::CD, flag(0x0010)),
            (request::EDNS_SIZE, edns_size),
        ],
        Side::Response => {
            let [answers, authority, additional] =
                [response::ANSWERS, response::AUTHORITY, response::ADDITIONAL].map(|field| demand.wants(field));
            let [first, second, third] = &parts.sections;
            vec![
                (response::RCODE, Value::text(words::rcode(parts.rcode()))),
                (response::ANSWERS, records(first, bytes, answers)),
                (response::AUTHORITY, records(second, bytes, authority)),
                (response::ADDITIONAL, records(third, bytes, additional)),
                (response::NAME, name),
                (response::TYPE, kind),
                (response::CLASS, class),
                (response::ID, id),
                (response::OPCODE, opcode),
                (response::AA, flag(0x0400)),
                (response::TC, flag(0x0200)),
                (response::RD, flag(0x0100)),
                (response::RA, flag(0x0080)),
                (response::AD, flag(0x0020)),
                (response::CD, flag(0x0010)),
                (response::EDNS_SIZE, edns_size),
            ]
        }
    };
    for (field, value) in fields {
        message.put(field, value);
    }
}

/// The records of a section; nil where they are not wanted.
fn records(section: &[Record], bytes: &[u8], is_wanted: bool) -> Value {
    if !is_wanted {
        return Value::Nil;
    }
    Value::List(section.iter().map(|record| value(record, bytes)).collect())
}

fn value(record: &Record, bytes: &[u8]) -> Value {
    let pairs = [
        ("name", Value::text(&record.name)),
        ("type", Value::text(words::kind(record.kind))),
        ("class", Value::text(words::class(record.class))),
        ("ttl", Value::Int(i64::from(record.ttl))),
        ("data", Value::text(data(record, bytes))),
    ];
    Value::Map(pairs.into_iter().map(|(name, value)| (Value::text(name), value)).collect())
}

/// A record's data as text: an address, a name without the dot at its end, or what zone files have for its type.
fn data(record: &Record, bytes: &[u8]) -> String {
    let known = read(record, bytes).map(|data| match &data {
        RData::CNAME(name) => undotted(name.to_string()),
        RData::NS(name) => undotted(name.to_string()),
        RData::PTR(name) => undotted(name.to_string()),
        RData::TXT(text) => strings(text.txt_data.iter().map(AsRef::as_ref)),
        other => other.to_string(),
    });
    known.unwrap_or_else(|| {
        let end = record.data_start.saturating_add(usize::from(record.data_len));
        let bytes = bytes.get(record.data_start..end).unwrap_or_default();
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\\# {} {digits}", record.data_len).trim_end().to_owned()
    })
}

fn read(record: &Record, bytes: &[u8]) -> Option<RData> {
    let kind = RecordType::from(record.kind);
    let mut decoder = BinDecoder::new(bytes).clone(u16::try_from(record.data_start).ok()?);
    let data = RData::read(&mut decoder, kind, Restrict::new(record.data_len)).ok()?;
    match data {
        RData::Unknown { .. } | RData::NULL(_) | RData::OPT(_) | RData::TSIG(_) | RData::Update0(_) => None,
        known => Some(known),
    }
}

/// A name without the dot at its end.
fn undotted(name: String) -> String {
    match name.strip_suffix('.') {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => name,
    }
}

/// Character strings, each in quotes (RFC 1035 section 5.1).
fn strings<'a>(strings: impl Iterator<Item = &'a [u8]>) -> String {
    let quoted = strings.map(|string| {
        let escaped: String = string
            .iter()
            .map(|byte| match byte {
                b'"' | b'\\' => format!("\\{}", char::from(*byte)),
                byte if byte.is_ascii_graphic() || *byte == b' ' => char::from(*byte).to_string(),
                byte => format!("\\{byte:03}"),
            })
            .collect();
        format!("\"{escaped}\"")
    });
    quoted.collect::<Vec<_>>().join(" ")
}

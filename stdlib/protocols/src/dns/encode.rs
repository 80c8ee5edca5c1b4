//! From fields to bytes, with names compressed as most servers do. What fields do not say (EDNS's options, the order of records in
//! which a server put its own) is not written: where that makes other bytes than were sent, the message keeps its own.

use hickory_proto::op::{Edns, Message as Wire, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use reel_lang::schema::{FieldId, Side};
use reel_lang::value::Value;

use super::slots::{request, response};
use super::{TCP, words};
use crate::{Message, Unencodable};

/// Writes a message, with its length before it over TCP.
pub(super) fn message(message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    let (wire, transport) = match message.side {
        Side::Request => (question(message)?, request::TRANSPORT),
        Side::Response => (answer(message)?, response::TRANSPORT),
    };
    let bytes = wire.to_vec().map_err(|error| wrong("answers", &error.to_string()))?;
    if message.field(transport).as_str() == Some(TCP) {
        let len =
            u16::try_from(bytes.len()).map_err(|_| wrong("answers", "the message is longer than 65,535 bytes"))?;
        out.extend_from_slice(&len.to_be_bytes());
    }
    out.extend_from_slice(&bytes);
    Ok(())
}

fn question(message: &Message) -> Result<Wire, Unencodable> {
    let opcode = opcode(message, request::OPCODE)?;
    let mut wire = Wire::new(id(message, request::ID)?, MessageType::Query, opcode);
    wire.metadata.recursion_desired = is_set(message, request::RD);
    wire.metadata.authentic_data = is_set(message, request::AD);
    wire.metadata.checking_disabled = is_set(message, request::CD);
    wire.queries.extend(asked(message, [request::NAME, request::TYPE, request::CLASS])?);
    wire.edns = edns(message.field(request::EDNS_SIZE), 0)?;
    Ok(wire)
}

fn answer(message: &Message) -> Result<Wire, Unencodable> {
    let rcode = word(message, response::RCODE, "rcode", words::rcode_number)?.unwrap_or(0);
    let opcode = opcode(message, response::OPCODE)?;
    let mut wire = Wire::new(id(message, response::ID)?, MessageType::Response, opcode);
    wire.metadata.authoritative = is_set(message, response::AA);
    wire.metadata.truncation = is_set(message, response::TC);
    wire.metadata.recursion_desired = is_set(message, response::RD);
    wire.metadata.recursion_available = is_set(message, response::RA);
    wire.metadata.authentic_data = is_set(message, response::AD);
    wire.metadata.checking_disabled = is_set(message, response::CD);
    let [high, low] = [rcode >> 4, rcode & 0xf].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    wire.metadata.response_code = ResponseCode::from(high, low);
    wire.queries.extend(asked(message, [response::NAME, response::TYPE, response::CLASS])?);
    wire.answers = records(message.field(response::ANSWERS), "answers")?;
    wire.authorities = records(message.field(response::AUTHORITY), "authority")?;
    wire.additionals = records(message.field(response::ADDITIONAL), "additional")?;
    wire.edns = edns(message.field(response::EDNS_SIZE), high)?;
    if high > 0 && wire.edns.is_none() {
        return Err(wrong("rcode", "a code above 15 needs `edns_size`"));
    }
    Ok(wire)
}

fn wrong(field: &str, reason: &str) -> Unencodable {
    Unencodable { field: field.to_owned(), reason: reason.to_owned() }
}

fn id(message: &Message, field: FieldId) -> Result<u16, Unencodable> {
    let id = message.field(field).as_int().unwrap_or(0);
    u16::try_from(id).map_err(|_| wrong("id", "expected a number up to 65,535"))
}

fn is_set(message: &Message, field: FieldId) -> bool {
    message.field(field).untagged() == &Value::Bool(true)
}

/// The number that a word stands for; none where the field is nil.
fn word<T>(
    message: &Message,
    field: FieldId,
    name: &str,
    number: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Unencodable> {
    match message.field(field) {
        value if value.is_nil() => Ok(None),
        value => value.as_str().and_then(number).map(Some).ok_or_else(|| wrong(name, "the word is not known")),
    }
}

fn opcode(message: &Message, field: FieldId) -> Result<OpCode, Unencodable> {
    let number = word(message, field, "opcode", words::opcode_number)?.unwrap_or(0);
    let number = u8::try_from(number).ok().filter(|number| *number < 16);
    number.map(OpCode::from_u8).ok_or_else(|| wrong("opcode", "expected a number below 16"))
}

fn asked(message: &Message, [name, kind, class]: [FieldId; 3]) -> Result<Option<Query>, Unencodable> {
    if message.field(name).is_nil() {
        return Ok(None);
    }
    let mut query = Query::new();
    query.set_name(domain(message.field(name), "name")?);
    if let Some(kind) = word(message, kind, "type", words::kind_of)? {
        query.set_query_type(kind);
    }
    if let Some(class) = word(message, class, "class", words::class_of)? {
        query.set_query_class(class);
    }
    Ok(Some(query))
}

fn domain(value: &Value, field: &str) -> Result<Name, Unencodable> {
    let text = value.as_str().ok_or_else(|| wrong(field, "expected a name"))?;
    let mut name = Name::from_ascii(text).map_err(|error| wrong(field, &error.to_string()))?;
    name.set_fqdn(true);
    Ok(name)
}

fn edns(size: &Value, rcode_high: u8) -> Result<Option<Edns>, Unencodable> {
    let Some(size) = size.as_int() else { return Ok(None) };
    let size = u16::try_from(size).map_err(|_| wrong("edns_size", "expected a number up to 65,535"))?;
    let mut edns = Edns::new();
    edns.set_max_payload(size).set_rcode_high(rcode_high);
    Ok(Some(edns))
}

fn records(section: &Value, field: &str) -> Result<Vec<Record>, Unencodable> {
    match section.untagged() {
        Value::Nil => Ok(Vec::new()),
        Value::List(items) => items.iter().map(|item| record(item, field)).collect(),
        _ => Err(wrong(field, "expected a list of records")),
    }
}

fn record(value: &Value, field: &str) -> Result<Record, Unencodable> {
    let part = |name: &str| value.entry(name).ok_or_else(|| wrong(field, &format!("a record lacks `{name}`")));
    let kind = part("type")?.as_str().and_then(words::kind_of).ok_or_else(|| wrong(field, "a type is not known"))?;
    let ttl = part("ttl")?.as_int().and_then(|ttl| u32::try_from(ttl).ok());
    let ttl = ttl.ok_or_else(|| wrong(field, "a `ttl` is no number of seconds"))?;
    let text = part("data")?.as_str().ok_or_else(|| wrong(field, "a record's `data` is no text"))?;
    let data = data(kind, text).ok_or_else(|| wrong(field, &format!("the data of a record cannot be read: {text}")))?;
    let mut record = Record::from_rdata(domain(part("name")?, field)?, ttl, data);
    if let Some(class) = value.entry("class").and_then(Value::as_str) {
        record.dns_class = words::class_of(class).ok_or_else(|| wrong(field, "a class is not known"))?;
    }
    Ok(record)
}

/// Reads a record's data; digits after `\#` are its bytes (RFC 3597 section 5).
fn data(kind: RecordType, text: &str) -> Option<RData> {
    if let Some(digits) = text.strip_prefix("\\# ") {
        let (len, digits) = digits.split_once(' ').unwrap_or((digits, ""));
        let bytes = digits.as_bytes().chunks(2).map(crate::reader::hexadecimal).collect::<Option<Vec<_>>>()?;
        let bytes = bytes.into_iter().map(|byte| u8::try_from(byte).ok()).collect::<Option<Vec<u8>>>()?;
        if len.parse() != Ok(bytes.len()) {
            return None;
        }
        let rdata = hickory_proto::rr::rdata::NULL::with(bytes);
        return Some(RData::Unknown { code: kind, rdata });
    }
    let dotted = match kind {
        RecordType::CNAME | RecordType::NS | RecordType::PTR if !text.ends_with('.') => format!("{text}."),
        _ => text.to_owned(),
    };
    RData::try_from_str(kind, &dotted).ok()
}

//! Messages and exchanges as YAML, and back, by the schema of their protocol.
//!
//! Stored are the fields that nothing else gives: derived ones are computed again when a message is read. `exact` holds the
//! bytes on the wire where encoding the fields would not give them; a person who edits a field deletes it.

use std::io;

use reel_lang::schema::{Direction, Side, conn};
use reel_lang::value::Value;
use reel_protocols::{Demand, Frame, Message, Protocol, Rest};

use super::bodies::Bodies;
use super::fields::{self, Entry, Fields};
use super::model::{Destination, Ending, Exchange};
use super::value;
use super::yaml::{Fault, Kind, Node};

/// The key of a message's exact bytes; no schema may use it.
const EXACT: &str = "exact";
/// The key of the length of a message that was cut; no schema may use it.
const CUT_FROM: &str = "cut_from";

/// Makes the node of a message.
pub(super) fn write(protocol: &dyn Protocol, message: &Message, bodies: &mut dyn Bodies) -> io::Result<Node> {
    let mut entries = Vec::new();
    for field in &protocol.schema().fields {
        let stored = field.side == Some(message.side) && !field.derived;
        let content = message.field(field.id);
        if stored && *content != Value::Nil {
            entries.push((field.name.as_str(), value::write(content, bodies)?));
        }
    }
    if let Some(exact) = &message.exact {
        entries.push((EXACT, value::write_bytes(exact, bodies)?));
    }
    if let Some(len) = message.cut_from {
        entries.push((CUT_FROM, Node::plain(len)));
    }
    Ok(Node::map(entries))
}

/// Reads a message.
pub(super) fn read(protocol: &dyn Protocol, side: Side, node: &Node, bodies: &dyn Bodies) -> Result<Message, Fault> {
    let schema = protocol.schema();
    let mut message = Message::new(schema, side);
    let mut fields = Fields::of(node, side.name())?;
    let line = node.line;
    if let Some(node) = fields.take(EXACT) {
        match value::read(node, bodies, &|_| None)? {
            Value::Str(bytes) => message.exact = Some(bytes),
            _ => return Err(Fault { line: node.line, reason: format!("`{EXACT}` must be text or `!binary`") }),
        }
    }
    message.cut_from = fields.parsed_if(CUT_FROM, "a number of bytes")?;
    for Entry { key: name, line, node } in fields.rest() {
        let field = schema.field(side, name).filter(|field| field.id.0 >= conn::COUNT);
        let Some(field) = field else {
            let reason = format!("a {} of {} has no field `{name}`", side.name(), schema.protocol);
            return Err(Fault { line, reason });
        };
        if field.derived {
            let reason = format!("`{name}` is computed from other fields and cannot be set");
            return Err(Fault { line, reason });
        }
        message.put(field.id, value::read(node, bodies, &reel_protocols::tag)?);
    }
    protocol.derive(&mut message);
    message.wire_len = match message.cut_from {
        Some(len) => len,
        None => wire_len(protocol, &message).map_err(|reason| Fault { line, reason })?,
    };
    Ok(message)
}

/// The bytes of a message on the wire.
///
/// # Errors
/// What is wrong with its fields, for a person; a message that was cut has no bytes.
pub fn wire_bytes(protocol: &dyn Protocol, message: &Message) -> Result<bytes::Bytes, String> {
    if let Some(exact) = &message.exact {
        return Ok(exact.clone());
    }
    if let Some(len) = message.cut_from {
        return Err(format!("the {} was cut by `limit` from {len} bytes when it was recorded", message.side.name()));
    }
    let mut out = Vec::new();
    protocol.codec().encode(message, &mut out).map_err(|e| e.to_string())?;
    Ok(out.into())
}

fn wire_len(protocol: &dyn Protocol, message: &Message) -> Result<u64, String> {
    Ok(wire_bytes(protocol, message)?.len() as u64)
}

/// Adds an exchange's entries to those of its document.
pub(super) fn write_exchange(
    exchange: &Exchange,
    protocol: &dyn Protocol,
    entries: &mut Vec<(&str, Node)>,
    bodies: &mut dyn Bodies,
) -> io::Result<()> {
    entries.push(("destination", Node::text(exchange.destination.addr.to_string())));
    if let Some(host) = &exchange.destination.host {
        entries.push(("host", Node::text(host)));
    }
    if let Some(request) = &exchange.request {
        entries.push(("request", write(protocol, request, bodies)?));
    }
    if !exchange.interim.is_empty() {
        let interim: Result<_, _> = exchange.interim.iter().map(|message| write(protocol, message, bodies)).collect();
        entries.push(("interim", Node::seq(interim?)));
    }
    if let Some(response) = &exchange.response {
        entries.push(("response", write(protocol, response, bodies)?));
    }
    if let Some(ending) = exchange.ending {
        entries.push(("ending", Node::text(ending.name())));
    }
    Ok(())
}

/// Reads an exchange out of its document's entries.
pub(super) fn read_exchange(
    protocol: &'static dyn Protocol,
    direction: Direction,
    fields: &mut Fields<'_>,
    bodies: &dyn Bodies,
) -> Result<Exchange, Fault> {
    let addr = fields.parsed("destination", "an address and a port such as \"127.0.0.1:6379\"")?;
    let host = fields.text_if("host")?.map(str::to_owned);
    let mut message = |key: &str, side| match fields.take(key) {
        Some(node) => read(protocol, side, node, bodies).map(Some),
        None => Ok(None),
    };
    let request = message("request", Side::Request)?;
    let response = message("response", Side::Response)?;
    let interim = fields.list("interim")?.iter().map(|node| read(protocol, Side::Response, node, bodies));
    let interim = interim.collect::<Result<Vec<_>, _>>()?;
    let ending = fields.take("ending").map(read_ending).transpose()?;
    if request.is_none() && response.is_none() && ending.is_none() {
        return Err(fields.fault("an exchange has a request, a response or an `ending`"));
    }
    check_exact(protocol, request.as_ref(), &interim, response.as_ref()).map_err(|reason| fields.fault(reason))?;
    let protocol = protocol.schema().protocol.clone();
    Ok(Exchange { protocol, direction, destination: Destination { addr, host }, request, interim, response, ending })
}

/// Holds the fields of each message against its exact bytes: whoever edits a field must delete these, or the edit would
/// have no effect.
fn check_exact(
    protocol: &dyn Protocol,
    request: Option<&Message>,
    interim: &[Message],
    response: Option<&Message>,
) -> Result<(), String> {
    let mut codec = protocol.codec();
    for message in request.into_iter().chain(interim).chain(response) {
        if let Some(exact) = &message.exact {
            let rest = if protocol.framed() { Rest::Closed } else { Rest::Turn };
            let frame = codec.frame(message.side, exact, rest, Demand::ALL);
            if let Ok(Frame::Message { message: decoded, .. }) = frame {
                let stored = protocol.schema().fields.iter().filter(|field| !field.derived);
                let mut differing = stored.filter(|field| decoded.field(field.id) != message.field(field.id));
                if let Some(field) = differing.next() {
                    let (name, side) = (&field.name, message.side.name());
                    return Err(format!(
                        "`{name}` of the {side} is not what its `exact` bytes say: delete `exact`, or undo the edit"
                    ));
                }
            }
        }
        codec.pair(message);
    }
    Ok(())
}

fn read_ending(node: &Node) -> Result<Ending, Fault> {
    word(node, "ending", &Ending::ALL, Ending::name)
}

/// Reads one of a few words.
pub(super) fn word<T: Copy>(node: &Node, key: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, Fault> {
    let text = fields::text(node, key)?;
    all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        Fault { line: node.line, reason: format!("`{key}` is one of {}, found `{text}`", names.join(", ")) }
    })
}

/// Finds the protocol that a document names.
pub(super) fn protocol(name: &str, line: u32) -> Result<&'static dyn Protocol, Fault> {
    reel_protocols::by_name(name)
        .ok_or_else(|| Fault { line, reason: format!("this version of reel has no protocol `{name}`") })
}

/// Whether a document is a map at all; a truncated file may end in less.
pub(super) fn expect_map(node: &Node) -> Result<(), Fault> {
    match node.kind {
        Kind::Map(_) => Ok(()),
        _ => Err(Fault { line: node.line, reason: "a document of a recording is a map".into() }),
    }
}

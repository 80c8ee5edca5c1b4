//! Message probes of the registered protocols, with their fields: read from the schemas alone.

use reel_lang::diagnostic::nearest;
use reel_lang::hir::{Event, MessageProbe};
use reel_lang::schema::{Direction, Field, Probe, Schema, Side};
use reel_probes::catalog::glob;

/// A message probe.
#[derive(Debug, Clone)]
pub struct Message {
    /// As in a header: `http:request`.
    pub name: String,
    /// What has its fields.
    pub schema: &'static Schema,
    /// What it is.
    pub doc: &'static str,
    event: Event,
}

/// A field as a clause on the probe can write it.
#[derive(Debug, Clone)]
pub struct Named {
    /// `status`; of an exchange `response.body`, where the request has a field of that name too.
    pub name: String,
    pub field: &'static Field,
}

/// The probes that a pattern names. A direction is told only where the pattern tells one.
pub fn matching(pattern: &str) -> Vec<Message> {
    let (word, rest) = pattern.split_once(':').unwrap_or((pattern, ""));
    // Protocols are known in any case, as in a header.
    let pattern = format!("{}{}", word.to_ascii_lowercase(), &pattern[word.len()..]);
    let direction = match rest.split(':').next() {
        Some("in") => Some(Direction::In),
        Some("out") => Some(Direction::Out),
        _ => None,
    };
    let mut found = Vec::new();
    for protocol in reel_protocols::protocols() {
        let schema = protocol.schema();
        for probe in schema.probes() {
            let (event, name) = (probe.event, probe.name().to_owned());
            let name = MessageProbe { protocol: schema.protocol.clone(), direction, event, name }.to_string();
            let whole = rest.is_empty() && pattern == schema.protocol;
            if whole || glob::matches(&pattern, &name) {
                let named = probe.named.map(|named| named.doc.as_str());
                found.extend(schema.of(event).map(|schema| Message {
                    name,
                    schema,
                    doc: named.unwrap_or(&schema.doc),
                    event,
                }));
            }
        }
    }
    found
}

/// Whether a header that begins with this word is on messages.
pub(super) fn is_protocol(word: &str) -> bool {
    reel_protocols::protocols().iter().any(|protocol| protocol.schema().protocol.eq_ignore_ascii_case(word))
}

/// The protocol that was probably meant.
pub(super) fn nearest_protocol(word: &str) -> Option<String> {
    let names = reel_protocols::protocols().iter().map(|protocol| protocol.schema().protocol.as_str());
    nearest(word, names).map(str::to_owned)
}

/// The probe of a protocol that was probably meant.
pub(super) fn nearest_event(pattern: &str) -> Option<String> {
    let (word, event) = pattern.rsplit_once(':')?;
    let protocol = reel_protocols::by_name(word.split(':').next()?)?;
    nearest(event, protocol.schema().probes().map(Probe::name)).map(|event| format!("{word}:{event}"))
}

impl Message {
    /// The fields, the protocol's own before those of every connection.
    pub fn fields(&self) -> Vec<Named> {
        let own = self.event.side();
        let is_here = |field: &&'static Field| own.is_none() || field.side.is_none_or(|side| Some(side) == own);
        let (connection, own): (Vec<_>, Vec<_>) =
            self.schema.fields.iter().filter(is_here).partition(|field| field.is_connection());
        let is_on_both =
            |name: &str| [Side::Request, Side::Response].iter().all(|side| self.schema.field(*side, name).is_some());
        let named = |field: &'static Field| {
            let name = match (self.event.side(), field.side) {
                (None, Some(side)) if is_on_both(&field.name) => format!("{}.{}", side.name(), field.name),
                _ => field.name.clone(),
            };
            Named { name, field }
        };
        own.into_iter().chain(connection).map(named).collect()
    }
}

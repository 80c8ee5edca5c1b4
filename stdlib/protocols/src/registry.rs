//! The protocols that reel knows. To add one: a folder with its schema and codec, a `mod` line, and a line here.

use crate::{Protocol, dns, http, opaque, postgres, redis};

static PROTOCOLS: &[&dyn Protocol] = &[&http::Http, &redis::Redis, &dns::Dns, &postgres::Postgres, &opaque::Tcp];

/// Every protocol, in the order in which a stream's first bytes are tried; the last one, `tcp`, takes what is left.
pub fn protocols() -> &'static [&'static dyn Protocol] {
    PROTOCOLS
}

/// Finds a protocol by the name in headers of clauses, in any case.
pub fn by_name(name: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().copied().find(|protocol| protocol.schema().protocol.eq_ignore_ascii_case(name))
}

/// Whether a protocol is spoken in datagrams too.
pub fn has_datagrams(name: &str) -> bool {
    by_name(name).is_some_and(|protocol| protocol.datagram_codec().is_some())
}

/// Finds a wire tag by its text, as a recording stores it.
pub fn tag(name: &str) -> Option<&'static str> {
    PROTOCOLS.iter().flat_map(|protocol| protocol.tags()).copied().find(|tag| *tag == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_lang::schema::{Event, FieldId, conn};

    #[test]
    fn schemas_are_whole_and_their_fields_numbered() {
        for protocol in protocols() {
            let schema = protocol.schema();
            assert!(schema.slots() > conn::COUNT as usize, "{}", schema.protocol);
            assert!((0..).zip(&schema.fields).all(|(id, field)| field.id == FieldId(id)), "{}", schema.protocol);
            assert!(by_name(&schema.protocol).is_some());
            // What takes everything cannot be broken.
            assert_eq!(schema.of(Event::Error).is_some(), protocol.framed(), "{}", schema.protocol);
            let mut names: Vec<&str> = schema.probes().map(|probe| probe.name()).chain(["in", "out"]).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}: {names:?}", schema.protocol);
            for (event, own) in &schema.events {
                assert!((0..).zip(&own.fields).all(|(id, field)| field.id == FieldId(id)), "{}", event.name());
                assert_eq!(own.protocol, schema.protocol);
            }
        }
        assert!(by_name("gopher").is_none());
    }
}

//! Evidence by trace id: what services hand from a request to the calls that they make for it, in headers.
//!
//! An id counts only where exactly one request that was open carries it: a session's id is on many. Which header it came in does not
//! matter, since services translate one into another.

use std::collections::BTreeSet;

use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use super::{Incoming, Outgoing};

/// An id that is shorter than this may be a counter, and names nothing.
const MIN_ID_LEN_BYTES: usize = 8;
/// So many ids of a message are looked at.
const MAX_IDS: usize = 16;

/// Headers that carry the id of a request or of its trace: the name, what stands before the id, and what ends it.
const HEADERS: [(&str, &str, &str); 11] = [
    // W3C Trace Context, section 3.2: version-traceid-parentid-flags.
    ("traceparent", "-", "-"),
    // B3 propagation (OpenZipkin), single and multiple headers: {TraceId}-{SpanId}-{SamplingState}-{ParentSpanId}.
    ("b3", "", "-"),
    ("x-b3-traceid", "", ""),
    // Google Cloud: TRACE_ID/SPAN_ID;o=OPTIONS.
    ("x-cloud-trace-context", "", "/"),
    // AWS X-Ray: Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1.
    ("x-amzn-trace-id", "Root=", ";"),
    // Jaeger: {trace-id}:{span-id}:{parent-span-id}:{flags}.
    ("uber-trace-id", "", ":"),
    ("x-datadog-trace-id", "", ""),
    // Sentry: traceid-spanid-sampled.
    ("sentry-trace", "", "-"),
    ("x-request-id", "", ""),
    ("x-correlation-id", "", ""),
    ("request-id", "", ""),
];

/// The ids that a message carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceIds(BTreeSet<Vec<u8>>);

impl TraceIds {
    /// Finds them in a message's header fields; a protocol without such fields has none.
    pub fn of(protocol: &dyn Protocol, message: &Message) -> TraceIds {
        let field = protocol.schema().field(message.side, "header");
        let Some(Value::Map(pairs)) = field.map(|field| message.field(field.id).untagged()) else {
            return TraceIds::default();
        };
        TraceIds::in_headers(pairs.iter().filter_map(|(name, value)| Some((name.as_str()?, value.as_bytes()?))))
    }

    /// Finds them among header fields.
    pub fn in_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> TraceIds {
        let id = |(name, value): (&str, &'a [u8])| {
            let (_, before, after) = HEADERS.iter().find(|(known, ..)| name.eq_ignore_ascii_case(known))?;
            cut(value, before.as_bytes(), after.as_bytes()).filter(|id| id.len() >= MIN_ID_LEN_BYTES)
        };
        TraceIds(headers.filter_map(id).take(MAX_IDS).map(<[u8]>::to_ascii_lowercase).collect())
    }

    fn shares(&self, other: &TraceIds) -> bool {
        self.0.iter().any(|id| other.0.contains(id))
    }
}

/// What stands after the first `before`, up to the next `after`; empty marks are the ends.
fn cut<'a>(value: &'a [u8], before: &[u8], after: &[u8]) -> Option<&'a [u8]> {
    let find = |text: &[u8], mark: &[u8]| text.windows(mark.len().max(1)).position(|window| window == mark);
    let start = if before.is_empty() { 0 } else { find(value, before)? + before.len() };
    let rest = value.get(start..)?;
    let end = if after.is_empty() { rest.len() } else { find(rest, after).unwrap_or(rest.len()) };
    rest.get(..end)
}

/// The one open request whose id the call carries.
pub fn owner(incoming: &[Incoming], call: &Outgoing, open: &[usize]) -> Option<usize> {
    let mut named = open.iter().copied().filter(|&i| incoming[i].trace.shares(&call.trace));
    named.next().filter(|_| named.next().is_none())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::recording::testing::exchange;
    use reel_lang::schema::Direction;

    fn check(name: &str, value: &str, expect: &str) {
        let found = TraceIds::in_headers([(name, value.as_bytes())].into_iter());
        let shown: Vec<String> = found.0.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect();
        assert_eq!(shown.join(" "), expect, "{name}: {value}");
    }

    #[test]
    fn each_header_gives_its_id() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        check("Traceparent", &format!("00-{id}-00f067aa0ba902b7-01"), id);
        check("b3", &format!("{id}-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90"), id);
        check("X-B3-TraceId", &id.to_uppercase(), id);
        check("X-Cloud-Trace-Context", &format!("{id}/1;o=1"), id);
        check("X-Amzn-Trace-Id", "Self=1-2-3;Root=1-67891233-abcdef01;Sampled=1", "1-67891233-abcdef01");
        check("uber-trace-id", &format!("{id}:1:0:1"), id);
        check("X-Request-ID", "0a1b2c3d-aaaa", "0a1b2c3d-aaaa");
    }

    #[test]
    fn the_ids_of_a_message_are_in_its_header() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: 0a1b2c3d-aaaa\r\n\r\n";
        let exchange = exchange("http", Direction::In, 8080, text, "HTTP/1.1 204 No Content\r\n\r\n");
        let protocol = reel_protocols::by_name("http").unwrap();
        let ids = TraceIds::of(protocol, &exchange.request.unwrap());
        assert!(ids.0.contains(b"0a1b2c3d-aaaa".as_slice()), "{ids:?}");
    }

    #[test]
    fn what_is_no_id_is_none() {
        check("x-request-id", "7", "");
        check("traceparent", "nonsense", "");
        check("traceparent", "", "");
        check("accept", "application/json", "");
    }
}

//! Responses that no server sent: those of a rule's `respond(...)`, and the one for a request that was not recorded.

use reel_lang::value::Value;

use super::fields;
use super::slots::response;
use crate::Message;

/// Fills in what a response needs on the wire. The length of the payload is written when the response is.
pub(super) fn complete(message: &mut Message) {
    let mut default = |id, value: Value| {
        if message.field(id).is_nil() {
            message.put(id, value);
        }
    };
    default(response::VERSION, Value::from("1.1"));
    default(response::STATUS, Value::Int(200));
    default(response::HEADER, Value::Map(Vec::new()));
    let status = message.field(response::STATUS).as_int().unwrap_or_default();
    if message.field(response::REASON).is_nil() {
        message.put(response::REASON, Value::from(reason(status)));
    }
    let has_payload_length = |(name, _): (&[u8], &[u8])| {
        name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"transfer-encoding")
    };
    if matches!(status, 100..200 | 204 | 304) || fields::pairs(message.field(response::HEADER)).any(has_payload_length)
    {
        return;
    }
    if let Value::Map(pairs) = message.field(response::HEADER) {
        let mut pairs = pairs.clone();
        pairs.push((Value::from("Content-Length"), Value::from("0")));
        message.put(response::HEADER, Value::Map(pairs));
    }
}

/// The reason phrases of common statuses (RFC 9110 section 15); a reason may be empty.
fn reason(status: i64) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

/// A 502 that closes (RFC 9110 section 15.6.3).
pub(super) fn refusal(reason: &str) -> Vec<u8> {
    let body = format!("{reason}\n");
    let head = format!(
        "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

#[cfg(test)]
mod tests {
    use reel_lang::schema::Side;

    use super::*;
    use crate::{Demand, Frame, Protocol, Rest, http::Http};

    #[test]
    fn a_status_and_a_body_are_enough() {
        let mut message = Message::new(Http.schema(), Side::Response);
        message.put(response::STATUS, Value::Int(503));
        message.put(response::BODY, Value::from("busy"));
        complete(&mut message);
        let mut out = Vec::new();
        assert_eq!(Http.codec().encode(&message, &mut out), Ok(()));
        let expect = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }

    #[test]
    fn the_refusal_is_a_response() {
        let bytes = refusal("not recorded");
        let mut codec = Http.codec();
        let frame = codec.frame(Side::Response, &bytes, Rest::Open, Demand::ALL);
        assert!(matches!(frame, Ok(Frame::Message { len, .. }) if len == bytes.len()), "{frame:?}");
    }
}

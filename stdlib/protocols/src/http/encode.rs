//! A message's bytes from its fields, in one canonical form.
//!
//! Header fields are `Name: value` in their order; a payload under `Transfer-Encoding: chunked` is one chunk. A
//! Content-Length beside a payload is written as that payload's length, so that a body can be edited in a recording.

use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::content::Content;
use super::slots::{request, response};
use super::{chunked, fields, shared, text};
use crate::{Message, Unencodable};

/// Writes a whole message.
pub(super) fn message(message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    let slots = shared(message.side);
    let header = message.field(slots.header);
    let body = message.field(slots.body);
    let payload = Content::of(fields::pairs(header)).encode(body)?;
    start_line(message, out)?;
    let mut is_chunked = false;
    for (name, value) in fields::pairs(header) {
        is_chunked |= name.eq_ignore_ascii_case(b"transfer-encoding") && ends_in_chunked(value);
        if !body.is_nil() && name.eq_ignore_ascii_case(b"content-length") {
            field(name, payload.len().to_string().as_bytes(), out)?;
        } else {
            field(name, value, out)?;
        }
    }
    out.extend_from_slice(b"\r\n");
    if is_chunked && !has_no_payload(message) {
        chunks(&payload, message.field(slots.trailers), out)
    } else {
        out.extend_from_slice(&payload);
        Ok(())
    }
}

fn ends_in_chunked(value: &[u8]) -> bool {
    let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
    last.trim_ascii().eq_ignore_ascii_case(b"chunked")
}

/// Whether the status alone says that there is no payload. That the request was HEAD is not in the response: chunks are
/// written there, and the message keeps its exact bytes.
fn has_no_payload(message: &Message) -> bool {
    message.side == Side::Response && matches!(message.field(response::STATUS).as_int(), Some(100..200 | 204 | 304))
}

fn start_line(message: &Message, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    let version = text(message.field(shared(message.side).version));
    if !matches!(version, b"1.0" | b"1.1") {
        return Err(unencodable("version", "expected `1.0` or `1.1`"));
    }
    match message.side {
        Side::Request => {
            let (method, target) = (text(message.field(request::METHOD)), text(message.field(request::TARGET)));
            if !is_token(method) {
                return Err(unencodable("method", "expected a token (RFC 9110 section 5.6.2)"));
            }
            if target.is_empty() || target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
                return Err(unencodable("target", "expected a target without spaces (RFC 9112 section 3.2)"));
            }
            out.extend_from_slice(method);
            out.push(b' ');
            out.extend_from_slice(target);
            out.extend_from_slice(b" HTTP/");
            out.extend_from_slice(version);
        }
        Side::Response => {
            let status = message.field(response::STATUS).as_int().filter(|status| (100..1000).contains(status));
            let Some(status) = status else { return Err(unencodable("status", "expected three digits")) };
            let reason = text(message.field(response::REASON));
            if !is_field_text(reason) {
                return Err(unencodable("reason", "expected text without line ends"));
            }
            out.extend_from_slice(b"HTTP/");
            out.extend_from_slice(version);
            out.extend_from_slice(format!(" {status} ").as_bytes());
            out.extend_from_slice(reason);
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), Unencodable> {
    if !is_token(name) || !is_field_text(value) {
        let reason = format!("`{}` is no field (RFC 9110 section 5)", String::from_utf8_lossy(name));
        return Err(unencodable("header", &reason));
    }
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn chunks(payload: &[u8], trailers: &Value, out: &mut Vec<u8>) -> Result<(), Unencodable> {
    if !payload.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", payload.len()).as_bytes());
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    for (name, value) in fields::pairs(trailers) {
        field(name, value, out)?;
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Whether a text is a token (RFC 9110 section 5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_tchar)
}

fn is_field_text(text: &[u8]) -> bool {
    !text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// The payload in a message's exact bytes.
pub(super) fn payload_of(exact: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memmem::find(exact, b"\r\n\r\n")?;
    let (head, rest) = (exact.get(..end)?, exact.get(end.saturating_add(4)..)?);
    let is_chunked = head.split(|byte| *byte == b'\n').any(|line| {
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon.saturating_add(1)..));
        name.eq_ignore_ascii_case(b"transfer-encoding") && ends_in_chunked(value.unwrap_or_default())
    });
    if is_chunked { chunked::decode(rest).ok().map(|payload| payload.data) } else { Some(rest.to_vec()) }
}

fn unencodable(field: &str, reason: &str) -> Unencodable {
    Unencodable { field: field.to_owned(), reason: reason.to_owned() }
}

//! A message's fields from its bytes, as far as they are wanted, and the derived fields from the stored ones.

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::content::Content;
use super::framing::Framing;
use super::head::{First, Head};
use super::slots::{request, response};
use super::{chunked, encode, form, shared, target, text};
use crate::{Demand, Malformed, Message};

/// Whatever room a demand leaves, it holds these two.
const _: () = assert!(request::METHOD.0 == request::FIRST && response::STATUS.0 == response::FIRST);

/// Makes the message of a whole input. Method and status are always there: pairing needs them.
#[inline(always)]
pub(super) fn message(
    head: &Head<'_, '_>,
    input: &[u8],
    framing: Framing,
    demand: Demand,
) -> Result<Message, Malformed> {
    let side = head.side();
    let slots = shared(side);
    let (first, count) = match side {
        Side::Request => (request::FIRST, request::COUNT),
        Side::Response => (response::FIRST, response::COUNT),
    };
    let mut message = Message::sized(side, first, demand.room(first, count));
    message.wire_len = input.len() as u64;
    match head.first {
        First::Request { method, target } => {
            message.put(request::METHOD, method_value(method));
            request_fields(&mut message, head, target.as_bytes(), demand);
        }
        First::Response { status, reason } => {
            message.put(response::STATUS, Value::Int(status.into()));
            if demand.wants(response::REASON) {
                message.put(response::REASON, if reason == "OK" { fixed("OK") } else { Value::text(reason) });
            }
        }
    }
    if demand.wants(slots.version) {
        message.put(slots.version, fixed(head.version()));
    }
    if demand.wants(slots.header) {
        message.put(slots.header, header_value(head, input));
    }
    if demand.wants(slots.body) || demand.wants(slots.body_raw) || demand.wants(slots.trailers) {
        body_fields(&mut message, head, input, framing, demand)?;
    }
    if demand == Demand::ALL {
        keep_exact(&mut message, head, input);
    }
    Ok(message)
}

fn fixed(text: &'static str) -> Value {
    Value::Str(Bytes::from_static(text.as_bytes()))
}

#[inline]
fn method_value(method: &str) -> Value {
    match method {
        "GET" => fixed("GET"),
        "POST" => fixed("POST"),
        "PUT" => fixed("PUT"),
        "DELETE" => fixed("DELETE"),
        "PATCH" => fixed("PATCH"),
        "HEAD" => fixed("HEAD"),
        "OPTIONS" => fixed("OPTIONS"),
        other => Value::text(other),
    }
}

fn request_fields(message: &mut Message, head: &Head<'_, '_>, target: &[u8], demand: Demand) {
    if demand.wants(request::TARGET) {
        message.put(request::TARGET, Value::text(target));
    }
    let headers = || head.headers.iter().map(|header| (header.name.as_bytes(), header.value));
    derive_request(message, target, headers, demand);
}

fn derive_request<'a, I>(message: &mut Message, target: &[u8], headers: impl Fn() -> I, demand: Demand)
where
    I: Iterator<Item = (&'a [u8], &'a [u8])>,
{
    if demand.wants(request::PATH) {
        message.put(request::PATH, Value::text(target::path(target)));
    }
    if demand.wants(request::QUERY) {
        message.put(request::QUERY, form::parse(target::query(target)));
    }
    if demand.wants(request::HOST)
        && let Some((_, field)) = headers().find(|(name, _)| name.eq_ignore_ascii_case(b"host"))
    {
        message.put(request::HOST, Value::text(target::host(field)));
    }
    if demand.wants(request::COOKIE) {
        let fields = headers().filter(|(name, _)| name.eq_ignore_ascii_case(b"cookie")).map(|(_, value)| value);
        message.put(request::COOKIE, form::cookies(fields));
    }
}

/// All header fields, as views into one copy of the head.
fn header_value(head: &Head<'_, '_>, input: &[u8]) -> Value {
    let copy = Bytes::copy_from_slice(input.get(..head.len).unwrap_or_default());
    let view = |part: &[u8]| {
        // httparse's parts lie in the input, so the copy has them at the same distance from its start.
        let start = (part.as_ptr() as usize).wrapping_sub(input.as_ptr() as usize);
        let end = start.wrapping_add(part.len());
        let is_inside = start <= end && copy.get(start..end) == Some(part);
        Value::Str(if is_inside { copy.slice(start..end) } else { Bytes::copy_from_slice(part) })
    };
    Value::Map(head.headers.iter().map(|header| (view(header.name.as_bytes()), view(header.value))).collect())
}

fn body_fields(
    message: &mut Message,
    head: &Head<'_, '_>,
    input: &[u8],
    framing: Framing,
    demand: Demand,
) -> Result<(), Malformed> {
    let slots = shared(message.side);
    let rest = input.get(head.len..).unwrap_or_default();
    let payload = if framing == Framing::Chunked {
        let payload = chunked::decode(rest)?;
        if !payload.trailers.is_empty() {
            let fields = payload.trailers.iter().map(|(name, value)| (Value::text(name), Value::text(value)));
            message.put(slots.trailers, Value::Map(fields.collect()));
        }
        Bytes::from(payload.data)
    } else {
        Bytes::copy_from_slice(rest)
    };
    if payload.is_empty() {
        return Ok(());
    }
    if demand.wants(slots.body) {
        let content = Content::of(head.headers.iter().map(|header| (header.name.as_bytes(), header.value)));
        message.put(slots.body, content.decode(&payload));
    }
    message.put(slots.body_raw, Value::Str(payload));
    Ok(())
}

/// Keeps the bytes of a message that its fields do not give again.
fn keep_exact(message: &mut Message, head: &Head<'_, '_>, input: &[u8]) {
    let content = Content::of(head.headers.iter().map(|header| (header.name.as_bytes(), header.value)));
    let body = message.field(shared(message.side).body);
    // Two compressors seldom agree, so compressing only to compare would be wasted.
    let was_inflated = content.is_compressed() && !body.is_nil() && !matches!(body, Value::Tagged("encoded", _));
    let mut written = Vec::with_capacity(input.len());
    let is_same = !was_inflated && encode::message(message, &mut written).is_ok() && written == input;
    if !is_same {
        message.exact = Some(Bytes::copy_from_slice(input));
    }
}

/// The pairs of a header map.
pub(super) fn pairs(value: &Value) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    let list = match value.untagged() {
        Value::Map(list) => list.as_slice(),
        _ => &[],
    };
    list.iter().map(|(name, value)| (text(name), text(value)))
}

/// Computes the derived fields of a message that was read from a recording or edited.
pub(super) fn derive(message: &mut Message) {
    let slots = shared(message.side);
    let header = message.field(slots.header).clone();
    if message.side == Side::Request {
        let target = message.field(request::TARGET).clone();
        derive_request(message, text(&target), || pairs(&header), Demand::ALL);
    }
    let payload = match &message.exact {
        Some(exact) => encode::payload_of(exact),
        None => Content::of(pairs(&header)).encode(message.field(slots.body)).ok(),
    };
    let payload = payload.filter(|payload| !payload.is_empty()).map(|payload| Value::Str(payload.into()));
    message.put(slots.body_raw, payload.unwrap_or_default());
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use crate::{Demand, Frame, Message, Protocol, Rest};

    use super::super::Http;
    use super::*;

    fn decode(side: Side, text: &str, demand: Demand) -> Message {
        match Http.codec().frame(side, text.as_bytes(), Rest::Closed, demand).unwrap() {
            Frame::Message { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_field_is_the_same_whatever_else_is_wanted() {
        let chunks = "5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\nX-Sum: 7\r\n\r\n";
        let head =
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nCookie: a=b; c=d\r\nHost: shop.test:80";
        for (side, first) in [(Side::Request, "POST /orders?page=2 HTTP/1.1"), (Side::Response, "HTTP/1.1 201 Created")]
        {
            let text = format!("{first}\r\n{head}\r\n\r\n{chunks}");
            let whole = decode(side, &text, Demand::ALL);
            let own = Http.schema().fields.iter().filter(|field| field.side == Some(side));
            let kind = if side == Side::Request { request::METHOD } else { response::STATUS };
            for field in own.chain([Http.schema().field(side, "port").unwrap()]) {
                let message = decode(side, &text, Demand(1 << field.id.0));
                assert_eq!(message.field(field.id), whole.field(field.id), "{}", field.name);
                assert_eq!(message.field(kind), whole.field(kind), "beside {}", field.name);
                assert!(
                    !whole.field(field.id).is_nil() || field.is_connection(),
                    "{} is not in the example",
                    field.name
                );
            }
        }
    }
}

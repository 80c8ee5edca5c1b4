//! `limit(size)` of a capture rule: what of a message is kept at most.
//!
//! The fields that name the operation and the headers stay whole, so that a reader still knows what was said; of the rest the
//! front is kept, up to the limit. A message that was cut says so, and can neither be sent nor be a mock's answer.

use reel_lang::schema::FieldType;
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

/// Cuts a message that is longer on the wire than `limit_bytes`. Says whether it did.
pub fn cut(protocol: &dyn Protocol, message: &mut Message, limit_bytes: u64) -> bool {
    if message.wire_len <= limit_bytes {
        return false;
    }
    let side = message.side;
    let mut left = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
    for field in protocol.schema().fields.iter().filter(|field| field.side == Some(side) && !field.derived) {
        let mut value = message.field(field.id).clone();
        let is_kept = field.key || !field.compared || field.ty == FieldType::Headers;
        if is_kept {
            left = left.saturating_sub(len_bytes(&value));
        } else {
            shorten(&mut value, &mut left);
            message.put(field.id, value);
        }
    }
    message.exact = None;
    message.cut_from = Some(message.wire_len);
    protocol.derive(message);
    true
}

/// The texts of a value, and a byte for anything else.
fn len_bytes(value: &Value) -> usize {
    match value {
        Value::Str(text) => text.len(),
        Value::List(items) => items.iter().map(len_bytes).sum(),
        Value::Map(pairs) => pairs.iter().map(|(key, value)| len_bytes(key) + len_bytes(value)).sum(),
        Value::Tagged(_, inner) => len_bytes(inner),
        Value::Nil => 0,
        _ => 1,
    }
}

/// Keeps the front of a value, and counts what it takes.
fn shorten(value: &mut Value, left: &mut usize) {
    match value {
        Value::Str(text) => {
            let mut len = text.len().min(*left);
            // Text stays text: it is not cut within a character.
            if let Ok(whole) = std::str::from_utf8(text) {
                len = whole.floor_char_boundary(len);
            }
            text.truncate(len);
            *left -= len;
        }
        Value::List(items) => {
            let mut kept = 0;
            for item in items.iter_mut() {
                if *left == 0 {
                    break;
                }
                shorten(item, left);
                kept += 1;
            }
            items.truncate(kept);
        }
        Value::Map(pairs) => {
            let mut kept = 0;
            for (key, item) in pairs.iter_mut() {
                if *left <= len_bytes(key) {
                    break;
                }
                *left -= len_bytes(key);
                shorten(item, left);
                kept += 1;
            }
            pairs.truncate(kept);
        }
        Value::Tagged(_, inner) => shorten(inner, left),
        other => *left = left.saturating_sub(len_bytes(other)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use reel_lang::schema::Direction;

    use super::*;
    use crate::recording::display_message;
    use crate::recording::testing::{exchange, resp};

    fn cut_reply(reply: &str, limit_bytes: u64) -> String {
        let exchange = exchange("redis", Direction::Out, 6379, &resp("GET a"), reply);
        let protocol = reel_protocols::by_name("redis").unwrap();
        let mut response = exchange.response.unwrap();
        assert_eq!(cut(protocol, &mut response, limit_bytes), response.cut_from.is_some());
        display_message(protocol, &response)
    }

    #[test]
    fn a_longer_message_keeps_its_front_and_says_so() {
        assert_eq!(cut_reply("$5\r\nhello\r\n", 11), "reply: hello\n");
        assert_eq!(cut_reply("$5\r\nhello\r\n", 3), "reply: hel\ncut_from: 11\n");
        // Not within a character, and no item for which there is no room.
        assert_eq!(cut_reply("$6\r\na\u{e9}\u{e9}b\r\n", 4), "reply: \"a\u{e9}\"\ncut_from: 12\n");
        assert_eq!(cut_reply("*2\r\n$2\r\nab\r\n$2\r\ncd\r\n", 2), "reply: [ab]\ncut_from: 20\n");
    }

    #[test]
    fn the_operation_and_the_headers_stay() {
        let request = "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsome text";
        let exchange = exchange("http", Direction::In, 80, request, "HTTP/1.1 204 No Content\r\n\r\n");
        let protocol = reel_protocols::by_name("http").unwrap();
        let mut message = exchange.request.unwrap();
        assert!(cut(protocol, &mut message, 30));
        let text = display_message(protocol, &message);
        assert!(
            text.contains("target: /orders") && text.contains("Content-Length") && !text.contains("text"),
            "{text}"
        );
        assert!(crate::recording::wire_bytes(protocol, &message).unwrap_err().contains("`limit`"));
    }
}

//! What an exchange is called in listings and file names: the fields that its schema calls the operation.

use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use super::model::{Ending, Exchange};

/// The longest title, in characters.
const MAX_TITLE_CHARS: usize = 72;
/// The longest slug.
const MAX_SLUG_LEN_BYTES: usize = 40;

/// Names a message by its operation, as in `GET /orders` or `SET order:1`.
pub fn title(protocol: &dyn Protocol, message: &Message) -> String {
    let schema = protocol.schema();
    let keys = schema.fields.iter().filter(|field| field.key && field.side == Some(message.side));
    let mut words: Vec<String> = keys.filter_map(|field| word(message.field(field.id))).collect();
    if words.is_empty() {
        let own = schema.fields.iter().filter(|field| field.side == Some(message.side));
        words.extend(own.filter_map(|field| word(message.field(field.id))).take(1));
    }
    shorten(&words.join(" "))
}

/// Names an exchange by its request.
pub(super) fn exchange_title(exchange: &Exchange) -> String {
    match (reel_protocols::by_name(&exchange.protocol), &exchange.request) {
        (Some(protocol), Some(request)) => title(protocol, request),
        _ => exchange.protocol.clone(),
    }
}

/// What came back, in a few words.
pub fn answer(exchange: &Exchange) -> String {
    let ending = exchange.ending.map_or("", Ending::name);
    match (&exchange.response, reel_protocols::by_name(&exchange.protocol)) {
        (Some(response), Some(protocol)) => {
            let title = title(protocol, response);
            if title.is_empty() { "answered".to_owned() } else { title }
        }
        _ if ending.is_empty() => "no answer".to_owned(),
        _ => ending.to_owned(),
    }
}

fn word(value: &Value) -> Option<String> {
    match value.untagged() {
        Value::Nil | Value::List(_) | Value::Map(_) => None,
        Value::Str(bytes) => Some(String::from_utf8_lossy(bytes).replace(char::is_control, " ").trim().to_owned()),
        Value::Int(n) => Some(n.to_string()),
        Value::Uint(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Decimal(digits) => Some(digits.to_string()),
        Value::Ip(ip) => Some(ip.to_string()),
        Value::Null => Some("null".into()),
        Value::Duration(n) | Value::Time(n) => Some(n.to_string()),
        Value::Tagged(..) => None,
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_TITLE_CHARS {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MAX_TITLE_CHARS - 1).collect();
    short.push('…');
    short
}

/// Makes a file name's part of a title: `GET /orders` is `get-orders`.
pub(super) fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        if slug.len() >= MAX_SLUG_LEN_BYTES {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "test".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_safe_file_names() {
        for (title, expect) in
            [("GET /orders?page=2", "get-orders-page-2"), ("../../x", "x"), ("\u{0}", "test"), ("POST /", "post")]
        {
            assert_eq!(slug(title), expect);
        }
        assert!(slug(&"ab/".repeat(100)).len() <= MAX_SLUG_LEN_BYTES);
    }
}

//! What a message takes in memory: what limits in bytes count.

use std::mem::size_of;

use reel_lang::value::Value;
use reel_protocols::Message;

use super::model::Exchange;

/// The memory of an exchange, in bytes, but for what the allocator adds.
pub fn exchange_len_bytes(exchange: &Exchange) -> usize {
    let messages = exchange.request.iter().chain(&exchange.interim).chain(&exchange.response);
    size_of::<Exchange>() + messages.map(message_len_bytes).sum::<usize>()
}

/// The memory of a message.
pub fn message_len_bytes(message: &Message) -> usize {
    let exact = message.exact.as_ref().map_or(0, bytes::Bytes::len);
    size_of::<Message>() + exact + message.fields.iter().map(value_len_bytes).sum::<usize>()
}

fn value_len_bytes(value: &Value) -> usize {
    let below = match value {
        Value::Str(text) => text.len(),
        Value::Decimal(digits) => digits.len(),
        Value::List(items) => items.iter().map(value_len_bytes).sum(),
        Value::Map(pairs) => pairs.iter().map(|(key, value)| value_len_bytes(key) + value_len_bytes(value)).sum(),
        Value::Tagged(_, inner) => value_len_bytes(inner),
        _ => 0,
    };
    size_of::<Value>() + below
}

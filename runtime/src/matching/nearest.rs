//! How alike two requests are: for showing the nearest recorded call beside one that was not recorded. Nothing is ever
//! answered by it.

use reel_lang::schema::{Schema, Side};
use reel_lang::value::Value;
use reel_protocols::Message;

/// How alike two requests are, from 0 to 1000; fields that name the operation count most.
pub fn similarity(schema: &Schema, a: &Message, b: &Message) -> u32 {
    let mut total = 0;
    let mut alike = 0;
    for field in schema.fields.iter().filter(|field| field.side == Some(Side::Request)) {
        let (a, b) = (a.field(field.id), b.field(field.id));
        if (field.compared || field.key) && !(a.is_nil() && b.is_nil()) {
            let weight = if field.key { 4 } else { 1 };
            total += weight * 1000;
            alike += weight * values_alike(a, b);
        }
    }
    (alike * 1000).checked_div(total).unwrap_or(0)
}

fn values_alike(a: &Value, b: &Value) -> u32 {
    match (a.untagged(), b.untagged()) {
        (a, b) if a == b => 1000,
        (Value::Str(a), Value::Str(b)) => bytes_alike(a, b),
        (Value::List(a), Value::List(b)) => {
            let sum: u32 = a.iter().zip(b).map(|(a, b)| values_alike(a, b)).sum();
            sum.checked_div(u32::try_from(a.len().max(b.len())).unwrap_or(u32::MAX)).unwrap_or(0)
        }
        (Value::Map(a), Value::Map(b)) => {
            let other = |key: &Value| b.iter().find(|(k, _)| k == key).map(|(_, value)| value);
            let sum: u32 = a.iter().filter_map(|(key, a)| other(key).map(|b| values_alike(a, b))).sum();
            sum.checked_div(u32::try_from(a.len().max(b.len())).unwrap_or(u32::MAX)).unwrap_or(0)
        }
        _ => 0,
    }
}

/// The share of two texts that is a common beginning or end.
fn bytes_alike(a: &[u8], b: &[u8]) -> u32 {
    let longest = a.len().max(b.len());
    let shortest = a.len().min(b.len());
    let front = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let back = a.iter().rev().zip(b.iter().rev()).take(shortest - front).take_while(|(a, b)| a == b).count();
    let share = ((front + back) * 900).checked_div(longest).unwrap_or(0);
    u32::try_from(share).unwrap_or(0)
}

//! Equality and order of values.
//!
//! There is no coercion: values of different kinds are unequal and have no order. Numbers compare by exact decimal value,
//! objects ignore the order of their keys. The one convenience: an ip equals the text that writes it, since the language
//! has no literal for an address.

use std::cmp::Ordering;
use std::net::IpAddr;

use reel_lang::value::Value;

use super::{View, number};
use crate::ir::CompareOp;

/// Whether two values are equal.
pub fn equal(left: View<'_>, right: View<'_>) -> bool {
    match (left, right) {
        (View::Nil, View::Nil) | (View::Null, View::Null) => true,
        (View::Bool(left), View::Bool(right)) => left == right,
        (View::Str(left), View::Str(right)) => left == right,
        (View::Value(Value::Ip(ip)), View::Str(text)) | (View::Str(text), View::Value(Value::Ip(ip))) => {
            ip_is(*ip, text)
        }
        (View::Value(Value::Ip(left)), View::Value(Value::Ip(right))) => left == right,
        (View::Value(Value::List(left)), View::Value(Value::List(right))) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| equal(View::of(l), View::of(r)))
        }
        (View::Value(Value::Map(left)), View::Value(Value::Map(right))) => maps(left, right),
        _ => number::compare(left, right) == Some(Ordering::Equal),
    }
}

/// Whether a value is this text.
pub fn text_equal(value: View<'_>, text: &[u8]) -> bool {
    equal(value, View::Str(text))
}

fn ip_is(ip: IpAddr, text: &[u8]) -> bool {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
    parsed == Some(ip)
}

/// Objects: the same keys, and for each key the same values in the same order, so that a repeated key counts.
fn maps(left: &[(Value, Value)], right: &[(Value, Value)]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let same = |a: &(Value, Value), b: &(Value, Value)| equal(View::of(&a.0), View::of(&b.0));
    // Mostly the order is the same too.
    let pairwise = left.iter().zip(right).all(|(l, r)| same(l, r));
    if pairwise && left.iter().zip(right).all(|(l, r)| equal(View::of(&l.1), View::of(&r.1))) {
        return true;
    }
    let index = |pairs| super::maps::group(pairs);
    let (left, right) = (index(left), index(right));
    left.len() == right.len()
        && left.iter().all(|(key, values)| {
            right.get(key).is_some_and(|others| {
                values.len() == others.len() && values.iter().zip(others).all(|(l, r)| equal(View::of(l), View::of(r)))
            })
        })
}

/// Compares two values; an order between nil, or values of two kinds, is false.
pub fn compare(op: CompareOp, left: View<'_>, right: View<'_>) -> bool {
    match op {
        CompareOp::Eq => equal(left, right),
        CompareOp::Ne => !equal(left, right),
        _ => order(left, right).is_some_and(|order| holds(op, order)),
    }
}

/// Compares a value with a number: a value that is none is unequal to it, and has no order.
pub fn compare_number(op: CompareOp, value: View<'_>, number: View<'_>) -> bool {
    match number::compare(value, number) {
        Some(order) => holds(op, order),
        None => op == CompareOp::Ne,
    }
}

/// The order of two values of one kind that has an order.
pub fn order(left: View<'_>, right: View<'_>) -> Option<Ordering> {
    match (left, right) {
        (View::Str(left), View::Str(right)) => Some(left.cmp(right)),
        (View::Value(Value::Ip(left)), View::Value(Value::Ip(right))) if left.is_ipv4() == right.is_ipv4() => {
            Some(left.cmp(right))
        }
        _ => number::compare(left, right),
    }
}

/// Whether a comparison holds for an order.
pub fn holds(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, i64)]) -> Value {
        Value::Map(pairs.iter().map(|(key, value)| (Value::from(*key), Value::Int(*value))).collect())
    }

    fn check(left: &Value, right: &Value, expect: bool) {
        assert_eq!(equal(View::of(left), View::of(right)), expect, "{left:?} == {right:?}");
        assert_eq!(equal(View::of(right), View::of(left)), expect, "{right:?} == {left:?}");
    }

    #[test]
    fn kinds_do_not_mix() {
        check(&Value::Nil, &Value::Null, false);
        check(&Value::Nil, &Value::Nil, true);
        check(&Value::text("1"), &Value::Int(1), false);
        check(&Value::Bool(true), &Value::Int(1), false);
        check(&Value::Decimal("1.0".into()), &Value::Int(1), true);
        check(&Value::Duration(5), &Value::Int(5), true);
        check(&Value::Tagged("simple", Box::new(Value::text("OK"))), &Value::text("OK"), true);
        check(&Value::Ip(IpAddr::from([10, 0, 0, 1])), &Value::text("10.0.0.1"), true);
        check(&Value::Ip(IpAddr::from([10, 0, 0, 1])), &Value::text("10.0.0.2"), false);
    }

    #[test]
    fn objects_ignore_the_order_of_keys() {
        check(&map(&[("a", 1), ("b", 2)]), &map(&[("b", 2), ("a", 1)]), true);
        check(&map(&[("a", 1), ("b", 2)]), &map(&[("b", 2), ("a", 3)]), false);
        check(&map(&[("a", 1), ("a", 2)]), &map(&[("a", 2), ("a", 1)]), false);
        check(&map(&[("a", 1), ("a", 1)]), &map(&[("a", 1), ("b", 1)]), false);
        check(&map(&[("a", 1)]), &map(&[("a", 1), ("b", 1)]), false);
    }

    #[test]
    fn order_needs_one_kind() {
        let less = |left: &Value, right: &Value| compare(CompareOp::Lt, View::of(left), View::of(right));
        assert!(less(&Value::text("a"), &Value::text("b")));
        assert!(less(&Value::Int(1), &Value::Decimal("1.5".into())));
        assert!(!less(&Value::Nil, &Value::Int(1)));
        assert!(!less(&Value::Int(1), &Value::Nil));
        assert!(!less(&Value::text("1"), &Value::Int(2)));
        assert!(!compare(CompareOp::Ge, View::Nil, View::Nil));
        assert!(compare(CompareOp::Ne, View::Nil, View::Int(1)));
    }
}

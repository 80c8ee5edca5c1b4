//! Steps into a value. A step that leads nowhere gives nil.

use reel_lang::value::Value;

use super::{View, equal};
use crate::ir::PathStep;

/// Where a path leads: into the value, or to something that had to be made.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'a> {
    View(View<'a>),
    Made(Value),
}

/// Takes the steps of a constant path.
pub fn walk<'a>(mut view: View<'a>, steps: &[PathStep]) -> Found<'a> {
    for (index, step) in steps.iter().enumerate() {
        view = match step {
            PathStep::Name(name) => entry(view, name.as_bytes()),
            PathStep::Index(index) => element(view, *index),
            PathStep::Header(name) => header(view, name.as_bytes()),
            PathStep::AllHeaders(name) => {
                let all = headers(view, name.as_bytes());
                // What is made here lives only as long as this call, so the rest of the way is taken in it.
                let rest = steps.get(index + 1..).unwrap_or_default();
                return Found::Made(match walk(View::of(&all), rest) {
                    Found::View(view) => view.to_value(),
                    Found::Made(value) => value,
                });
            }
        };
    }
    Found::View(view)
}

/// Steps by a computed key: a text names an entry, a number an element, and in a map any value is a key.
pub fn index<'a>(view: View<'a>, key: View<'_>) -> View<'a> {
    match key {
        View::Str(name) => entry(view, name),
        View::Int(number) if view.list().is_some() => element(view, number),
        _ => find(view, |found| equal::equal(View::of(found), key)),
    }
}

fn find<'a>(view: View<'a>, wanted: impl Fn(&Value) -> bool) -> View<'a> {
    let pairs = view.pairs().unwrap_or_default();
    pairs.iter().find(|(key, _)| wanted(key)).map_or(View::Nil, |(_, value)| View::of(value))
}

/// The first entry of this name.
pub fn entry<'a>(view: View<'a>, name: &[u8]) -> View<'a> {
    find(view, |key| key.as_bytes() == Some(name))
}

/// The first header of this name, whose case does not matter (RFC 9110 section 5.1).
pub fn header<'a>(view: View<'a>, name: &[u8]) -> View<'a> {
    find(view, |key| is_header(key, name))
}

/// All headers of this name, as a list.
pub fn headers(view: View<'_>, name: &[u8]) -> Value {
    let pairs = view.pairs().unwrap_or_default();
    let named = pairs.iter().filter(|(key, _)| is_header(key, name));
    Value::List(named.map(|(_, value)| value.clone()).collect())
}

fn is_header(key: &Value, name: &[u8]) -> bool {
    key.as_bytes().is_some_and(|key| key.eq_ignore_ascii_case(name))
}

/// An element of a list, from the end where the index is negative; in a map, the entry of an integer key.
pub fn element(view: View<'_>, index: i64) -> View<'_> {
    let Some(items) = view.list() else {
        return find(view, |key| equal::equal(View::of(key), View::Int(index)));
    };
    let from_end = usize::try_from(index.unsigned_abs()).ok();
    let at = match index {
        0.. => from_end,
        _ => from_end.and_then(|back| items.len().checked_sub(back)),
    };
    at.and_then(|at| items.get(at)).map_or(View::Nil, View::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        let pair = |key: &str, value: Value| (Value::from(key), value);
        Value::Map(vec![
            pair("items", Value::List(vec![Value::Int(10), Value::Int(20)])),
            pair("Set-Cookie", Value::text("a=1")),
            pair("set-cookie", Value::text("b=2")),
            (Value::Int(7), Value::text("seven")),
        ])
    }

    fn check(steps: &[PathStep], expect: Value) {
        let value = sample();
        let found = match walk(View::of(&value), steps) {
            Found::View(view) => view.to_value(),
            Found::Made(value) => value,
        };
        assert_eq!(found, expect, "{steps:?}");
    }

    #[test]
    fn steps_lead_to_parts_or_nil() {
        let name = |name: &str| PathStep::Name(name.into());
        check(&[name("items"), PathStep::Index(1)], Value::Int(20));
        check(&[name("items"), PathStep::Index(-1)], Value::Int(20));
        check(&[name("items"), PathStep::Index(2)], Value::Nil);
        check(&[name("items"), PathStep::Index(-3)], Value::Nil);
        check(&[name("items"), PathStep::Index(i64::MIN)], Value::Nil);
        check(&[name("items"), name("x")], Value::Nil);
        check(&[name("none"), name("x")], Value::Nil);
        check(&[name("SET-COOKIE")], Value::Nil);
        check(&[PathStep::Index(7)], Value::text("seven"));
        check(&[PathStep::Header("SET-COOKIE".into())], Value::text("a=1"));
        let all = PathStep::AllHeaders("set-cookie".into());
        check(std::slice::from_ref(&all), Value::List(vec![Value::text("a=1"), Value::text("b=2")]));
        check(&[all, PathStep::Index(-1)], Value::text("b=2"));
    }

    #[test]
    fn a_computed_key_steps_by_its_kind() {
        let value = sample();
        let items = index(View::of(&value), View::Str(b"items"));
        assert_eq!(index(items, View::Int(0)), View::Int(10));
        assert_eq!(index(View::of(&value), View::Int(7)), View::Str(b"seven"));
        assert_eq!(index(View::of(&value), View::Nil), View::Nil);
        assert_eq!(index(View::Nil, View::Int(0)), View::Nil);
    }
}

//! A view of a value: what a slot of the flat record says, with its lifetime.
//!
//! A view is `Copy` and three words. Wire tags are looked through when it is made.

use bytes::Bytes;
use reel_lang::value::Value;

/// A borrowed value; `Value` stands for the kinds that have no form of their own (list, map, decimal, ip).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum View<'a> {
    #[default]
    Nil,
    Null,
    Bool(bool),
    Int(i64),
    /// Above `i64::MAX`.
    Uint(u64),
    Duration(i64),
    Time(i64),
    Str(&'a [u8]),
    Value(&'a Value),
}

impl<'a> View<'a> {
    /// Views a value.
    pub fn of(value: &'a Value) -> Self {
        match value.untagged() {
            Value::Nil => View::Nil,
            Value::Null => View::Null,
            Value::Bool(truth) => View::Bool(*truth),
            Value::Int(number) => View::Int(*number),
            Value::Uint(number) => View::from(*number),
            Value::Duration(number) => View::Duration(*number),
            Value::Time(number) => View::Time(*number),
            Value::Str(bytes) => View::Str(bytes),
            other => View::Value(other),
        }
    }

    /// Makes a value that lives by itself.
    pub fn to_value(self) -> Value {
        match self {
            View::Nil => Value::Nil,
            View::Null => Value::Null,
            View::Bool(truth) => Value::Bool(truth),
            View::Int(number) => Value::Int(number),
            View::Uint(number) => Value::Uint(number),
            View::Duration(number) => Value::Duration(number),
            View::Time(number) => Value::Time(number),
            View::Str(bytes) => Value::Str(Bytes::copy_from_slice(bytes)),
            View::Value(value) => value.clone(),
        }
    }

    /// The bytes of a text.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            View::Str(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The elements of a list.
    pub fn list(self) -> Option<&'a [Value]> {
        match self {
            View::Value(Value::List(items)) => Some(items),
            _ => None,
        }
    }

    /// The pairs of a map.
    pub fn pairs(self) -> Option<&'a [(Value, Value)]> {
        match self {
            View::Value(Value::Map(pairs)) => Some(pairs),
            _ => None,
        }
    }
}

impl From<u64> for View<'_> {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(View::Uint(number), View::Int)
    }
}

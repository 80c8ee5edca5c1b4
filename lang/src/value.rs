//! Values that a message field, a map key or a printed argument can hold at run time.
//!
//! A `Value` is a tree in user space. `nil` (the message has no such field) and `null` (JSON's, Redis's, SQL's) are two
//! values and never equal. Numbers are exact: what does not fit 64 bits, or has a fraction, is a `Decimal` that keeps its
//! digits. Text is bytes, since the wire promises no encoding. Maps keep their order and may repeat a key.

use std::net::IpAddr;

use bytes::Bytes;

/// A run-time value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// The field is absent.
    #[default]
    Nil,
    /// The protocol's own null.
    Null,
    Bool(bool),
    Int(i64),
    /// An unsigned number above `i64::MAX`; smaller ones are `Int`.
    Uint(u64),
    /// Any other number, as its digits (JSON grammar, RFC 8259 section 6).
    Decimal(Box<str>),
    /// Nanoseconds.
    Duration(i64),
    /// Nanoseconds since the Unix epoch.
    Time(i64),
    Ip(IpAddr),
    /// Text or bytes.
    Str(Bytes),
    List(Vec<Value>),
    /// Pairs in their order on the wire.
    Map(Vec<(Value, Value)>),
    /// A value with the wire type that encoding it again needs, as `simple` for a Redis simple string. The language
    /// looks through the tag.
    Tagged(&'static str, Box<Value>),
}

impl Value {
    /// Makes a text value.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Value::Str(Bytes::copy_from_slice(text.as_ref()))
    }

    /// Looks through wire tags.
    pub fn untagged(&self) -> &Value {
        let mut value = self;
        while let Value::Tagged(_, inner) = value {
            value = inner;
        }
        value
    }

    /// The bytes of a text value.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self.untagged() {
            Value::Str(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a value that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The number, where it fits `i64`.
    pub fn as_int(&self) -> Option<i64> {
        match self.untagged() {
            Value::Int(n) | Value::Duration(n) | Value::Time(n) => Some(*n),
            Value::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    /// Whether the field is absent.
    pub fn is_nil(&self) -> bool {
        matches!(self.untagged(), Value::Nil)
    }

    /// The first entry of a map whose key is this text.
    pub fn entry(&self, key: &str) -> Option<&Value> {
        match self.untagged() {
            Value::Map(pairs) => {
                pairs.iter().find(|(name, _)| name.as_bytes() == Some(key.as_bytes())).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The word for this kind of value in messages to people.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Uint(_) | Value::Decimal(_) => "number",
            Value::Duration(_) => "duration",
            Value::Time(_) => "time",
            Value::Ip(_) => "ip",
            Value::Str(_) => "string",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Tagged(_, inner) => inner.kind(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Value::Uint(number), Value::Int)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

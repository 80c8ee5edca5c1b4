//! Message schemas: the fields that a protocol's messages have, and the flat record that compiled code reads them from.
//!
//! A schema is declared once, in a `.rr` file beside the codec (`stdlib/protocols/src/PROTO/schema.rr`); the checker, the
//! codec's slot constants (generated at build time), the documentation and completion all read that one place.
//!
//! The **flat record** of a message or an exchange is an array of [`Slot`]s: first the fields that every connection has
//! ([`CONN_FIELDS`]), then the schema's own fields in declaration order. A slot is 16 bytes, so native code reads a field
//! with two loads. Slots borrow from the message: a record lives no longer than the values it was made from.

use crate::value::Value;

/// The version of the flat layout and of the schema file format; a recording names it.
pub const LAYOUT_VERSION: u32 = 1;

/// The index of a field in the flat record: connection fields first, then the schema's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u32);

impl std::fmt::Display for FieldId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "field{}", self.0)
    }
}

/// Which message of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    Request,
    Response,
}

impl Side {
    /// The other side.
    pub fn opposite(self) -> Side {
        match self {
            Side::Request => Side::Response,
            Side::Response => Side::Request,
        }
    }

    /// The word in headers of clauses and in recordings.
    pub fn name(self) -> &'static str {
        match self {
            Side::Request => "request",
            Side::Response => "response",
        }
    }
}

/// Who sent the request: `In`, a client to the app; `Out`, the app to a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    In,
    Out,
}

impl Direction {
    /// The word in headers of clauses and in recordings.
    pub fn name(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

/// What a field can hold, as the checker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    Bool,
    Int,
    Duration,
    Time,
    Ip,
    String,
    /// String keys, case-insensitive, may repeat: HTTP headers. `header[x]` is the first, `headers[x]` all.
    Headers,
    /// String keys, case-sensitive: query parameters, cookies, form fields.
    Strings,
    /// A list of strings: the arguments of a Redis command.
    List,
    /// Any value: a JSON body, a Redis reply.
    Any,
}

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub id: FieldId,
    pub name: String,
    pub ty: FieldType,
    /// The message that has it; `None` for a connection field, which both have.
    pub side: Option<Side>,
    /// Whether it takes part in comparing two messages: false for what is derived from other fields, as `query` from `target`.
    pub compared: bool,
    pub doc: String,
}

/// The fields of a protocol's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub protocol: String,
    pub doc: String,
    /// Connection fields first, then the protocol's; `fields[i].id == FieldId(i)`.
    pub fields: Vec<Field>,
}

impl Schema {
    /// Finds a field by name on one side; connection fields are on both.
    pub fn field(&self, side: Side, name: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.name == name && field.side.is_none_or(|s| s == side))
    }

    /// The number of slots of this schema's flat record.
    pub fn slots(&self) -> usize {
        self.fields.len()
    }
}

/// The fields that every message has, whatever its protocol: name, type and documentation, in slot order.
pub const CONN_FIELDS: &[(&str, FieldType, &str)] = &[
    (
        "direction",
        FieldType::String,
        "`in` where a client called the app, `out` where the app called a dependency.",
    ),
    (
        "addr",
        FieldType::Ip,
        "The server's address: the app's own for `in`, the dependency's for `out`.",
    ),
    ("port", FieldType::Int, "The server's port."),
    ("peer_addr", FieldType::Ip, "The client's address."),
    ("peer_port", FieldType::Int, "The client's port."),
    (
        "pid",
        FieldType::Int,
        "The process that read or wrote the request.",
    ),
    (
        "tid",
        FieldType::Int,
        "The thread that read or wrote the request.",
    ),
    ("comm", FieldType::String, "The name of that thread."),
    (
        "time",
        FieldType::Time,
        "When the first byte of the request was seen.",
    ),
    (
        "latency",
        FieldType::Duration,
        "From the first byte of the request to the last byte of the response; nil without a response.",
    ),
    (
        "size",
        FieldType::Int,
        "The length in bytes of the message on the wire; of an exchange, of both.",
    ),
];

/// Slot numbers of [`CONN_FIELDS`].
pub mod conn {
    use super::FieldId;
    pub const DIRECTION: FieldId = FieldId(0);
    pub const ADDR: FieldId = FieldId(1);
    pub const PORT: FieldId = FieldId(2);
    pub const PEER_ADDR: FieldId = FieldId(3);
    pub const PEER_PORT: FieldId = FieldId(4);
    pub const PID: FieldId = FieldId(5);
    pub const TID: FieldId = FieldId(6);
    pub const COMM: FieldId = FieldId(7);
    pub const TIME: FieldId = FieldId(8);
    pub const LATENCY: FieldId = FieldId(9);
    pub const SIZE: FieldId = FieldId(10);
    /// The first slot that belongs to the protocol.
    pub const COUNT: u32 = 11;
}

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Tag {
    Nil = 0,
    Null = 1,
    /// `data` is 0 or 1.
    Bool = 2,
    /// `data` is an `i64`.
    Int = 3,
    /// `data` is a `u64` above `i64::MAX`.
    Uint = 4,
    /// `data` is nanoseconds.
    Duration = 5,
    /// `data` is nanoseconds since the epoch.
    Time = 6,
    /// `data` points at `len` bytes.
    Str = 7,
    /// `data` points at a [`Value`] of another kind (list, map, decimal, ip, tagged).
    Value = 8,
}

/// One field of a flat record.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Slot {
    pub tag: u32,
    pub len: u32,
    pub data: u64,
}

impl Slot {
    /// The slot of an absent field.
    pub const NIL: Slot = Slot {
        tag: Tag::Nil as u32,
        len: 0,
        data: 0,
    };

    /// Makes the slot that views a value. Wire tags are looked through.
    pub fn view(value: &Value) -> Slot {
        let (tag, len, data) = match value.untagged() {
            Value::Nil => (Tag::Nil, 0, 0),
            Value::Null => (Tag::Null, 0, 0),
            Value::Bool(b) => (Tag::Bool, 0, u64::from(*b)),
            Value::Int(n) => (Tag::Int, 0, n.cast_unsigned()),
            Value::Uint(n) => (Tag::Uint, 0, *n),
            Value::Duration(n) => (Tag::Duration, 0, n.cast_unsigned()),
            Value::Time(n) => (Tag::Time, 0, n.cast_unsigned()),
            // A text of 4 GiB or more goes by pointer to its Value, so that `len` never lies.
            Value::Str(s) => match u32::try_from(s.len()) {
                Ok(len) => (Tag::Str, len, s.as_ptr() as u64),
                Err(_) => (Tag::Value, 0, std::ptr::from_ref(value.untagged()) as u64),
            },
            other => (Tag::Value, 0, std::ptr::from_ref(other) as u64),
        };
        Slot {
            tag: tag as u32,
            len,
            data,
        }
    }
}

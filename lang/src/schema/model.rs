//! What a schema is: its fields, their types, and the fields that every connection has.
//!
//! This file and `parse.rs` use the standard library alone: the build script of the protocols includes both by path, to
//! generate slot numbers without building the whole language a second time.

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

impl FieldType {
    /// Every type, in the order of the documentation.
    pub const ALL: [FieldType; 10] = [
        FieldType::Bool,
        FieldType::Int,
        FieldType::Duration,
        FieldType::Time,
        FieldType::Ip,
        FieldType::String,
        FieldType::Headers,
        FieldType::Strings,
        FieldType::List,
        FieldType::Any,
    ];

    /// The word in schema files and in messages to people.
    pub fn name(self) -> &'static str {
        match self {
            FieldType::Bool => "bool",
            FieldType::Int => "int",
            FieldType::Duration => "duration",
            FieldType::Time => "time",
            FieldType::Ip => "ip",
            FieldType::String => "string",
            FieldType::Headers => "headers",
            FieldType::Strings => "strings",
            FieldType::List => "list",
            FieldType::Any => "any",
        }
    }
}

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub id: FieldId,
    pub name: String,
    pub ty: FieldType,
    /// The message that has it; `None` for a connection field, which both have.
    pub side: Option<Side>,
    /// Whether it takes part in comparing two messages: false for what another compared field says too.
    pub compared: bool,
    /// Whether it is computed from other fields, so that a recording does not store it: `query` from `target`.
    pub derived: bool,
    /// Whether it belongs to the name of the operation in listings: `GET /orders`.
    pub key: bool,
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
        self.fields.iter().find(|field| field.name == name && field.side.is_none_or(|s| s == side))
    }

    /// The number of slots of this schema's flat record.
    pub fn slots(&self) -> usize {
        self.fields.len()
    }
}

/// The fields that every message has, whatever its protocol: name, type and documentation, in slot order.
pub const CONN_FIELDS: &[(&str, FieldType, &str)] = &[
    ("direction", FieldType::String, "`in` where a client called the app, `out` where the app called a dependency."),
    ("addr", FieldType::Ip, "The server's address: the app's own for `in`, the dependency's for `out`."),
    ("port", FieldType::Int, "The server's port."),
    ("peer_addr", FieldType::Ip, "The client's address."),
    ("peer_port", FieldType::Int, "The client's port."),
    ("pid", FieldType::Int, "The process that read or wrote the request."),
    ("tid", FieldType::Int, "The thread that read or wrote the request."),
    ("comm", FieldType::String, "The name of that thread."),
    ("time", FieldType::Time, "When the first byte of the request was seen."),
    (
        "latency",
        FieldType::Duration,
        "From the first byte of the request to the last byte of the response; nil without a response.",
    ),
    ("size", FieldType::Int, "The length in bytes of the message on the wire; of an exchange, of both."),
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

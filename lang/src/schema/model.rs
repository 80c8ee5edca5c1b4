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

/// What of a conversation a message probe fires on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    Request,
    Response,
    /// A request with its response.
    Exchange,
    /// Bytes that break the protocol.
    Error,
    /// A connection is established.
    Open,
    /// Bytes of one side, as they come.
    Data,
    /// A connection is over.
    Close,
}

impl Event {
    /// Every event, in the order of the documentation.
    pub const ALL: [Event; 7] =
        [Event::Request, Event::Response, Event::Exchange, Event::Error, Event::Open, Event::Data, Event::Close];

    /// Those that are messages, which every protocol has.
    pub const MESSAGES: [Event; 3] = [Event::Request, Event::Response, Event::Exchange];

    /// The word in a header, and in a schema file.
    pub fn name(self) -> &'static str {
        match self {
            Event::Request => "request",
            Event::Response => "response",
            Event::Exchange => "exchange",
            Event::Error => "error",
            Event::Open => "open",
            Event::Data => "data",
            Event::Close => "close",
        }
    }

    /// Whether it is a message, or two.
    pub fn is_message(self) -> bool {
        Event::MESSAGES.contains(&self)
    }

    /// The one message that it is; none for an exchange, which is two, and for what is no message.
    pub fn side(self) -> Option<Side> {
        match self {
            Event::Request => Some(Side::Request),
            Event::Response => Some(Side::Response),
            _ => None,
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
    /// The message that has it; `None` for a connection field, which both have, and for a field of an event that is no message.
    pub side: Option<Side>,
    /// Whether it takes part in comparing two messages: false for what another compared field says too.
    pub compared: bool,
    /// Whether it is computed from other fields, so that a recording does not store it: `query` from `target`.
    pub derived: bool,
    /// Whether it belongs to the name of the operation in listings: `GET /orders`.
    pub key: bool,
    pub doc: String,
}

impl Field {
    /// Whether every event has it, whatever the protocol.
    pub fn is_connection(&self) -> bool {
        self.id.0 < conn::COUNT
    }
}

/// A name for those messages of one event that have something in common: `query` for requests whose `operation` is "query".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    /// A message of this schema.
    pub event: Event,
    /// A field that such a message has.
    pub field: String,
    /// What the field is; where nothing is said, anything but nil.
    pub value: Option<String>,
    pub doc: String,
}

impl Named {
    /// What holds of such a message, as a predicate would say it.
    pub fn condition(&self) -> String {
        match &self.value {
            Some(value) => format!("{} == \"{value}\"", self.field),
            None => format!("{} != nil", self.field),
        }
    }
}

/// What a header can name after the protocol: an event, or some of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe<'a> {
    pub event: Event,
    pub named: Option<&'a Named>,
}

impl<'a> Probe<'a> {
    /// The word in a header.
    pub fn name(self) -> &'a str {
        self.named.map_or(self.event.name(), |named| named.name.as_str())
    }
}

/// The fields of a protocol's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    pub protocol: String,
    pub doc: String,
    /// Connection fields first, then the protocol's; `fields[i].id == FieldId(i)`.
    pub fields: Vec<Field>,
    /// Events that are no messages, each with fields of its own after the connection's.
    pub events: Vec<(Event, Schema)>,
    /// Some messages that have a name of their own.
    pub named: Vec<Named>,
}

impl Schema {
    /// Finds a field by name on one side; connection fields are on both.
    pub fn field(&self, side: Side, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name && field.side.is_none_or(|s| s == side))
    }

    /// The fields of one event: of a message this schema's own; none where the protocol does not have the event.
    pub fn of(&self, event: Event) -> Option<&Schema> {
        let own = || self.events.iter().find(|(own, _)| *own == event).map(|(_, schema)| schema);
        if event.is_message() { Some(self) } else { own() }
    }

    /// What can be listened to, in the order of the documentation.
    pub fn probes(&self) -> impl Iterator<Item = Probe<'_>> {
        let events = Event::ALL.into_iter().filter(|event| self.of(*event).is_some());
        let named = self.named.iter().map(|named| Probe { event: named.event, named: Some(named) });
        events.map(|event| Probe { event, named: None }).chain(named)
    }

    /// Adds the events that another schema declares for every protocol.
    pub fn add_events(&mut self, common: &Schema) {
        for (event, schema) in &common.events {
            let schema = Schema { protocol: self.protocol.clone(), ..schema.clone() };
            self.events.push((*event, schema));
        }
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
    ("pid", FieldType::Int, "The process that read or wrote the request; of another event, that did it."),
    ("tid", FieldType::Int, "The thread that read or wrote the request; of another event, that did it."),
    ("comm", FieldType::String, "The name of that thread."),
    ("time", FieldType::Time, "When the first byte of the request was seen; of another event, when it took place."),
    (
        "latency",
        FieldType::Duration,
        "From the first byte of the request to the last byte of the response; nil without a response.",
    ),
    (
        "size",
        FieldType::Int,
        "The length in bytes of the message on the wire; of an exchange, of both; of `data` and `error`, of their bytes.",
    ),
    ("cgroup", FieldType::Int, "The cgroup of that process, by its id; nil where the process is gone already."),
    ("duration", FieldType::Duration, "How long the connection had been open; nil where its opening was not seen."),
    ("client_bytes", FieldType::Int, "How many bytes the client had sent on the connection, since it was listened to."),
    ("server_bytes", FieldType::Int, "How many bytes the server had sent on the connection, since it was listened to."),
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
    pub const CGROUP: FieldId = FieldId(11);
    pub const DURATION: FieldId = FieldId(12);
    pub const CLIENT_BYTES: FieldId = FieldId(13);
    pub const SERVER_BYTES: FieldId = FieldId(14);
    /// The first slot that belongs to the protocol.
    pub const COUNT: u32 = 15;
}

//! Message schemas: the fields that a protocol's messages have, and the flat record that compiled code reads them from.
//!
//! A schema is declared once, in a `.rr` file beside the codec (`stdlib/protocols/src/PROTO/schema.rr`); the checker, the
//! codec's slot constants (generated at build time), the documentation and completion all read that one place.
//!
//! The **flat record** of a message or an exchange is an array of [`Slot`]s: first the fields that every connection has
//! ([`CONN_FIELDS`]), then the schema's own fields in declaration order. A slot is 16 bytes, so native code reads a field
//! with two loads. Slots borrow from the message: a record lives no longer than the values it was made from.

mod model;
mod parse;
mod slot;

pub use model::{
    CONN_FIELDS, Direction, Event, Field, FieldId, FieldType, LAYOUT_VERSION, Named, Probe, Schema, Side, conn,
};
pub use parse::{SchemaError, parse};
pub use slot::{Slot, Tag};

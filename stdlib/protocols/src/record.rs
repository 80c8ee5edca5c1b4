//! The flat record of a message or an exchange: what compiled filters read.
//!
//! First the connection's fields, then the protocol's own, in the schema's order. A slot borrows from the values, so a record
//! carries their lifetime.

use std::marker::PhantomData;

use reel_lang::schema::{Schema, Side, Slot, conn};
use reel_lang::value::Value;

use crate::Message;

/// The values of [`reel_lang::schema::CONN_FIELDS`], in slot order; nil where the source cannot know one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conn {
    pub values: [Value; conn::COUNT as usize],
}

impl Conn {
    /// Writes a field by its slot number.
    pub fn put(&mut self, id: reel_lang::schema::FieldId, value: Value) {
        if let Some(slot) = self.values.get_mut(id.0 as usize) {
            *slot = value;
        }
    }
}

/// Slots that view a connection's and its messages' values.
#[derive(Debug)]
pub struct Record<'a> {
    slots: Vec<Slot>,
    values: PhantomData<&'a Value>,
}

impl Record<'_> {
    /// The slots, by field number.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

/// Makes the record of a request, a response, or both.
pub fn view<'a>(
    schema: &Schema,
    conn: &'a Conn,
    request: Option<&'a Message>,
    response: Option<&'a Message>,
) -> Record<'a> {
    let mut slots = vec![Slot::NIL; schema.slots()];
    fill(schema, conn, request, response, &mut slots);
    Record { slots, values: PhantomData }
}

/// Writes the record into slots that the caller keeps; they must be read no longer than the values live. Slots beyond the
/// schema's are left alone.
pub fn fill(schema: &Schema, conn: &Conn, request: Option<&Message>, response: Option<&Message>, slots: &mut [Slot]) {
    for (field, slot) in schema.fields.iter().zip(slots) {
        let value = match field.side {
            None => conn.values.get(field.id.0 as usize),
            Some(Side::Request) => request.map(|message| message.field(field.id)),
            Some(Side::Response) => response.map(|message| message.field(field.id)),
        };
        *slot = value.map_or(Slot::NIL, Slot::view);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opaque::slots;
    use reel_lang::schema::Tag;

    #[test]
    fn slots_follow_the_schema() {
        let schema = crate::by_name("tcp").map(|protocol| protocol.schema());
        assert!(schema.is_some());
        let Some(schema) = schema else { return };
        let mut conn = Conn::default();
        conn.put(conn::PORT, Value::Int(6379));
        let mut request = Message::new(schema, Side::Request);
        request.put(slots::request::DATA, Value::text("hello"));
        let record = view(schema, &conn, Some(&request), None);
        let seen: Vec<_> = record.slots().iter().map(|slot| (slot.tag, slot.len)).filter(|slot| slot.0 != 0).collect();
        assert_eq!(seen, [(Tag::Int as u32, 0), (Tag::Str as u32, 5)]);
        assert_eq!(record.slots().len(), schema.slots());
    }
}

//! The flat record that compiled code reads a message from.

use std::marker::PhantomData;

use reel_lang::schema::Slot;
use reel_lang::value::Value;

/// The slots of one message or exchange, in the schema's order.
///
/// Invariant: every slot that holds an address was made by [`Slot::view`] from a value borrowed for `'a`. This is what lets
/// compiled code follow the addresses, so slots cannot be put in by hand.
#[derive(Debug, Default)]
pub struct Record<'a> {
    slots: Vec<Slot>,
    borrowed: PhantomData<&'a Value>,
}

impl<'a> Record<'a> {
    /// Makes an empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the record of these fields.
    pub fn of(fields: impl IntoIterator<Item = &'a Value>) -> Self {
        let slots = fields.into_iter().map(Slot::view).collect();
        Record { slots, borrowed: PhantomData }
    }

    /// Adds a field.
    pub fn push(&mut self, value: &'a Value) {
        self.slots.push(Slot::view(value));
    }

    /// Adds a field that the message does not have.
    pub fn push_nil(&mut self) {
        self.slots.push(Slot::NIL);
    }

    /// Empties the record and keeps its memory for the next message.
    pub fn reuse<'b>(mut self) -> Record<'b> {
        self.slots.clear();
        Record { slots: self.slots, borrowed: PhantomData }
    }

    /// The slots.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

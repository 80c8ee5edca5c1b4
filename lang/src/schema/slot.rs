//! The slots of a flat record: how compiled code reads a field.
//!
//! A slot is 16 bytes, a tag and a length beside one word of data, and borrows from the value that it views: text is a
//! pointer into the value's bytes, and lists, maps and other kinds are a pointer to the value itself.

use crate::value::Value;

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
    pub const NIL: Slot = Slot { tag: Tag::Nil as u32, len: 0, data: 0 };

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
        Slot { tag: tag as u32, len, data }
    }
}

//! Slots and views: the one place that follows a slot's address.

use reel_lang::schema::{Slot, Tag};
use reel_lang::value::Value;

use crate::native::View;

/// A slot as code passes it: tag and length in the low word, data in the high one.
pub(super) fn from_words(low: u64, high: u64) -> Slot {
    Slot { tag: low as u32, len: (low >> 32) as u32, data: high }
}

/// The low word of a slot with this tag and length.
pub(super) fn low_word(tag: Tag, len: u32) -> i64 {
    (u64::from(tag as u32) | u64::from(len) << 32).cast_signed()
}

/// Reads a slot.
///
/// # Safety
/// An address in the slot points at what the tag says, and stays so for `'a`.
pub(super) unsafe fn view<'a>(slot: Slot) -> View<'a> {
    match slot.tag {
        tag if tag == Tag::Null as u32 => View::Null,
        tag if tag == Tag::Bool as u32 => View::Bool(slot.data != 0),
        tag if tag == Tag::Int as u32 => View::Int(slot.data.cast_signed()),
        tag if tag == Tag::Uint as u32 => View::Uint(slot.data),
        tag if tag == Tag::Duration as u32 => View::Duration(slot.data.cast_signed()),
        tag if tag == Tag::Time as u32 => View::Time(slot.data.cast_signed()),
        tag if tag == Tag::Str as u32 => {
            // SAFETY: the caller vouches for `len` bytes at the address.
            View::Str(unsafe { std::slice::from_raw_parts(slot.data as *const u8, slot.len as usize) })
        }
        tag if tag == Tag::Value as u32 => {
            // SAFETY: the caller vouches for a value at the address.
            View::of(unsafe { &*(slot.data as *const Value) })
        }
        _ => View::Nil,
    }
}

/// Makes the slot of a view; none for a text that is too long for a slot's length.
pub(super) fn slot(view: View<'_>) -> Option<Slot> {
    let word = |tag: Tag, data: u64| Slot { tag: tag as u32, len: 0, data };
    Some(match view {
        View::Nil => Slot::NIL,
        View::Null => word(Tag::Null, 0),
        View::Bool(truth) => word(Tag::Bool, u64::from(truth)),
        View::Int(number) => word(Tag::Int, number.cast_unsigned()),
        View::Uint(number) => word(Tag::Uint, number),
        View::Duration(number) => word(Tag::Duration, number.cast_unsigned()),
        View::Time(number) => word(Tag::Time, number.cast_unsigned()),
        View::Str(bytes) => {
            let len = u32::try_from(bytes.len()).ok()?;
            Slot { tag: Tag::Str as u32, len, data: bytes.as_ptr() as u64 }
        }
        View::Value(value) => Slot::view(value),
    })
}

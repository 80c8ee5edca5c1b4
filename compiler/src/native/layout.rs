//! Values out of the bytes that kernel programs write, and back: event records, map keys and map values.
//!
//! The layout is that of `lower::shape`, as [`OutputArg`] describes it: little endian, C's alignment, texts zero padded. Bytes are
//! checked, since reading them must not depend on who wrote them: too few give nil, never a panic. What has no room or no form in
//! the kernel (a text that is too long or holds a NUL, nil) is not written at all: a kernel text that was cut equals nothing, so
//! half a text would be a lie.

use bytes::Bytes;
use reel_lang::ty::{IntTy, Ty};
use reel_lang::value::Value;

use super::number;
use super::view::View;
use crate::ir::OutputArg;
use crate::lower::shape::{CUT, CUT_AS_ASKED};

/// What reading makes of bytes that stand for more than themselves.
pub trait Odd {
    /// A text that did not fit, without its mark.
    fn cut(&self, whole: &[u8]) -> Value;
    /// Nanoseconds since boot, and the strftime(3) format in which they are shown.
    fn timestamp(&self, ns: i64, format: &[u8]) -> Value;
}

/// Values as clauses compute with them: a text that was cut equals nothing, which is what nil does.
#[derive(Debug, Clone, Copy)]
pub struct AsValues;

impl Odd for AsValues {
    fn cut(&self, _: &[u8]) -> Value {
        Value::Nil
    }

    fn timestamp(&self, ns: i64, _: &[u8]) -> Value {
        Value::Int(ns)
    }
}

/// Reads one argument out of a record, a key out of a map's key.
pub fn read(arg: &OutputArg, record: &[u8], odd: &dyn Odd) -> Value {
    let start = arg.offset as usize;
    let bytes = record.get(start..).and_then(|rest| rest.get(..arg.len_bytes as usize));
    bytes.map_or(Value::Nil, |bytes| value(&arg.ty, &arg.items, bytes, odd))
}

fn value(ty: &Ty, items: &[OutputArg], bytes: &[u8], odd: &dyn Odd) -> Value {
    match ty {
        Ty::Bool => Value::Bool(bytes.first().is_some_and(|&b| b != 0)),
        Ty::Duration => Value::Duration(integer(IntTy::I64, bytes)),
        Ty::Time => Value::Time(integer(IntTy::I64, bytes)),
        Ty::Str => {
            let len = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
            text(bytes.get(..len).unwrap_or_default(), odd)
        }
        Ty::Timestamp => {
            let format = bytes.get(8..).unwrap_or_default();
            let format = format.split(|&byte| byte == 0).next().unwrap_or_default();
            odd.timestamp(integer(IntTy::I64, bytes), format)
        }
        Ty::Tuple(_) => Value::List(items.iter().map(|item| read(item, bytes, odd)).collect()),
        _ => match ty.int() {
            Some(int) if int.signed => Value::Int(integer(int, bytes)),
            Some(int) => Value::from(integer(int, bytes).cast_unsigned()),
            None => Value::Str(Bytes::copy_from_slice(bytes)),
        },
    }
}

/// A text; one that was cut says so in its last byte.
fn text(bytes: &[u8], odd: &dyn Odd) -> Value {
    match bytes.split_last() {
        Some((&CUT, whole)) => odd.cut(whole),
        Some((&CUT_AS_ASKED, whole)) => Value::text(whole),
        _ => Value::text(bytes),
    }
}

/// An integer of up to eight bytes, extended by its sign.
pub fn integer(ty: IntTy, bytes: &[u8]) -> i64 {
    let mut word = [0u8; 8];
    let len = bytes.len().min(ty.len_bytes() as usize).min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    let number = i64::from_le_bytes(word);
    let spare = 64 - u32::from(ty.bits.min(64));
    if ty.signed { number << spare >> spare } else { number }
}

/// Whether a type has a form in the kernel, so that [`write`] may find one for its values.
pub fn is_held(ty: &Ty) -> bool {
    match ty {
        Ty::Str | Ty::Bool | Ty::Duration | Ty::Time | Ty::Agg(_) | Ty::Error => true,
        Ty::Tuple(items) => items.iter().all(is_held),
        other => other.int().is_some(),
    }
}

/// Writes a value where an argument lies; false where it has no form there.
pub fn write(arg: &OutputArg, value: &Value, to: &mut [u8]) -> bool {
    let start = arg.offset as usize;
    let Some(to) = to.get_mut(start..).and_then(|rest| rest.get_mut(..arg.len_bytes as usize)) else { return false };
    match &arg.ty {
        Ty::Str => write_text(value, to),
        Ty::Tuple(_) => match value.untagged() {
            Value::List(parts) if parts.len() == arg.items.len() => {
                arg.items.iter().zip(parts).all(|(item, part)| write(item, part, to))
            }
            _ => false,
        },
        ty if is_held(ty) => match number::bits(View::of(value)) {
            Some(bits) => {
                to.iter_mut().zip(bits.to_le_bytes()).for_each(|(to, byte)| *to = byte);
                true
            }
            None => false,
        },
        _ => false,
    }
}

fn write_text(value: &Value, to: &mut [u8]) -> bool {
    let Some(text) = value.as_bytes() else { return false };
    let reads_as_cut = matches!(text.last(), Some(&(CUT | CUT_AS_ASKED)));
    if text.len() >= to.len() || text.contains(&0) || reads_as_cut {
        return false;
    }
    to.iter_mut().zip(text).for_each(|(to, byte)| *to = *byte);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arg(ty: Ty, offset: u32, len_bytes: u32) -> OutputArg {
        OutputArg { ty, offset, len_bytes, items: Vec::new() }
    }

    fn decode(arg: &OutputArg, record: &[u8]) -> Value {
        read(arg, record, &AsValues)
    }

    #[test]
    fn integers_keep_their_sign() {
        let narrow = IntTy { bits: 16, signed: true };
        assert_eq!(decode(&arg(Ty::Int(narrow), 1, 2), &[9, 0xfe, 0xff]), Value::Int(-2));
        assert_eq!(decode(&arg(Ty::Int(IntTy::U64), 0, 8), &[0xff; 8]), Value::Uint(u64::MAX));
    }

    #[test]
    fn text_ends_at_its_nul() {
        assert_eq!(decode(&arg(Ty::Str, 0, 6), b"ab\0cd\0"), Value::from("ab"));
        assert_eq!(decode(&arg(Ty::Str, 0, 2), b"ab"), Value::from("ab"));
    }

    #[test]
    fn a_short_record_gives_nil() {
        assert_eq!(decode(&arg(Ty::Int(IntTy::U64), 4, 8), &[0; 8]), Value::Nil);
    }

    #[test]
    fn a_cut_text_equals_nothing_unless_the_script_cut_it() {
        assert_eq!(decode(&arg(Ty::Str, 0, 4), b"abc\xff"), Value::Nil);
        assert_eq!(decode(&arg(Ty::Str, 0, 4), b"ab\xfe\0"), Value::from("ab"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let items = vec![arg(Ty::Int(IntTy::U32), 0, 4), arg(Ty::Str, 8, 8)];
        let tuple = OutputArg { items, ..arg(Ty::Tuple(vec![Ty::Int(IntTy::U32), Ty::Str]), 8, 16) };
        let cases = [
            (tuple, Value::List(vec![Value::Int(7), Value::from("seven c")])),
            (arg(Ty::Int(IntTy::I32), 4, 4), Value::Int(-1)),
            (arg(Ty::Int(IntTy::U64), 0, 8), Value::Uint(u64::MAX)),
            (arg(Ty::Bool, 3, 1), Value::Bool(true)),
            (arg(Ty::Duration, 0, 8), Value::Duration(-5)),
            (arg(Ty::Str, 0, 8), Value::from("")),
        ];
        for (arg, value) in cases {
            let mut record = [0; 24];
            assert!(write(&arg, &value, &mut record), "{value:?}");
            assert_eq!(decode(&arg, &record), value);
        }
    }

    #[test]
    fn what_has_no_form_in_the_kernel_is_not_written() {
        let text = arg(Ty::Str, 0, 8);
        for value in [Value::from("eight ch"), Value::from("a\0b"), Value::text(b"a\xff"), Value::Nil, Value::Int(1)] {
            assert!(!write(&text, &value, &mut [0; 8]), "{value:?}");
        }
        let number = arg(Ty::Int(IntTy::U64), 0, 8);
        for value in [Value::Nil, Value::Null, Value::from("1")] {
            assert!(!write(&number, &value, &mut [0; 8]), "{value:?}");
        }
        assert!(!write(&number, &Value::Int(1), &mut [0; 4]));
        assert!(is_held(&Ty::Tuple(vec![Ty::Str, Ty::Bool])) && !is_held(&Ty::Tuple(vec![Ty::Str, Ty::Any])));
    }
}

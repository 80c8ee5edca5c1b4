//! Values out of the bytes that a kernel program wrote: event records, map keys and map values.
//!
//! The layout is the compiler's (`ir::OutputArg`): little endian, C's alignment, text zero padded. A record comes from our own
//! program, but its bytes are still checked: a short one gives nil values, never a panic.

use bytes::Bytes;
use reel_compiler::ir::OutputArg;
use reel_compiler::lower::shape::{CUT, CUT_AS_ASKED};
use reel_lang::ty::{IntTy, Ty};
use reel_lang::value::Value;

use super::strftime;

/// Reads one argument out of a record.
pub fn decode(arg: &OutputArg, record: &[u8]) -> Value {
    let start = arg.offset as usize;
    let bytes = record.get(start..).and_then(|rest| rest.get(..arg.len_bytes as usize));
    bytes.map_or(Value::Nil, |bytes| value(&arg.ty, &arg.items, bytes))
}

fn value(ty: &Ty, items: &[OutputArg], bytes: &[u8]) -> Value {
    match ty {
        Ty::Bool => Value::Bool(bytes.first().is_some_and(|&b| b != 0)),
        Ty::Duration => Value::Duration(integer(IntTy::I64, bytes)),
        Ty::Time => Value::Time(integer(IntTy::I64, bytes)),
        Ty::Str => {
            let len = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
            text(bytes.get(..len).unwrap_or_default())
        }
        Ty::Timestamp => timestamp(bytes),
        Ty::Tuple(_) => Value::List(items.iter().map(|item| decode(item, bytes)).collect()),
        _ => match ty.int() {
            Some(int) if int.signed => Value::Int(integer(int, bytes)),
            Some(int) => Value::from(integer(int, bytes).cast_unsigned()),
            None => Value::Str(Bytes::copy_from_slice(bytes)),
        },
    }
}

/// What is shown behind a text that did not fit, as bpftrace shows it.
const TRAILER: &[u8] = b"..";

/// A text; one that was cut says so in its last byte.
fn text(bytes: &[u8]) -> Value {
    match bytes.split_last() {
        Some((&CUT, whole)) => Value::text([whole, TRAILER].concat()),
        Some((&CUT_AS_ASKED, whole)) => Value::text(whole),
        _ => Value::text(bytes),
    }
}

/// Nanoseconds since boot, then a format that ends in a NUL.
fn timestamp(bytes: &[u8]) -> Value {
    let format = bytes.get(8..).unwrap_or_default();
    let format = format.split(|&byte| byte == 0).next().unwrap_or_default();
    Value::text(strftime::since_boot(&String::from_utf8_lossy(format), integer(IntTy::I64, bytes)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn arg(ty: Ty, offset: u32, len_bytes: u32) -> OutputArg {
        OutputArg { ty, offset, len_bytes, items: Vec::new() }
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
    fn a_cut_text_shows_it() {
        assert_eq!(decode(&arg(Ty::Str, 0, 4), b"abc\xff"), Value::from("abc.."));
        assert_eq!(decode(&arg(Ty::Str, 0, 4), b"ab\xfe\0"), Value::from("ab"));
    }

    #[test]
    fn a_timestamp_brings_its_format() {
        let record = [&5u64.to_le_bytes()[..], b"x%%\0\0\0\0\0"].concat();
        assert_eq!(decode(&arg(Ty::Timestamp, 0, 16), &record), Value::from("x%"));
    }

    #[test]
    fn a_short_record_gives_nil() {
        assert_eq!(decode(&arg(Ty::Int(IntTy::U64), 4, 8), &[0; 8]), Value::Nil);
    }

    #[test]
    fn a_tuple_is_a_list() {
        let items = vec![arg(Ty::Int(IntTy::U32), 0, 4), arg(Ty::Str, 4, 4)];
        let tuple = OutputArg { items, ..arg(Ty::Tuple(vec![Ty::Int(IntTy::U32), Ty::Str]), 8, 8) };
        let record = [&[0; 8][..], &[7, 0, 0, 0], b"ok\0\0"].concat();
        assert_eq!(decode(&tuple, &record), Value::List(vec![Value::Int(7), Value::from("ok")]));
    }
}

//! How values lie in kernel memory: buffers, map keys and values, event records.
//!
//! Everything is little endian, naturally aligned and zero padded, so that equal values are equal bytes. A text is as long
//! as its producer can make it (`comm` 16, `str(p, 32)` 32), rounded up to 8 so that texts are compared and copied in
//! words; it ends in zero bytes. A text that was cut ends in byte 0xff where its last character would stand: such a text
//! equals none, and whoever prints it leaves the byte out. One that was cut where the script asked for it ends in 0xfe.
//! A tuple lies as a C struct of its parts; a timestamp is nanoseconds since boot, then its format, zero padded.

use reel_lang::ty::{IntTy, Ty};

use crate::aggregate;
use crate::ir::OutputArg;

/// The last byte of a text that did not fit.
pub const CUT: u8 = 0xff;
/// The last byte of a text that was cut at a length that the script chose.
pub const CUT_AS_ASKED: u8 = 0xfe;

/// The shape of a value in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A number, an address, a bool.
    Scalar(IntTy),
    /// A text of at most so many bytes, its NUL included.
    Text(u32),
    /// Bytes of a fixed number.
    Bytes(u32),
    Tuple(Vec<Shape>),
}

impl Shape {
    /// The smallest shape that a type can have; a text begins at 8 bytes and grows with what is assigned.
    pub(crate) fn of(ty: &Ty) -> Shape {
        match ty {
            Ty::Str => Shape::Text(8),
            Ty::Buf(len) => Shape::Bytes(*len),
            Ty::Tuple(items) => Shape::Tuple(items.iter().map(Shape::of).collect()),
            Ty::Array(item, len) => Shape::Bytes(Shape::of(item).len_bytes().saturating_mul(*len)),
            Ty::Agg(agg) => Shape::Bytes(aggregate::len_bytes(*agg)),
            Ty::Dynptr => Shape::Bytes(DYNPTR_LEN_BYTES),
            Ty::Timestamp => Shape::Bytes(16),
            other => Shape::Scalar(other.int().unwrap_or(IntTy::U64)),
        }
    }

    /// The size in memory.
    pub(crate) fn len_bytes(&self) -> u32 {
        match self {
            Shape::Scalar(int) => int.len_bytes(),
            Shape::Text(len) => align(*len, 8),
            Shape::Bytes(len) => *len,
            Shape::Tuple(items) => {
                let end = fields(items).zip(items).last().map_or(0, |(at, item)| at + item.len_bytes());
                align(end, self.align_bytes())
            }
        }
    }

    fn align_bytes(&self) -> u32 {
        match self {
            Shape::Scalar(int) => int.len_bytes(),
            Shape::Text(_) => 8,
            Shape::Bytes(len) => match len % 8 {
                0 => 8,
                4 => 4,
                2 | 6 => 2,
                _ => 1,
            },
            Shape::Tuple(items) => items.iter().map(Shape::align_bytes).max().unwrap_or(1),
        }
    }

    /// The shape that holds both.
    pub(crate) fn join(&self, other: &Shape) -> Shape {
        match (self, other) {
            (Shape::Text(a), Shape::Text(b)) => Shape::Text(*a.max(b)),
            (Shape::Bytes(a), Shape::Bytes(b)) => Shape::Bytes(*a.max(b)),
            (Shape::Scalar(a), Shape::Scalar(b)) => Shape::Scalar(if a.bits >= b.bits { *a } else { *b }),
            (Shape::Tuple(a), Shape::Tuple(b)) if a.len() == b.len() => {
                Shape::Tuple(a.iter().zip(b).map(|(a, b)| a.join(b)).collect())
            }
            _ => self.clone(),
        }
    }

    /// The offsets of a tuple's parts.
    pub(crate) fn offsets(&self) -> Vec<u32> {
        match self {
            Shape::Tuple(items) => fields(items).collect(),
            _ => Vec::new(),
        }
    }
}

/// The size of the kernel's `struct bpf_dynptr`.
pub(crate) const DYNPTR_LEN_BYTES: u32 = 16;

/// Rounds up to a power of two.
pub(crate) fn align(len: u32, to: u32) -> u32 {
    len.next_multiple_of(to.max(1))
}

fn fields(items: &[Shape]) -> impl Iterator<Item = u32> + '_ {
    let mut end = 0;
    items.iter().map(move |item| {
        let at = align(end, item.align_bytes());
        end = at + item.len_bytes();
        at
    })
}

/// Lays values out one after the other from an offset: where each lies, and where the last ends (a multiple of 8).
pub(crate) fn record(from: u32, values: &[(&Ty, Shape)]) -> (Vec<OutputArg>, u32) {
    let mut end = from;
    let args = values
        .iter()
        .map(|(ty, shape)| {
            let offset = align(end, shape.align_bytes());
            end = offset + shape.len_bytes();
            argument(ty, shape, offset)
        })
        .collect();
    (args, align(end, 8))
}

/// Describes a value of this type and shape at an offset.
pub(crate) fn argument(ty: &Ty, shape: &Shape, offset: u32) -> OutputArg {
    let items = match (ty, shape) {
        (Ty::Tuple(types), Shape::Tuple(shapes)) => types
            .iter()
            .zip(shapes)
            .zip(shape.offsets())
            .map(|((ty, shape), offset)| argument(ty, shape, offset))
            .collect(),
        _ => Vec::new(),
    };
    OutputArg { ty: ty.clone(), offset, len_bytes: shape.len_bytes(), items }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_lies_as_a_c_struct() {
        let int = |bits| Shape::Scalar(IntTy { bits, signed: false });
        let shape = Shape::Tuple(vec![int(8), int(32), Shape::Text(5), int(16)]);
        assert_eq!(shape.offsets(), [0, 4, 8, 16]);
        assert_eq!(shape.len_bytes(), 24);
    }
}

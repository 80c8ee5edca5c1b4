//! Buffers inline where they are short; maps and event records through helpers.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use super::runtime;
use super::translate::{Translator, UNALIGNED, int_type};
use crate::ir::Inst;

/// Runs of bytes up to this length are done inline.
const MAX_INLINE_LEN_BYTES: u32 = 64;

/// Cuts a length into accesses, the last of which may overlap the one before.
pub(super) fn accesses(len_bytes: u32) -> Vec<(i32, Type)> {
    let width = match len_bytes {
        0 => return Vec::new(),
        1 => 1,
        2..=3 => 2,
        4..=7 => 4,
        _ => 8,
    };
    let last = len_bytes - width;
    let mut offsets: Vec<u32> = (0..last).step_by(width as usize).collect();
    offsets.push(last);
    offsets.into_iter().map(|offset| (offset as i32, int_type(width))).collect()
}

/// Reads the bytes of an access out of constant bytes.
pub(super) fn access_of(bytes: &[u8], offset: i32, ty: Type) -> i64 {
    let mut word = [0; 8];
    let start = offset as usize;
    let part = bytes.get(start..start + ty.bytes() as usize).unwrap_or_default();
    word.iter_mut().zip(part).for_each(|(to, byte)| *to = *byte);
    i64::from_le_bytes(word)
}

impl Translator<'_, '_> {
    pub(super) fn memory(&mut self, inst: &Inst) -> bool {
        match inst {
            Inst::Zero { to, len_bytes } => {
                let to = self.address(*to);
                self.zero(to, *len_bytes);
            }
            Inst::SetData { to, data } => {
                let bytes = self.compiler.module.data[data.0 as usize].clone();
                let to = self.address(*to);
                self.set_bytes(to, &bytes, data.0);
            }
            Inst::Load { dst, from } => {
                let ty = self.int(*dst);
                let from = self.address(*from);
                let value = self.builder.ins().load(int_type(ty.len_bytes()), UNALIGNED, from, 0);
                let value = self.extend(ty, value);
                self.set(*dst, value);
            }
            Inst::Store { to, src } => {
                let ty = int_type(self.int(*src).len_bytes());
                let mut value = self.scalar(*src);
                if ty != types::I64 {
                    value = self.builder.ins().ireduce(ty, value);
                }
                let to = self.address(*to);
                self.builder.ins().store(UNALIGNED, value, to, 0);
            }
            Inst::CopyBuf { to, from, len_bytes } => {
                let (to, from) = (self.address(*to), self.address(*from));
                self.copy(to, from, *len_bytes);
            }
            Inst::EqualBuf { dst, left, right, len_bytes } => {
                let (left, right) = (self.address(*left), self.address(*right));
                let truth = self.equal(left, right, *len_bytes);
                self.set(*dst, truth);
            }
            Inst::Emit { output, record } => {
                let (output, record) = (self.constant(i64::from(output.0)), self.address(*record));
                self.helper(runtime::EMIT, &[output, record]);
            }
            _ => return self.maps(inst),
        }
        true
    }

    fn maps(&mut self, inst: &Inst) -> bool {
        match inst {
            Inst::MapGet { map, key, to, found } => {
                let args = [self.constant(i64::from(*map)), self.address(*key), self.address(*to)];
                let is_there = self.helper(runtime::MAP_GET, &args);
                found.iter().for_each(|found| self.set(*found, is_there));
            }
            Inst::MapSet { map, key, value } => {
                let args = [self.constant(i64::from(*map)), self.address(*key), self.address(*value)];
                self.helper(runtime::MAP_SET, &args);
            }
            Inst::MapAdd { map, key, delta } => {
                let args = [self.constant(i64::from(*map)), self.address(*key), self.scalar(*delta)];
                self.helper(runtime::MAP_ADD, &args);
            }
            Inst::MapDelete { map, key, found } => {
                let args = [self.constant(i64::from(*map)), self.address(*key)];
                let was_there = self.helper(runtime::MAP_DELETE, &args);
                found.iter().for_each(|found| self.set(*found, was_there));
            }
            Inst::MapAggregate { map, key, agg, value } => {
                let aggs = &mut self.compiler.tables.aggs;
                aggs.push(*agg);
                let agg = (aggs.len() - 1) << 1 | usize::from(value.is_some());
                let number = match value {
                    Some(value) => self.scalar(*value),
                    None => self.constant(0),
                };
                let args = [self.constant(i64::from(*map)), self.address(*key), self.constant(agg as i64), number];
                self.helper(runtime::MAP_AGGREGATE, &args);
            }
            _ => return false,
        }
        true
    }

    /// Fills with zero bytes.
    pub(super) fn zero(&mut self, to: Value, len_bytes: u32) {
        if len_bytes > 2 * MAX_INLINE_LEN_BYTES {
            let len = self.constant(i64::from(len_bytes));
            self.helper(runtime::ZERO, &[to, len]);
            return;
        }
        for (offset, ty) in accesses(len_bytes) {
            let zero = self.builder.ins().iconst(ty, 0);
            self.builder.ins().store(UNALIGNED, zero, to, offset);
        }
    }

    fn set_bytes(&mut self, to: Value, bytes: &[u8], data: u32) {
        let len_bytes = bytes.len() as u32;
        if len_bytes > MAX_INLINE_LEN_BYTES {
            let from = self.data_address(data);
            let len = self.constant(i64::from(len_bytes));
            self.helper(runtime::COPY, &[to, from, len]);
            return;
        }
        for (offset, ty) in accesses(len_bytes) {
            let word = self.builder.ins().iconst(ty, access_of(bytes, offset, ty));
            self.builder.ins().store(UNALIGNED, word, to, offset);
        }
    }

    /// Copies as if through a third place, since the two may overlap.
    fn copy(&mut self, to: Value, from: Value, len_bytes: u32) {
        if len_bytes > MAX_INLINE_LEN_BYTES {
            let len = self.constant(i64::from(len_bytes));
            self.helper(runtime::COPY, &[to, from, len]);
            return;
        }
        let accesses = accesses(len_bytes);
        let words: Vec<Value> =
            accesses.iter().map(|(offset, ty)| self.builder.ins().load(*ty, UNALIGNED, from, *offset)).collect();
        for ((offset, _), word) in accesses.into_iter().zip(words) {
            self.builder.ins().store(UNALIGNED, word, to, offset);
        }
    }

    fn equal(&mut self, left: Value, right: Value, len_bytes: u32) -> Value {
        if len_bytes > MAX_INLINE_LEN_BYTES {
            let len = self.constant(i64::from(len_bytes));
            return self.helper(runtime::EQUAL, &[left, right, len]);
        }
        let mut difference = self.constant(0);
        for (offset, ty) in accesses(len_bytes) {
            let left = self.builder.ins().load(ty, UNALIGNED, left, offset);
            let right = self.builder.ins().load(ty, UNALIGNED, right, offset);
            let differs = self.builder.ins().bxor(left, right);
            difference = self.or_wide(difference, differs, ty);
        }
        let zero = self.constant(0);
        self.compare(IntCC::Equal, difference, zero)
    }

    /// Whether the bytes at an address are these.
    pub(super) fn equal_constant(&mut self, address: Value, bytes: &[u8]) -> Value {
        let mut difference = self.constant(0);
        for (offset, ty) in accesses(bytes.len() as u32) {
            let word = self.builder.ins().load(ty, UNALIGNED, address, offset);
            let wanted = self.builder.ins().iconst(ty, access_of(bytes, offset, ty));
            let differs = self.builder.ins().bxor(word, wanted);
            difference = self.or_wide(difference, differs, ty);
        }
        let zero = self.constant(0);
        self.compare(IntCC::Equal, difference, zero)
    }

    fn or_wide(&mut self, all: Value, part: Value, ty: Type) -> Value {
        let part = if ty == types::I64 { part } else { self.builder.ins().uextend(types::I64, part) };
        self.builder.ins().bor(all, part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_cover_every_byte_and_no_more() {
        for len_bytes in 0..=130u32 {
            let mut seen = vec![false; len_bytes as usize];
            for (offset, ty) in accesses(len_bytes) {
                let start = offset as usize;
                seen[start..start + ty.bytes() as usize].fill(true);
            }
            assert!(seen.iter().all(|seen| *seen), "{len_bytes}");
        }
    }
}

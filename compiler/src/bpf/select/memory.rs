//! Buffers: filled, loaded, stored, copied and compared, in the widest words that their alignment allows.
//!
//! Buffers start on 8 bytes, on the stack and in the scratch value alike, and the verifier refuses unaligned access to the
//! stack; so a run of bytes is cut into aligned words. What is short is unrolled. What is long goes through one helper
//! call: `bpf_probe_read_kernel` copies kernel memory, and from address 0 it fails and fills with zeroes, as it does
//! for every fault.

use super::super::BpfError;
use super::super::frame::Place;
use super::super::insn::{Alu, Cond, FRAME, Insn, Machine, Size};
use super::{Select, helper, scratch_reg};
use crate::ir::{At, Inst, Reg};

/// Up to this many bytes a copy is unrolled.
const UNROLLED_COPY_BYTES: u32 = 256;
/// Up to this many bytes a fill is unrolled.
const UNROLLED_ZERO_BYTES: u32 = 512;

/// A place in memory as instructions name it.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub base: Machine,
    pub offset: i16,
    /// Bytes from an 8-byte boundary, modulo 8.
    pub phase: u32,
}

impl Memory {
    /// A place that begins on an 8-byte boundary.
    pub(super) fn aligned(base: Machine, offset: i16) -> Memory {
        Memory { base, offset, phase: offset.rem_euclid(8) as u32 }
    }

    /// The offset of a byte of the place. Places lie within 32 KiB, so that it fits.
    fn at(self, byte: u32) -> i16 {
        self.offset.wrapping_add(byte as i16)
    }
}

/// Cuts a run of bytes into words that are aligned at both places.
fn words(a: u32, b: u32, len_bytes: u32) -> Vec<(u32, Size)> {
    let mut words = Vec::new();
    let mut done = 0;
    while done < len_bytes {
        let fits = |size: &u32| {
            (a + done).is_multiple_of(*size) && (b + done).is_multiple_of(*size) && done + size <= len_bytes
        };
        let size = [8, 4, 2].into_iter().find(fits).unwrap_or(1);
        words.push((done, Size::of(size)));
        done += size;
    }
    words
}

impl Select<'_> {
    /// Finds a place; `spare` holds the scratch value's address where that has no register of its own.
    pub(super) fn place(&mut self, at: At, len_bytes: u32, spare: Machine) -> Result<Memory, BpfError> {
        let fits = self
            .function
            .bufs
            .get(at.buf.0 as usize)
            .is_some_and(|b| u64::from(at.offset) + u64::from(len_bytes) <= u64::from(b.len_bytes));
        if !fits {
            return Err(self.malformed("an access is outside its buffer"));
        }
        let (base, offset) = match self.frame.places[at.buf.0 as usize] {
            Place::Stack(offset) => (FRAME, i32::from(offset)),
            Place::Scratch(offset) => {
                let base = match self.frame.homes[scratch_reg(self.function)] {
                    super::Home::Machine(machine) => machine,
                    home => {
                        self.read_home(home, spare);
                        spare
                    }
                };
                (base, offset as i32)
            }
        };
        let offset =
            i16::try_from(offset + at.offset as i32).map_err(|_| self.malformed("a buffer lies out of reach"))?;
        Ok(Memory { base, offset, phase: at.offset % 8 })
    }

    /// Puts the address of a place into a machine register.
    pub(super) fn address(&mut self, at: At, len_bytes: u32, to: Machine) -> Result<(), BpfError> {
        let memory = self.place(at, len_bytes, to)?;
        self.memory_address(memory, to);
        Ok(())
    }

    pub(super) fn memory_address(&mut self, memory: Memory, to: Machine) {
        self.asm.mov(to, memory.base);
        if memory.offset != 0 {
            self.asm.push(Insn::alu_imm(Alu::Add, to, i32::from(memory.offset)));
        }
    }

    pub(super) fn memory(&mut self, inst: &Inst) -> Result<(), BpfError> {
        match inst {
            Inst::Zero { to, len_bytes } => self.zero(*to, *len_bytes),
            Inst::SetData { to, data } => {
                let bytes = self.module.data.get(data.0 as usize);
                let bytes = bytes.ok_or_else(|| self.malformed("no such constant"))?;
                self.set_bytes(*to, bytes)
            }
            Inst::Load { dst, from } => {
                let int = self.int(*dst)?;
                let from = self.place(*from, int.len_bytes(), 1)?;
                // A number in pieces must not be gathered in what may be the base.
                let to = match from.phase.is_multiple_of(int.len_bytes()) {
                    true => self.target(*dst, 0),
                    false => 0,
                };
                self.load_scalar(to, from, Size::of(int.len_bytes()));
                if int.signed {
                    self.normalise(to, int);
                }
                self.write(*dst, to);
                Ok(())
            }
            Inst::Store { to, src } => {
                let len_bytes = self.int(*src)?.len_bytes();
                let to = self.place(*to, len_bytes, 1)?;
                self.store_scalar(to, *src, Size::of(len_bytes));
                Ok(())
            }
            Inst::CopyBuf { to, from, len_bytes } => self.copy_buf(*to, *from, *len_bytes),
            Inst::EqualBuf { dst, left, right, len_bytes } => self.equal(*dst, *left, *right, *len_bytes),
            _ => Err(self.malformed("not an access to a buffer")),
        }
    }

    pub(super) fn zero(&mut self, to: At, len_bytes: u32) -> Result<(), BpfError> {
        if len_bytes > UNROLLED_ZERO_BYTES {
            self.address(to, len_bytes, 1)?;
            self.asm.constant(2, i64::from(len_bytes));
            self.asm.constant(3, 0);
            self.asm.push(Insn::call(helper::PROBE_READ_KERNEL));
            return Ok(());
        }
        let to = self.place(to, len_bytes, 1)?;
        for (byte, size) in words(to.phase, to.phase, len_bytes) {
            self.asm.push(Insn::store_imm(size, to.base, to.at(byte), 0));
        }
        Ok(())
    }

    fn set_bytes(&mut self, to: At, bytes: &[u8]) -> Result<(), BpfError> {
        let len_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let to = self.place(to, len_bytes, 1)?;
        for (byte, size) in words(to.phase, to.phase, len_bytes) {
            let mut word = [0u8; 8];
            let len = size.len_bytes() as usize;
            word[..len].copy_from_slice(&bytes[byte as usize..][..len]);
            // The sign bits above a short word are cut off when it is stored.
            let value = i64::from_le_bytes(word);
            let short = (size != Size::B8).then_some(value as i32);
            match short.or_else(|| i32::try_from(value).ok()) {
                Some(imm) => self.asm.push(Insn::store_imm(size, to.base, to.at(byte), imm)),
                None => {
                    self.asm.constant(0, value);
                    self.asm.push(Insn::store(size, to.base, to.at(byte), 0));
                }
            }
        }
        Ok(())
    }

    /// Loads a number, zero extended; `to` is not the base, and r2 is changed where the place is not aligned.
    pub(super) fn load_scalar(&mut self, to: Machine, from: Memory, size: Size) {
        for (index, (byte, part)) in words(from.phase, from.phase, size.len_bytes()).into_iter().enumerate() {
            if index == 0 {
                self.asm.load(part, to, from.base, from.at(byte));
                continue;
            }
            self.asm.load(part, 2, from.base, from.at(byte));
            self.asm.push(Insn::alu_imm(Alu::Lsh, 2, 8 * byte as i32));
            self.asm.push(Insn::alu(Alu::Or, to, 2));
        }
    }

    /// Stores a number; may change r0 and r2, and the base is neither.
    pub(super) fn store_scalar(&mut self, to: Memory, src: Reg, size: Size) {
        let parts = words(to.phase, to.phase, size.len_bytes());
        if let ([(byte, part)], Some(imm)) = (parts.as_slice(), self.immediate(src)) {
            self.asm.push(Insn::store_imm(*part, to.base, to.at(*byte), imm));
            return;
        }
        let value = self.read(src, 0);
        for (byte, part) in parts {
            let mut from = value;
            if byte != 0 {
                self.asm.mov(2, value);
                self.asm.push(Insn::alu_imm(Alu::Rsh, 2, 8 * byte as i32));
                from = 2;
            }
            self.asm.push(Insn::store(part, to.base, to.at(byte), from));
        }
    }

    fn copy_buf(&mut self, to: At, from: At, len_bytes: u32) -> Result<(), BpfError> {
        if len_bytes > UNROLLED_COPY_BYTES {
            self.address(to, len_bytes, 1)?;
            self.asm.constant(2, i64::from(len_bytes));
            self.address(from, len_bytes, 3)?;
            self.asm.push(Insn::call(helper::PROBE_READ_KERNEL));
            return Ok(());
        }
        let to = self.place(to, len_bytes, 1)?;
        let from = self.place(from, len_bytes, 2)?;
        self.copy(to, from, len_bytes);
        Ok(())
    }

    /// Copies bytes through r3.
    fn copy(&mut self, to: Memory, from: Memory, len_bytes: u32) {
        for (byte, size) in words(to.phase, from.phase, len_bytes) {
            self.asm.load(size, 3, from.base, from.at(byte));
            self.asm.push(Insn::store(size, to.base, to.at(byte), 3));
        }
    }

    /// Copies what r0 points to, an aligned map value, into a buffer.
    pub(super) fn copy_from_value(&mut self, to: At, len_bytes: u32) -> Result<(), BpfError> {
        if len_bytes > UNROLLED_COPY_BYTES {
            self.asm.mov(3, 0);
            self.address(to, len_bytes, 1)?;
            self.asm.constant(2, i64::from(len_bytes));
            self.asm.push(Insn::call(helper::PROBE_READ_KERNEL));
            return Ok(());
        }
        let to = self.place(to, len_bytes, 1)?;
        self.copy(to, Memory::aligned(0, 0), len_bytes);
        Ok(())
    }

    /// Gathers all differences in r0, so that the verifier meets one branch.
    fn equal(&mut self, dst: Reg, left: At, right: At, len_bytes: u32) -> Result<(), BpfError> {
        let left = self.place(left, len_bytes, 1)?;
        let right = self.place(right, len_bytes, 2)?;
        self.asm.constant(0, 0);
        for (byte, size) in words(left.phase, right.phase, len_bytes) {
            self.asm.load(size, 3, left.base, left.at(byte));
            self.asm.load(size, 4, right.base, right.at(byte));
            self.asm.push(Insn::alu(Alu::Xor, 3, 4));
            self.asm.push(Insn::alu(Alu::Or, 0, 3));
        }
        self.is_zero(dst);
        Ok(())
    }

    /// Writes whether r0 is 0.
    pub(super) fn is_zero(&mut self, dst: Reg) {
        let to = self.target(dst, 1);
        let holds = self.asm.label();
        self.asm.constant(to, 1);
        self.asm.jump(Insn::jump_imm(Cond::Eq, 0, 0), holds);
        self.asm.constant(to, 0);
        self.asm.bind(holds);
        self.write(dst, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut_where_both_sides_are_aligned() {
        let cut = |a, b, len| -> Vec<(u32, u32)> {
            words(a, b, len).into_iter().map(|(byte, size)| (byte, size.len_bytes())).collect()
        };
        assert_eq!(cut(0, 0, 15), [(0, 8), (8, 4), (12, 2), (14, 1)]);
        assert_eq!(cut(4, 4, 12), [(0, 4), (4, 8)]);
        assert_eq!(cut(4, 0, 8), [(0, 4), (4, 4)]);
        assert_eq!(cut(1, 0, 2), [(0, 1), (1, 1)]);
    }
}

//! Aggregations: a number folded into this CPU's shard, laid out as `crate::aggregate` says.
//!
//! Additions are atomic, since an interrupt may fold into the same shard on the same CPU. Buckets are found without
//! branches, so that the verifier follows one path; the bucket is bounded once, where it becomes an address.

use reel_lang::ty::Agg;

use super::super::BpfError;
use super::super::frame::TEMP;
use super::super::insn::{Alu, Cond, FRAME, Insn, Size};
use super::{Select, helper};
use crate::aggregate;
use crate::ir::{At, Reg};

impl Select<'_> {
    pub(super) fn aggregate(&mut self, map: u32, key: At, agg: Agg, value: Option<Reg>) -> Result<(), BpfError> {
        let (_, value_len_bytes, is_array) = self.map_lengths(map)?;
        let len_bytes = aggregate::len_bytes(agg);
        if value_len_bytes < len_bytes {
            return Err(self.malformed("the map's value is too short for the aggregation"));
        }
        if value.is_none() && agg != Agg::Count {
            return Err(self.malformed("the aggregation wants a number"));
        }
        let (fold, done, made) = (self.asm.label(), self.asm.label(), self.asm.label());
        let absent = if is_array { done } else { made };
        self.entry_or(map, key, [fold, absent], &mut |select: &mut Self| select.zeroes(value_len_bytes, done))?;
        if !is_array {
            // The entry was made just now, of zeroes; or there was no room for it.
            self.asm.bind(made);
            self.lookup(map, key)?;
            self.asm.jump(Insn::jump_imm(Cond::Eq, 0, 0), done);
        }
        self.asm.bind(fold);
        self.fold(agg, value)?;
        self.asm.bind(done);
        Ok(())
    }

    /// Lets r3 point to at least so many zero bytes.
    fn zeroes(&mut self, len_bytes: u32, none: super::Label) -> Result<(), BpfError> {
        self.asm.push(Insn::store_imm(Size::B8, FRAME, TEMP, 0));
        if len_bytes <= 8 {
            self.temp_address(3);
            return Ok(());
        }
        let zeroes = self.maps.zeroes(len_bytes);
        self.asm.map(1, zeroes);
        self.temp_address(2);
        self.asm.push(Insn::call(helper::MAP_LOOKUP_ELEM));
        self.asm.jump(Insn::jump_imm(Cond::Eq, 0, 0), none);
        self.asm.mov(3, 0);
        Ok(())
    }

    /// Folds into the shard that r0 points to.
    fn fold(&mut self, agg: Agg, value: Option<Reg>) -> Result<(), BpfError> {
        match value.filter(|_| agg != Agg::Count) {
            Some(value) => self.read_into(value, 2),
            None => self.asm.constant(2, 1),
        }
        match agg {
            Agg::Count | Agg::Sum { .. } => self.asm.push(Insn::atomic_add(Size::B8, 0, 0, 2)),
            Agg::Min { signed } => self.extreme(if signed { Cond::SGe } else { Cond::Ge }),
            Agg::Max { signed } => self.extreme(if signed { Cond::SLe } else { Cond::Le }),
            Agg::Avg { .. } | Agg::Stats { .. } => {
                self.asm.push(Insn::atomic_add(Size::B8, 0, 0, 2));
                self.asm.constant(2, 1);
                self.asm.push(Insn::atomic_add(Size::B8, 0, 8, 2));
            }
            Agg::Hist { bits } => {
                self.log2_bucket(bits);
                self.count_bucket(agg);
            }
            Agg::Lhist { min, max, step } => {
                self.linear_bucket(min, max, step);
                self.count_bucket(agg);
            }
        }
        Ok(())
    }

    /// Keeps r2 unless a value is there and `(r2 cond value)`.
    fn extreme(&mut self, keeps_old: Cond) {
        let (store, done) = (self.asm.label(), self.asm.label());
        self.asm.load(Size::B8, 3, 0, 8);
        self.asm.jump(Insn::jump_imm(Cond::Eq, 3, 0), store);
        self.asm.load(Size::B8, 3, 0, 0);
        self.asm.jump(Insn::jump_reg(keeps_old, 2, 3), done);
        self.asm.bind(store);
        self.asm.push(Insn::store(Size::B8, 0, 0, 2));
        self.asm.push(Insn::store_imm(Size::B8, 0, 8, 1));
        self.asm.bind(done);
    }

    /// Turns the number in r2 into the index of its power-of-two bucket, in r1; changes r3 and r4.
    fn log2_bucket(&mut self, bits: u8) {
        let bits = i32::from(bits.min(aggregate::MAX_HIST_BITS));
        let exact = (1i32 << bits) - 1;
        let done = self.asm.label();
        self.asm.constant(1, 0);
        self.asm.jump(Insn::jump_imm(Cond::SLt, 2, 0), done);
        self.asm.mov(1, 2);
        self.asm.push(Insn::alu_imm(Alu::Add, 1, 1));
        self.asm.jump(Insn::jump_imm(Cond::Le, 2, exact), done);
        // r1: the place of the highest bit of r4, by halves.
        self.asm.mov(4, 2);
        self.asm.constant(1, 0);
        for half in (0..6).rev() {
            // 1 where r4 >= 2^(2^half), without a branch: both are below 2^63.
            self.asm.constant(3, (1i64 << (1 << half)) - 1);
            self.asm.push(Insn::alu(Alu::Sub, 3, 4));
            self.asm.push(Insn::alu_imm(Alu::Rsh, 3, 63));
            self.asm.push(Insn::alu_imm(Alu::Lsh, 3, half));
            self.asm.push(Insn::alu(Alu::Rsh, 4, 3));
            self.asm.push(Insn::alu(Alu::Add, 1, 3));
        }
        // The `bits` bits below the highest one say which part of the power of two.
        if bits > 0 {
            self.asm.push(Insn::alu_imm(Alu::Sub, 1, bits));
            self.asm.push(Insn::alu_imm(Alu::And, 1, 63));
            self.asm.push(Insn::alu(Alu::Rsh, 2, 1));
            self.asm.push(Insn::alu_imm(Alu::And, 2, exact));
        }
        self.asm.push(Insn::alu_imm(Alu::Add, 1, 1));
        if bits > 0 {
            self.asm.push(Insn::alu_imm(Alu::Lsh, 1, bits));
            self.asm.push(Insn::alu(Alu::Add, 1, 2));
        }
        self.asm.push(Insn::alu_imm(Alu::Add, 1, 1));
        self.asm.bind(done);
    }

    /// Turns the number in r2 into the index of its linear bucket, in r1; changes r3.
    fn linear_bucket(&mut self, min: i64, max: i64, step: i64) {
        let (done, inside) = (self.asm.label(), self.asm.label());
        let last = aggregate::buckets(Agg::Lhist { min, max, step }).saturating_sub(1);
        self.asm.constant(1, 0);
        self.asm.constant(3, min);
        self.asm.jump(Insn::jump_reg(Cond::SLt, 2, 3), done);
        self.asm.constant(1, i64::from(last));
        self.asm.constant(3, max);
        self.asm.jump(Insn::jump_reg(Cond::SLt, 2, 3), inside);
        self.asm.goto(done);
        self.asm.bind(inside);
        self.asm.mov(1, 2);
        self.asm.constant(3, min);
        self.asm.push(Insn::alu(Alu::Sub, 1, 3));
        self.asm.constant(3, step.max(1));
        self.asm.push(Insn::alu(Alu::Div, 1, 3));
        self.asm.push(Insn::alu_imm(Alu::Add, 1, 1));
        self.asm.bind(done);
    }

    /// Counts the bucket in r1 of the shard that r0 points to.
    fn count_bucket(&mut self, agg: Agg) {
        let last = aggregate::buckets(agg).saturating_sub(1) as i32;
        let inside = self.asm.label();
        self.asm.jump(Insn::jump_imm(Cond::Le, 1, last), inside);
        self.asm.constant(1, i64::from(last));
        self.asm.bind(inside);
        self.asm.push(Insn::alu_imm(Alu::Lsh, 1, 3));
        self.asm.push(Insn::alu(Alu::Add, 0, 1));
        self.asm.constant(2, 1);
        self.asm.push(Insn::atomic_add(Size::B8, 0, 0, 2));
    }
}

//! An aggregation as a number, in the kernel: the shards of all CPUs, folded in a loop.
//!
//! `bpf_map_lookup_percpu_elem` (5.19) gives a CPU's shard, or nothing behind the last CPU or where the key is absent. Other
//! CPUs go on counting meanwhile, so the number is as exact as any that is read while it changes. The words of a shard are
//! those of [`crate::aggregate`]. Where message clauses count too, theirs is one shard more, in a map of its own.

use reel_lang::hir::{Expr, MapId};
use reel_lang::span::Span;
use reel_lang::ty::{Agg, IntTy};

use super::{Lower, Val};
use crate::aggregate;
use crate::ir::{Arg, At, BinaryOp, CompareOp, Inst, Reg, RegTy};
use crate::lower::Lowered;

/// BPF_FUNC_map_lookup_percpu_elem
const LOOKUP_SHARD: u32 = 195;
/// How many CPUs are looked at where nobody counted them; the verifier wants an end, and each one costs it time.
const SOME_CPUS: u32 = 128;

impl Lower<'_> {
    /// The number that an aggregation stands for: 0 where nothing was counted.
    pub(super) fn aggregate_value(&mut self, map: MapId, key: &[Expr], agg: Agg, span: Span) -> Lowered<Val> {
        let signed = match agg {
            Agg::Count => false,
            Agg::Sum { signed } | Agg::Min { signed } | Agg::Max { signed } | Agg::Avg { signed } => signed,
            _ => return self.cannot(span, "statistics and histograms are no number: print them"),
        };
        let ty = RegTy::Int(if signed { IntTy::I64 } else { IntTy::U64 });
        let key = self.key(map, key, span)?;
        let native = self.native_shard(map);
        let map = self.map(map);
        let cpus = match self.cx.options.cpus {
            0 => SOME_CPUS,
            counted => counted,
        };
        let [total, seen, cpu] = [ty, ty, RegTy::Int(IntTy::U64)].map(|ty| self.b.constant(ty, 0, span));
        let [again, look, fold, end] = [(); 4].map(|()| self.b.block());
        self.b.jump(again);
        self.b.at(again);
        let more = self.b.compare_const(CompareOp::Lt, cpu, i64::from(cpus), span);
        self.b.branch(more, look, end);
        self.b.at(look);
        let shard = self.b.reg(RegTy::Btf);
        let args = vec![Arg::Map(map), Arg::At(key), Arg::Reg(cpu)];
        self.b.push(Inst::Helper { dst: Some(shard), helper: LOOKUP_SHARD, args }, span);
        let found = self.b.compare_const(CompareOp::Ne, shard, 0, span);
        self.b.branch(found, fold, end);
        self.b.at(fold);
        let word = |this: &mut Self, offset| {
            let dst = this.b.reg(ty);
            this.b.push(Inst::Follow { dst, base: shard, offset }, span);
            dst
        };
        self.fold_shard(agg, &word, total, seen, span);
        let src = self.b.binary_const(BinaryOp::Add, cpu, 1, span);
        self.b.push(Inst::Copy { dst: cpu, src }, span);
        self.b.jump(again);
        self.b.at(end);
        if let Some(native) = native {
            let to = self.b.buf(aggregate::len_bytes(agg));
            self.b.push(Inst::MapGet { map: native, key, to, found: None }, span);
            // Zeroes where the key is absent, which is what an empty shard has.
            let word = |this: &mut Self, offset| this.b.load(ty, At { offset: to.offset + offset, ..to }, span);
            self.fold_shard(agg, &word, total, seen, span);
        }
        Ok(Val::Reg(match agg {
            Agg::Avg { .. } => self.b.binary(BinaryOp::Div, total, seen, span),
            _ => total,
        }))
    }

    /// Folds one shard, of which `word` gives the word at an offset, into the total and into how much was seen.
    fn fold_shard(&mut self, agg: Agg, word: &dyn Fn(&mut Self, u32) -> Reg, total: Reg, seen: Reg, span: Span) {
        let add = |this: &mut Self, dst: Reg, more: Reg| {
            let src = this.b.binary(BinaryOp::Add, dst, more, span);
            this.b.push(Inst::Copy { dst, src }, span);
        };
        let first = word(self, 0);
        match agg {
            Agg::Min { .. } | Agg::Max { .. } => {
                let has = word(self, 8);
                let [some, wins, skip] = [(); 3].map(|()| self.b.block());
                let has = self.b.compare_const(CompareOp::Ne, has, 0, span);
                self.b.branch(has, some, skip);
                self.b.at(some);
                let op = if matches!(agg, Agg::Min { .. }) { CompareOp::Lt } else { CompareOp::Gt };
                let better = self.b.compare(op, first, total, span);
                let none = self.b.compare_const(CompareOp::Eq, seen, 0, span);
                let take = self.b.binary(BinaryOp::Or, better, none, span);
                self.b.branch(take, wins, skip);
                self.b.at(wins);
                self.b.push(Inst::Copy { dst: total, src: first }, span);
                self.b.push(Inst::Const { dst: seen, value: 1 }, span);
                self.b.jump(skip);
                self.b.at(skip);
            }
            Agg::Avg { .. } => {
                let count = word(self, 8);
                add(self, total, first);
                add(self, seen, count);
            }
            _ => add(self, total, first),
        }
    }
}

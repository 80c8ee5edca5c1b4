//! Many syscall tracepoints as one raw tracepoint.
//!
//! The program sees every syscall, so the first thing it does is to look for the number in the set of those asked for: a
//! binary search over runs of neighbouring numbers, in code. Sorted points have neighbouring `probe` indexes, so a run
//! has one difference between number and index.

use reel_lang::env::AttachPoint;
use reel_lang::ty::IntTy;

use super::{Lower, Which};
use crate::ir::{BinaryOp, Block, CompareOp, Inst, Reg, RegTy};

/// Neighbouring syscall numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    /// The `probe` index of `first`.
    index: u32,
}

/// The raw tracepoint that stands for these points.
pub(super) fn tracepoint(points: &[AttachPoint]) -> Option<&'static str> {
    let first = points.first()?;
    first.args.syscall?;
    let exit = first.target.iter().chain([&first.name]).any(|part| part.contains("sys_exit"));
    Some(if exit { "sys_exit" } else { "sys_enter" })
}

/// The runs of sorted syscall numbers.
fn runs(points: &[AttachPoint], first_index: u32) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (point, index) in points.iter().zip(first_index..) {
        let Some(number) = point.args.syscall else {
            continue;
        };
        match runs.last_mut() {
            Some(run) if run.last + 1 == number => run.last = number,
            _ => runs.push(Run { first: number, last: number, index }),
        }
    }
    runs
}

impl Lower<'_> {
    /// Returns from the program unless the syscall is one of the points; leaves the index of its name where it is wanted.
    pub(super) fn dispatch(&mut self, first_index: u32, wants_probe: bool) {
        let span = self.cx.clause.span;
        let number = self.syscall_number(span);
        let which = wants_probe.then(|| {
            let reg = self.b.int(IntTy::U64);
            self.which = Which::Reg(reg);
            reg
        });
        let (found, missed) = (self.b.block(), self.b.block());
        let runs = runs(self.cx.points, first_index);
        self.search(&runs, number, which, found, missed);
        self.b.at(missed);
        self.give(0, span);
        self.b.at(found);
    }

    fn search(&mut self, runs: &[Run], number: Reg, which: Option<Reg>, found: Block, missed: Block) {
        let span = self.cx.clause.span;
        let Some((middle, run)) = runs.get(runs.len() / 2).map(|run| (runs.len() / 2, *run)) else {
            self.b.jump(missed);
            return;
        };
        let (below, above, from, hit) = (self.b.block(), self.b.block(), self.b.block(), self.b.block());
        let less = self.b.compare_const(CompareOp::Lt, number, i64::from(run.first), span);
        self.b.branch(less, below, from);
        self.b.at(from);
        let more = self.b.compare_const(CompareOp::Gt, number, i64::from(run.last), span);
        self.b.branch(more, above, hit);
        self.b.at(hit);
        if let Some(dst) = which {
            let shift = i64::from(run.index) - i64::from(run.first);
            let src = self.b.binary_const(BinaryOp::Add, number, shift, span);
            self.b.push(Inst::Copy { dst, src }, span);
        }
        self.b.jump(found);
        self.b.at(below);
        self.search(&runs[..middle], number, which, found, missed);
        self.b.at(above);
        self.search(&runs[middle + 1..], number, which, found, missed);
    }

    /// The number of the syscall, out of the second argument of `sys_enter` or the registers of `sys_exit`.
    fn syscall_number(&mut self, span: reel_lang::span::Span) -> Reg {
        if super::fold::tracepoint(self.cx.points) == Some("sys_exit") {
            return self.saved_register(super::args::platform::SYSCALL_NUMBER, span);
        }
        let dst = self.b.reg(RegTy::Int(IntTy::U64));
        self.b.push(Inst::Context { dst, offset: 8 }, span);
        dst
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_lang::env::{ArgsLayout, ProbeKind};
    use std::sync::Arc;

    fn point(number: u32) -> AttachPoint {
        AttachPoint {
            kind: ProbeKind::Tracepoint,
            name: format!("tracepoint:syscalls:sys_enter_{number}"),
            target: vec!["syscalls".into(), format!("sys_enter_{number}")],
            args: Arc::new(ArgsLayout { args: Vec::new(), syscall: Some(number) }),
        }
    }

    #[test]
    fn neighbours_are_one_run() {
        let points: Vec<_> = [3, 4, 5, 9, 10].map(point).into();
        let found: Vec<_> = runs(&points, 7).iter().map(|r| (r.first, r.last, r.index)).collect();
        assert_eq!(found, [(3, 5, 7), (9, 10, 10)]);
        assert_eq!(tracepoint(&points), Some("sys_enter"));
    }
}

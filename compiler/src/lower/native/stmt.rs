//! Statements of native clauses.

use reel_lang::hir::{Expr, ExprKind, MapId, Stmt, StmtKind, VarId};
use reel_lang::span::Span;
use reel_lang::ty::{Agg, IntTy, Ty};

use super::Lower;
use crate::ir::{BinaryOp, Block, CompareOp, HostOp, Inst, RegTy, Terminator, ValueTy};
use crate::lower::{Lowered, walk};

/// The most rounds that all loops of a clause make together for one message, as many as the kernel lets `bpf_loop` make. Then the
/// clause ends, and the host is told by a call of [`LOOP_CUT`]: a clause without an end would hold up everything.
pub const MAX_ROUNDS: i64 = 1 << 23;
/// What the host is called with where a clause made more. No script can name it.
pub const LOOP_CUT: &str = "loop cut";

/// Whether there is a loop in statements, also in a block that is a value.
pub(super) fn has_loop(stmts: &[Stmt]) -> bool {
    let is_loop = |stmt: &Stmt| matches!(stmt.kind, StmtKind::While { .. } | StmtKind::ForRange { .. });
    let mut found = stmts.iter().any(|stmt| is_loop(stmt) || walk::blocks(stmt).into_iter().any(has_loop));
    walk::stmts(stmts, &mut |expr| found |= matches!(&expr.kind, ExprKind::Block { body, .. } if has_loop(body)));
    found
}

/// Whether there is a loop in a block within an expression.
pub(super) fn has_loop_within(expr: &Expr) -> bool {
    let mut found = false;
    walk::expr(expr, &mut |expr| found |= matches!(&expr.kind, ExprKind::Block { body, .. } if has_loop(body)));
    found
}

impl Lower<'_> {
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) -> Lowered<()> {
        stmts.iter().try_for_each(|stmt| if self.b.is_open() { self.stmt(stmt) } else { Ok(()) })
    }

    fn stmt(&mut self, stmt: &Stmt) -> Lowered<()> {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::Assign { var, value } => {
                let src = self.value(value)?;
                self.set(*var, src, span);
                Ok(())
            }
            StmtKind::MapSet { map, key, value } => self.update(*map, key, Some(value), HostOp::MapSet, span),
            StmtKind::MapAdd { map, key, delta } => self.update(*map, key, Some(delta), HostOp::MapAdd, span),
            StmtKind::MapAggregate { map, key, agg, value } => {
                let agg = self.agreed(*map, *agg);
                self.update(*map, key, value.as_ref(), |map| HostOp::MapAggregate(map, agg), span)
            }
            StmtKind::Expr(expr) => self.value(expr).map(|_| ()),
            StmtKind::If { condition, then, otherwise } => self.if_else(condition, then, otherwise),
            StmtKind::While { condition, body } => self.while_loop(condition, body),
            StmtKind::ForRange { var, from, to, body } => self.for_range(*var, from, to, body, span),
            StmtKind::Break => self.leave(span, |(_, end)| end),
            StmtKind::Continue => self.leave(span, |(again, _)| again),
            StmtKind::Return(_) => {
                self.leave_clause(span);
                Ok(())
            }
            // Whoever runs the rule asks for its actions one by one.
            StmtKind::Action(_) => Ok(()),
        }
    }

    fn set(&mut self, var: VarId, src: crate::ir::Reg, span: Span) {
        if let Some(dst) = self.vars.get(var.0 as usize).copied() {
            self.b.push(Inst::Copy { dst, src }, span);
        }
    }

    /// The aggregation that all uses of a map agree on.
    fn agreed(&self, map: MapId, agg: Agg) -> Agg {
        match self.program.maps.iter().find(|known| known.id == map).map(|map| &map.value) {
            Some(Ty::Agg(agreed)) => *agreed,
            _ => agg,
        }
    }

    fn update(
        &mut self,
        map: MapId,
        key: &[Expr],
        value: Option<&Expr>,
        op: impl Fn(u32) -> HostOp,
        span: Span,
    ) -> Lowered<()> {
        let mut args = self.values(key)?;
        if let Some(value) = value {
            args.push(self.value(value)?);
        }
        let map = self.map(map);
        self.b.push(Inst::Host { dst: None, op: op(map), args }, span);
        Ok(())
    }

    fn if_else(&mut self, condition: &Expr, then: &[Stmt], otherwise: &[Stmt]) -> Lowered<()> {
        let (yes, no, end) = (self.b.block(), self.b.block(), self.b.block());
        self.condition(condition, yes, no)?;
        for (block, stmts) in [(yes, then), (no, otherwise)] {
            self.b.at(block);
            self.stmts(stmts)?;
            self.b.jump(end);
        }
        self.b.at(end);
        Ok(())
    }

    fn while_loop(&mut self, condition: &Expr, body: &[Stmt]) -> Lowered<()> {
        let (again, inside, end) = (self.b.block(), self.b.block(), self.b.block());
        self.b.jump(again);
        self.b.at(again);
        self.condition(condition, inside, end)?;
        self.b.at(inside);
        self.round(condition.span);
        self.loops.push((again, end));
        let done = self.stmts(body);
        self.loops.pop();
        done?;
        self.b.jump(again);
        self.b.at(end);
        Ok(())
    }

    fn for_range(&mut self, var: VarId, from: &Expr, to: &Expr, body: &[Stmt], span: Span) -> Lowered<()> {
        let ty = RegTy::Int(IntTy::I64);
        let counter = self.b.reg(ty);
        let from = self.number(from)?;
        let src = self.b.cast(from, ty, span);
        self.b.push(Inst::Copy { dst: counter, src }, span);
        let to = self.number(to)?;
        let to = self.b.cast(to, ty, span);
        let (again, inside, next, end) = (self.b.block(), self.b.block(), self.b.block(), self.b.block());
        self.b.jump(again);
        self.b.at(again);
        let more = self.b.compare(CompareOp::Lt, counter, to, span);
        self.b.branch(more, inside, end);
        self.b.at(inside);
        self.round(span);
        let value = self.number_value(counter, ValueTy::Int, span);
        self.set(var, value, span);
        self.loops.push((next, end));
        let done = self.stmts(body);
        self.loops.pop();
        done?;
        self.b.jump(next);
        self.b.at(next);
        let src = self.b.binary_const(BinaryOp::Add, counter, 1, span);
        self.b.push(Inst::Copy { dst: counter, src }, span);
        self.b.jump(again);
        self.b.at(end);
        Ok(())
    }

    fn leave_clause(&mut self, span: Span) {
        let zero = self.b.constant(RegTy::Int(IntTy::I64), 0, span);
        self.b.end(Terminator::Return(zero));
    }

    /// Counts a round of a loop, and ends the clause where there were too many.
    fn round(&mut self, span: Span) {
        let Some(rounds) = self.rounds else { return };
        let src = self.b.binary_const(BinaryOp::Add, rounds, 1, span);
        self.b.push(Inst::Copy { dst: rounds, src }, span);
        let is_over = self.b.compare_const(CompareOp::Gt, rounds, MAX_ROUNDS, span);
        let (over, on) = (self.b.block(), self.b.block());
        self.b.branch(is_over, over, on);
        self.b.at(over);
        self.b.push(Inst::Host { dst: None, op: HostOp::Call(LOOP_CUT), args: Vec::new() }, span);
        self.leave_clause(span);
        self.b.at(on);
    }

    fn leave(&mut self, span: Span, to: impl Fn((Block, Block)) -> Block) -> Lowered<()> {
        let Some(innermost) = self.loops.last().copied() else {
            return self.cannot(span, "there is no loop to leave");
        };
        self.b.jump(to(innermost));
        Ok(())
    }
}

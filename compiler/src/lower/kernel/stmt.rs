//! Statements of kernel clauses.

use reel_lang::hir::{Expr, ExprKind, Stmt, StmtKind, VarId};
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Ty};

use super::vars::Slot;
use super::{Lower, Val};
use crate::ir::{BinaryOp, CompareOp, Inst, RegTy, Terminator};
use crate::lower::{Lowered, walk};

/// Whether a tuple is made of the variable that it goes to: it is written part by part, and a part may be read after it was written.
fn reads_itself(var: VarId, value: &Expr) -> bool {
    let mut found = false;
    walk::expr(value, &mut |part| found |= part.kind == ExprKind::Var(var));
    found && matches!(value.ty, Ty::Tuple(_))
}

impl Lower<'_> {
    /// Lowers statements one after the other; what stands behind a `return` is dropped.
    pub(crate) fn stmts(&mut self, stmts: &[Stmt]) -> Lowered<()> {
        stmts.iter().try_for_each(|stmt| if self.b.is_open() { self.stmt(stmt) } else { Ok(()) })
    }

    fn stmt(&mut self, stmt: &Stmt) -> Lowered<()> {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::Assign { var, value } => self.assign(*var, value, span),
            StmtKind::MapSet { map, key, value } => self.map_set(*map, key, value, span),
            StmtKind::MapAdd { map, key, delta } => self.map_add(*map, key, delta, span),
            StmtKind::MapAggregate { map, key, agg, value } => {
                self.map_aggregate(*map, key, *agg, value.as_ref(), span)
            }
            StmtKind::Expr(expr) => self.value(expr).map(|_| ()),
            StmtKind::If { condition, then, otherwise } => self.if_else(condition, then, otherwise),
            StmtKind::While { condition, body } => self.while_loop(condition, body),
            StmtKind::ForRange { var, from, to, body } => self.for_range(*var, from, to, body, span),
            StmtKind::Break => self.leave(span, |(_, end)| end),
            StmtKind::Continue => self.leave(span, |(again, _)| again),
            StmtKind::Return(value) => self.return_(value.as_ref(), span),
            StmtKind::Action(_) => self.cannot(span, "an action stands only in a rule"),
        }
    }

    fn assign(&mut self, var: VarId, value: &Expr, span: Span) -> Lowered<()> {
        if matches!(value.kind, ExprKind::Call { function: "dynptr" | "room", .. }) {
            return Ok(());
        }
        match self.slot(var) {
            Some(Slot::Reg(dst)) => {
                let src = match self.value(value)? {
                    Val::Place(place) => self.pointer_to(place, span)?,
                    Val::Reg(reg) => reg,
                    Val::Mem(..) | Val::Nothing => {
                        return self.cannot(span, format!("a variable cannot hold a {}", value.ty));
                    }
                };
                let src = match self.b.ty(dst) {
                    RegTy::Bool => self.as_ty(src, &Ty::Bool, span),
                    RegTy::Btf => src,
                    ty => self.b.cast(src, ty, span),
                };
                self.b.push(Inst::Copy { dst, src }, span);
                Ok(())
            }
            Some(Slot::Mem(to, shape)) if reads_itself(var, value) => {
                let whole = self.b.buf(shape.len_bytes());
                self.store(value, whole, &shape)?;
                self.b.push(Inst::CopyBuf { to, from: whole, len_bytes: shape.len_bytes() }, span);
                Ok(())
            }
            Some(Slot::Mem(to, shape)) => self.store(value, to, &shape),
            None => self.cannot(span, "a variable without a place"),
        }
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
        self.loops.push((again, end));
        let done = self.stmts(body);
        self.loops.pop();
        done?;
        self.b.jump(again);
        self.b.at(end);
        Ok(())
    }

    /// `for $i : from..to`: the bounds are read once, and a change of `$i` inside does not change the count.
    fn for_range(&mut self, var: VarId, from: &Expr, to: &Expr, body: &[Stmt], span: Span) -> Lowered<()> {
        let counter_ty = RegTy::Int(IntTy::I64);
        let counter = self.b.reg(counter_ty);
        let from = self.scalar(from)?;
        let src = self.b.cast(from, counter_ty, span);
        self.b.push(Inst::Copy { dst: counter, src }, span);
        let to = self.scalar(to)?;
        let to = self.b.cast(to, counter_ty, span);
        let (again, inside, next, end) = (self.b.block(), self.b.block(), self.b.block(), self.b.block());
        self.b.jump(again);
        self.b.at(again);
        let more = self.b.compare(CompareOp::Lt, counter, to, span);
        self.b.branch(more, inside, end);
        self.b.at(inside);
        if let Some(Slot::Reg(dst)) = self.slot(var) {
            let src = self.b.cast(counter, self.b.ty(dst), span);
            self.b.push(Inst::Copy { dst, src }, span);
        }
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

    fn leave(
        &mut self,
        span: Span,
        to: impl Fn((crate::ir::Block, crate::ir::Block)) -> crate::ir::Block,
    ) -> Lowered<()> {
        let Some(innermost) = self.loops.last().copied() else {
            return self.cannot(span, "there is no loop to leave");
        };
        self.b.jump(to(innermost));
        Ok(())
    }

    fn return_(&mut self, value: Option<&Expr>, span: Span) -> Lowered<()> {
        let Some(value) = value else {
            self.give(self.default_result(), span);
            return Ok(());
        };
        let reg = self.number(value)?;
        self.b.end(Terminator::Return(reg));
        Ok(())
    }

    /// Returns a constant.
    pub(super) fn give(&mut self, result: i64, span: Span) {
        let reg = self.b.constant(RegTy::Int(IntTy::I64), result, span);
        self.b.end(Terminator::Return(reg));
    }
}

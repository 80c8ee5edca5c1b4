//! Where scratch variables are kept: numbers and pointers in registers, the rest in buffers.
//!
//! A variable whose first mention is an assignment in the outermost statements needs no value before; any other starts as
//! zero, since every path must have written a register before it is read.

use std::collections::HashSet;

use reel_lang::hir::{Expr, ExprKind, Stmt, StmtKind, VarId};
use reel_lang::ty::Ty;

use super::{Lower, trust};
use crate::ir::{At, Inst, Reg, RegTy};
use crate::lower::shape::Shape;
use crate::lower::walk;

/// Where a variable is kept.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Reg(Reg),
    Mem(At, Shape),
}

impl Lower<'_> {
    /// Makes room for every variable of the clause.
    pub(super) fn declare_vars(&mut self) {
        let clause = self.cx.clause;
        let trusted = trust::trusted_vars(self.cx);
        let unset = unset(clause.predicate.as_ref(), &clause.body);
        for (index, var) in clause.vars.iter().enumerate() {
            let id = VarId(index as u32);
            let slot = self.declare(id, &var.ty, trusted.contains(&id));
            if unset.contains(&id) {
                self.clear(&slot);
            }
            self.vars.push(slot);
        }
    }

    fn declare(&mut self, id: VarId, ty: &Ty, trusted: bool) -> Slot {
        match ty {
            Ty::Ptr(..) | Ty::Struct(_) if trusted => Slot::Reg(self.b.reg(RegTy::Btf)),
            Ty::Struct(_) | Ty::Array(..) => Slot::Reg(self.b.reg(RegTy::Address(self.pointee_space()))),
            Ty::Dynptr => Slot::Mem(self.b.stack(16), Shape::of(ty)),
            ty if ty.is_scalar() => Slot::Reg(self.b.reg(super::memory::reg_ty(ty))),
            ty => {
                let shape = self.cx.shapes.var(self.cx.clause.id, id, ty);
                Slot::Mem(self.b.buf(shape.len_bytes().max(1)), shape)
            }
        }
    }

    fn clear(&mut self, slot: &Slot) {
        let span = self.cx.clause.span;
        match slot {
            Slot::Reg(dst) => self.b.push(Inst::Const { dst: *dst, value: 0 }, span),
            Slot::Mem(at, Shape::Bytes(16)) if at.offset == 0 => {}
            Slot::Mem(to, shape) => self.b.push(Inst::Zero { to: *to, len_bytes: shape.len_bytes() }, span),
        }
    }

    /// Where a variable is kept.
    pub(super) fn slot(&self, var: VarId) -> Option<Slot> {
        self.vars.get(var.0 as usize).cloned()
    }
}

/// The variables that may be read before they are assigned, as far as a glance tells.
fn unset(predicate: Option<&Expr>, body: &[Stmt]) -> HashSet<VarId> {
    let mut set = HashSet::new();
    let mut unset = HashSet::new();
    if let Some(predicate) = predicate {
        walk::expr(predicate, &mut |expr| mention(expr, &set, &mut unset));
    }
    for stmt in body {
        walk::stmts(std::slice::from_ref(stmt), &mut |expr| mention(expr, &set, &mut unset));
        match &stmt.kind {
            StmtKind::Assign { var, value } if !has_block(value) => {
                if !unset.contains(var) {
                    set.insert(*var);
                }
            }
            _ => assigned(std::slice::from_ref(stmt), &set, &mut unset),
        }
    }
    unset
}

fn mention(expr: &Expr, set: &HashSet<VarId>, unset: &mut HashSet<VarId>) {
    match &expr.kind {
        ExprKind::Var(var) if !set.contains(var) => {
            unset.insert(*var);
        }
        ExprKind::Block { body, .. } => assigned(body, set, unset),
        _ => {}
    }
}

/// Notes every variable that statements assign and that has no value before.
fn assigned(stmts: &[Stmt], set: &HashSet<VarId>, unset: &mut HashSet<VarId>) {
    for stmt in stmts {
        if let StmtKind::Assign { var, .. } | StmtKind::ForRange { var, .. } = &stmt.kind
            && !set.contains(var)
        {
            unset.insert(*var);
        }
        for inner in walk::blocks(stmt) {
            assigned(inner, set, unset);
        }
    }
}

fn has_block(expr: &Expr) -> bool {
    let mut found = false;
    walk::expr(expr, &mut |inner| found |= matches!(inner.kind, ExprKind::Block { .. }));
    found
}

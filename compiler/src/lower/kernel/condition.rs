//! Conditions: `&&`, `||` and `!` become branches, everything else a bool.

use reel_lang::hir::{BinaryOp, Expr, ExprKind, UnaryOp};

use super::{Lower, Val};
use crate::ir::{self, Block, CompareOp, Inst, Reg, RegTy};
use crate::lower::Lowered;
use crate::lower::shape::Shape;

impl Lower<'_> {
    /// Goes to one of two blocks by an expression. The builder is left in no open block.
    pub(crate) fn condition(&mut self, expr: &Expr, then: Block, otherwise: Block) -> Lowered<()> {
        if let Some(truth) = self.known(expr) {
            self.b.jump(if truth { then } else { otherwise });
            return Ok(());
        }
        match &expr.kind {
            ExprKind::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } => {
                let next = self.b.block();
                match op {
                    BinaryOp::And => self.condition(left, next, otherwise)?,
                    _ => self.condition(left, then, next)?,
                }
                self.b.at(next);
                self.condition(right, then, otherwise)
            }
            ExprKind::Unary { op: UnaryOp::Not, value } => self.condition(value, otherwise, then),
            _ => {
                let bool = self.boolean(expr)?;
                self.b.branch(bool, then, otherwise);
                Ok(())
            }
        }
    }

    /// Whether an expression holds, where that is known before the program runs. What it decides is not even compiled.
    fn known(&self, expr: &Expr) -> Option<bool> {
        match &expr.kind {
            ExprKind::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// An expression as a bool; a number is true unless it is 0.
    pub(crate) fn boolean(&mut self, expr: &Expr) -> Lowered<Reg> {
        let reg = match self.value(expr)? {
            Val::Reg(reg) => reg,
            Val::Place(place) => self.pointer_to(place, expr.span)?,
            Val::Mem(at, Shape::Text(_)) => {
                let byte = RegTy::Int(reel_lang::ty::IntTy { bits: 8, signed: false });
                self.b.load(byte, at, expr.span)
            }
            Val::Mem(..) | Val::Nothing => return self.cannot(expr.span, format!("a {} is no condition", expr.ty)),
        };
        Ok(match self.b.ty(reg) {
            RegTy::Bool => reg,
            _ => self.b.compare_const(CompareOp::Ne, reg, 0, expr.span),
        })
    }

    /// A bool from branches: for `&&` and `||` as values.
    pub(super) fn logic(&mut self, expr: &Expr) -> Lowered<Reg> {
        let dst = self.b.reg(RegTy::Bool);
        let (yes, no, end) = (self.b.block(), self.b.block(), self.b.block());
        self.condition(expr, yes, no)?;
        for (block, value) in [(yes, 1), (no, 0)] {
            self.b.at(block);
            self.b.push(Inst::Const { dst, value }, expr.span);
            self.b.jump(end);
        }
        self.b.at(end);
        Ok(dst)
    }

    /// `==`, `<` and their like.
    pub(super) fn comparison(&mut self, op: BinaryOp, left: &Expr, right: &Expr, expr: &Expr) -> Lowered<Reg> {
        let Some(op) = compare_op(op) else {
            return self.cannot(expr.span, "this is no comparison");
        };
        if left.ty.is_scalar() && right.ty.is_scalar() {
            return self.compare_scalars(op, left, right, expr);
        }
        let equal = self.equal(left, right, expr)?;
        match op {
            CompareOp::Eq => Ok(equal),
            CompareOp::Ne => {
                let dst = self.b.reg(RegTy::Bool);
                let op = ir::UnaryOp::Not;
                self.b.push(Inst::Unary { op, dst, src: equal }, expr.span);
                Ok(dst)
            }
            _ => self.cannot(expr.span, format!("values of type {} have no order in the kernel", left.ty)),
        }
    }

    fn compare_scalars(&mut self, op: CompareOp, left: &Expr, right: &Expr, expr: &Expr) -> Lowered<Reg> {
        let span = expr.span;
        let a = self.scalar(left)?;
        if let (RegTy::Btf, Some(number)) = (self.b.ty(a), constant(right)) {
            return Ok(self.b.compare_const(op, a, number, span));
        }
        let b = self.scalar(right)?;
        let (ta, tb) = (self.b.ty(a), self.b.ty(b));
        if ta == tb {
            return Ok(self.b.compare(op, a, b, span));
        }
        // Pointers of different knowledge, or a pointer and a number: as numbers.
        let to = match (ta, tb) {
            (RegTy::Int(int), _) | (_, RegTy::Int(int)) if int.bits == 64 => RegTy::Int(int),
            _ => RegTy::Int(reel_lang::ty::IntTy::U64),
        };
        let a = self.b.cast(a, to, span);
        let b = self.b.cast(b, to, span);
        Ok(self.b.compare(op, a, b, span))
    }
}

/// The number that an expression is, through casts.
fn constant(expr: &Expr) -> Option<i64> {
    match &expr.kind {
        ExprKind::Int(n) => Some(*n),
        ExprKind::Cast(inner) => constant(inner),
        _ => None,
    }
}

/// The comparison of the IR.
pub(crate) fn compare_op(op: BinaryOp) -> Option<CompareOp> {
    Some(match op {
        BinaryOp::Eq => CompareOp::Eq,
        BinaryOp::Ne => CompareOp::Ne,
        BinaryOp::Lt => CompareOp::Lt,
        BinaryOp::Le => CompareOp::Le,
        BinaryOp::Gt => CompareOp::Gt,
        BinaryOp::Ge => CompareOp::Ge,
        _ => return None,
    })
}

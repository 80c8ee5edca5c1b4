//! Conditions and comparisons of native clauses.
//!
//! `!=` is the exact negation of `==` and `!~` of `=~`, also on nil; an order with nil is false, and nothing here turns
//! `!(a < b)` into `a >= b`.

use reel_lang::hir::{BinaryOp, Expr, ExprKind, Pattern, UnaryOp};
use reel_lang::span::Span;
use reel_lang::ty::Ty;

use super::Lower;
use super::expr::{is_number, strip};
use crate::ir::{self, Block, CompareOp, HostOp, Inst, Reg, RegTy};
use crate::lower::Lowered;
use crate::lower::kernel::compare_op;

impl Lower<'_> {
    /// Goes to one of two blocks by an expression.
    pub(super) fn condition(&mut self, expr: &Expr, then: Block, otherwise: Block) -> Lowered<()> {
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

    /// An expression as a bool: a value is true where its number is not 0.
    pub(super) fn boolean(&mut self, expr: &Expr) -> Lowered<Reg> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Bool(value) => Ok(self.b.constant(RegTy::Bool, i64::from(*value), span)),
            ExprKind::Binary { op: BinaryOp::And | BinaryOp::Or, .. } => self.logic(expr),
            ExprKind::Binary { op, left, right } => match compare_op(*op) {
                Some(op) => self.compare(op, left, right, span),
                None => self.nonzero(expr),
            },
            ExprKind::Unary { op: UnaryOp::Not, value } => {
                let src = self.boolean(value)?;
                Ok(self.not(src, span))
            }
            ExprKind::Match { value, pattern, negated } => self.matches(value, pattern, *negated, span),
            ExprKind::Noise { class, value } => {
                let value = self.value(value)?;
                let Some(class) = self.program.noise.iter().find(|known| known.id == *class) else {
                    return self.cannot(span, "the noise class does not exist");
                };
                let outer = self.param.replace(value);
                let holds = self.boolean(&class.body);
                self.param = outer;
                holds
            }
            ExprKind::Cast(inner) if expr.ty == Ty::Bool => self.boolean(inner),
            _ => self.nonzero(expr),
        }
    }

    fn nonzero(&mut self, expr: &Expr) -> Lowered<Reg> {
        let number = if is_number(expr) {
            self.number(expr)?
        } else {
            let value = self.value(expr)?;
            let dst = self.b.int(reel_lang::ty::IntTy::I64);
            self.b.push(Inst::ToInt { dst, value }, expr.span);
            dst
        };
        Ok(self.b.compare_const(CompareOp::Ne, number, 0, expr.span))
    }

    fn logic(&mut self, expr: &Expr) -> Lowered<Reg> {
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

    fn not(&mut self, src: Reg, span: Span) -> Reg {
        let dst = self.b.reg(RegTy::Bool);
        let op = ir::UnaryOp::Not;
        self.b.push(Inst::Unary { op, dst, src }, span);
        dst
    }

    fn matches(&mut self, value: &Expr, pattern: &Pattern, negated: bool, span: Span) -> Lowered<Reg> {
        let value = self.value(value)?;
        let pattern = self.tables.pattern(pattern);
        let dst = self.b.reg(RegTy::Bool);
        self.b.push(Inst::Matches { dst, value, pattern }, span);
        Ok(if negated { self.not(dst, span) } else { dst })
    }

    fn compare(&mut self, op: CompareOp, left: &Expr, right: &Expr, span: Span) -> Lowered<Reg> {
        let (left, right) = (strip_any(left), strip_any(right));
        if let (true, ExprKind::Nil) = (is_equality(op), &right.kind) {
            let value = self.value(left)?;
            let dst = self.b.reg(RegTy::Bool);
            self.b.push(Inst::IsNil { dst, value }, span);
            return Ok(self.as_asked(op, dst, span));
        }
        match (is_number(left), is_number(right)) {
            (true, true) => {
                let a = self.number(left)?;
                let b = self.number(right)?;
                let b = self.b.cast(b, self.b.ty(a), span);
                return Ok(self.b.compare(op, a, b, span));
            }
            (false, true) => return self.compare_number(op, left, right, span),
            (true, false) => return self.compare_number(mirrored(op), right, left, span),
            (false, false) => {}
        }
        let text = match (&strip(left).kind, &strip(right).kind) {
            (_, ExprKind::Str(text)) => Some((left, text)),
            (ExprKind::Str(text), _) => Some((right, text)),
            _ => None,
        };
        if let (true, Some((value, text))) = (is_equality(op), text) {
            let value = self.value(value)?;
            let data = self.tables.data(text);
            let dst = self.b.reg(RegTy::Bool);
            self.b.push(Inst::TextEqual { dst, value, data }, span);
            return Ok(self.as_asked(op, dst, span));
        }
        let args = vec![self.value(left)?, self.value(right)?];
        if is_equality(op) {
            let equal = self.ask(HostOp::Equal, args, span);
            return Ok(self.as_asked(op, equal, span));
        }
        Ok(self.ask(HostOp::Compare(op), args, span))
    }

    /// A value with a number: false in every order where it is none.
    fn compare_number(&mut self, op: CompareOp, value: &Expr, number: &Expr, span: Span) -> Lowered<Reg> {
        let value = self.value(value)?;
        let number = self.number(number)?;
        let dst = self.b.reg(RegTy::Bool);
        self.b.push(Inst::CompareInt { op, dst, value, number }, span);
        Ok(dst)
    }

    /// Equality as `==` or `!=`.
    fn as_asked(&mut self, op: CompareOp, equal: Reg, span: Span) -> Reg {
        if op == CompareOp::Ne { self.not(equal, span) } else { equal }
    }
}

fn is_equality(op: CompareOp) -> bool {
    matches!(op, CompareOp::Eq | CompareOp::Ne)
}

/// The comparison with its sides exchanged.
fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        same => same,
    }
}

/// Looks through casts that widen, or that only say that the other side's kind is known at run time.
fn strip_any(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Cast(inner) if !is_number(expr) || is_number(inner) && expr.ty == Ty::Any => strip_any(inner),
        _ => expr,
    }
}

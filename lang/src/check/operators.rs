//! Operators: arithmetic, bits and logic. Comparisons are in `compare`, `=~` in `pattern`.
//!
//! Arithmetic is done in 64 bits. A literal takes the sign of the other side; two signs that clash give `int64`. Message
//! values are never coerced: text and values of run-time kind want an explicit `int(...)`.

use super::Checker;
use super::expr::{binary, stored_int};
use super::infer::{coerce, is_flexible, join, stored};
use crate::ast::{self, BinaryOp as Ast};
use crate::diagnostic::{Diagnostic, code};
use crate::hir::{self, BinaryOp, ExprKind, UnaryOp};
use crate::span::Span;
use crate::ty::{Agg, IntTy, Space, Ty};

impl<'a> Checker<'a> {
    /// Checks `left op right`.
    pub(super) fn binary_expr(&mut self, op: Ast, left: &'a ast::Expr, right: &'a ast::Expr, span: Span) -> hir::Expr {
        match op {
            Ast::Matches | Ast::NotMatches => self.matches(left, right, op == Ast::NotMatches, span),
            Ast::And | Ast::Or => {
                let left = self.condition(left);
                let right = self.condition(right);
                let op = if op == Ast::And { BinaryOp::And } else { BinaryOp::Or };
                binary(op, left, right, Ty::Bool, span)
            }
            _ => {
                let left = self.value(left);
                let right = self.value(right);
                self.binary(op, left, right, span)
            }
        }
    }

    /// Types an operator over two checked values; not for logic and patterns.
    pub(super) fn binary(&mut self, op: Ast, left: hir::Expr, right: hir::Expr, span: Span) -> hir::Expr {
        let (left, right) = (self.plain(left), self.plain(right));
        if left.ty == Ty::Error || right.ty == Ty::Error {
            return match op {
                Ast::Eq | Ast::Ne | Ast::Lt | Ast::Le | Ast::Gt | Ast::Ge => super::error_expr(span),
                _ => unknown_operand(left, right, span),
            };
        }
        match op {
            Ast::Eq => self.compare(BinaryOp::Eq, left, right, span),
            Ast::Ne => self.compare(BinaryOp::Ne, left, right, span),
            Ast::Lt => self.compare(BinaryOp::Lt, left, right, span),
            Ast::Le => self.compare(BinaryOp::Le, left, right, span),
            Ast::Gt => self.compare(BinaryOp::Gt, left, right, span),
            Ast::Ge => self.compare(BinaryOp::Ge, left, right, span),
            Ast::Add => self.arithmetic(BinaryOp::Add, left, right, span),
            Ast::Sub => self.arithmetic(BinaryOp::Sub, left, right, span),
            Ast::Mul => self.arithmetic(BinaryOp::Mul, left, right, span),
            Ast::Div => self.arithmetic(BinaryOp::Div, left, right, span),
            Ast::Rem => self.arithmetic(BinaryOp::Rem, left, right, span),
            Ast::BitAnd => self.arithmetic(BinaryOp::BitAnd, left, right, span),
            Ast::BitOr => self.arithmetic(BinaryOp::BitOr, left, right, span),
            Ast::BitXor => self.arithmetic(BinaryOp::BitXor, left, right, span),
            Ast::Shl => self.shift(BinaryOp::Shl, left, right, span),
            Ast::Shr => self.shift(BinaryOp::Shr, left, right, span),
            Ast::And | Ast::Or | Ast::Matches | Ast::NotMatches => super::error_expr(span),
        }
    }

    /// Reads an aggregation as the number it stands for; leaves anything else alone.
    pub(super) fn plain(&mut self, value: hir::Expr) -> hir::Expr {
        let ty = match value.ty {
            Ty::Agg(Agg::Count) => Ty::Int(IntTy::U64),
            Ty::Agg(Agg::Sum { signed } | Agg::Min { signed } | Agg::Max { signed } | Agg::Avg { signed }) => {
                Ty::Int(IntTy { bits: 64, signed })
            }
            _ => return value,
        };
        coerce(value, &ty)
    }

    /// Makes a 64-bit integer of a number-like value, or says that it is none.
    pub(super) fn integer(&mut self, value: hir::Expr) -> hir::Expr {
        let value = self.plain(value);
        match &value.ty {
            Ty::Error | Ty::Duration | Ty::Time => value,
            Ty::Bool => coerce(value, &Ty::Int(IntTy::I64)),
            Ty::Ptr(..) => coerce(value, &Ty::Int(IntTy::U64)),
            Ty::Int(_) | Ty::Enum(..) => {
                let ty = stored_int(&value.ty);
                coerce(value, &ty)
            }
            _ => self.not_a_number(&value),
        }
    }

    /// Reports a value that would have to be a number.
    pub(super) fn not_a_number(&mut self, value: &hir::Expr) -> hir::Expr {
        let code = match value.ty {
            Ty::Any | Ty::Str if !self.in_kernel() => code::NO_COERCION,
            _ => code::MISMATCH,
        };
        let mut diagnostic = Diagnostic::expected(code, value.span, "a number", value.ty.to_string());
        if code == code::NO_COERCION {
            diagnostic = diagnostic.hint("write `int(...)` around it, which gives nil where it is not a number");
        }
        self.fault(diagnostic)
    }

    fn arithmetic(&mut self, op: BinaryOp, left: hir::Expr, right: hir::Expr, span: Span) -> hir::Expr {
        if left.ty == Ty::Decimal || right.ty == Ty::Decimal {
            return self.not_yet(code::NOT_YET_DECIMAL, span, "arithmetic on numbers with a fraction");
        }
        if let (BinaryOp::Add | BinaryOp::Sub, Ty::Ptr(to, space)) = (op, &left.ty)
            && !matches!(right.ty, Ty::Ptr(..))
        {
            let (to, space) = ((**to).clone(), *space);
            return self.offset_pointer(op, left, right, (to, space), span);
        }
        let ty = arithmetic_type(op, &left, &right);
        let (left, right) = (self.integer(left), self.integer(right));
        if left.ty == Ty::Error || right.ty == Ty::Error {
            return super::error_expr(span);
        }
        let ty = ty.unwrap_or_else(|| int_type(&left, &right));
        binary(op, coerce(left, &ty), coerce(right, &ty), ty, span)
    }

    /// `$p + n` goes on by n elements, as in C.
    fn offset_pointer(
        &mut self,
        op: BinaryOp,
        left: hir::Expr,
        right: hir::Expr,
        (to, space): (Ty, Space),
        span: Span,
    ) -> hir::Expr {
        let right = self.integer(right);
        if right.ty == Ty::Error {
            return right;
        }
        let u64_ty = Ty::Int(IntTy::U64);
        let size = i64::from(self.size_of(&to).unwrap_or(1).max(1));
        let right = coerce(right, &u64_ty);
        let offset = if size == 1 {
            right
        } else {
            let size = hir::Expr { kind: ExprKind::Int(size), ty: u64_ty.clone(), span };
            binary(BinaryOp::Mul, right, size, u64_ty.clone(), span)
        };
        let sum = binary(op, coerce(left, &u64_ty), offset, u64_ty, span);
        coerce(sum, &Ty::Ptr(Box::new(to), space))
    }

    fn shift(&mut self, op: BinaryOp, left: hir::Expr, right: hir::Expr, span: Span) -> hir::Expr {
        let (left, right) = (self.integer(left), self.integer(right));
        if left.ty == Ty::Error || right.ty == Ty::Error {
            return super::error_expr(span);
        }
        let ty = match &left.ty {
            Ty::Int(_) => left.ty.clone(),
            _ => Ty::Int(IntTy::I64),
        };
        binary(op, coerce(left, &ty), coerce(right, &ty), ty, span)
    }

    /// Checks a prefix operator.
    pub(super) fn unary(&mut self, op: ast::UnaryOp, operand: &'a ast::Expr, span: Span) -> hir::Expr {
        match op {
            ast::UnaryOp::Not => {
                let value = self.condition(operand);
                unary(UnaryOp::Not, value, Ty::Bool, span)
            }
            ast::UnaryOp::Plus => {
                let value = self.value(operand);
                self.integer(value)
            }
            ast::UnaryOp::Neg => {
                let value = self.value(operand);
                if let (ExprKind::Decimal(digits), Ty::Decimal) = (&value.kind, &value.ty) {
                    let kind = ExprKind::Decimal(format!("-{digits}"));
                    return hir::Expr { kind, ty: Ty::Decimal, span };
                }
                self.negate(value, span)
            }
            ast::UnaryOp::BitNot => {
                let value = self.value(operand);
                let value = self.integer(value);
                let ty = value.ty.clone();
                unary(UnaryOp::BitNot, value, ty, span)
            }
            ast::UnaryOp::Deref => {
                let value = self.value(operand);
                self.deref(value, span)
            }
        }
    }

    /// `-value`
    pub(super) fn negate(&mut self, value: hir::Expr, span: Span) -> hir::Expr {
        let value = self.integer(value);
        let ty = match value.ty {
            Ty::Error => return value,
            Ty::Duration => Ty::Duration,
            _ => Ty::Int(IntTy::I64),
        };
        if let ExprKind::Int(n) = value.kind {
            return hir::Expr { kind: ExprKind::Int(n.wrapping_neg()), ty, span };
        }
        unary(UnaryOp::Neg, coerce(value, &ty), ty, span)
    }

    fn deref(&mut self, value: hir::Expr, span: Span) -> hir::Expr {
        let ty = match &value.ty {
            Ty::Error => return value,
            Ty::Ptr(to, _) if **to != Ty::Void => (**to).clone(),
            other => {
                let diagnostic = Diagnostic::expected(code::BAD_ACCESS, span, "a pointer", other.to_string())
                    .hint("cast it to a pointer first: `*(uint64 *)x`");
                return self.fault(diagnostic);
            }
        };
        hir::Expr { kind: ExprKind::Deref(Box::new(value)), ty, span }
    }
}

/// The type of an operation in which a duration takes part; a duration that is scaled or moved stays one.
fn arithmetic_type(op: BinaryOp, left: &hir::Expr, right: &hir::Expr) -> Option<Ty> {
    let int = Ty::Int(IntTy::I64);
    match (&left.ty, &right.ty, op) {
        (Ty::Duration, Ty::Duration, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Rem) => Some(Ty::Duration),
        (Ty::Duration, Ty::Duration, _) => Some(int),
        (Ty::Time, Ty::Time, BinaryOp::Sub) => Some(Ty::Duration),
        (Ty::Time, Ty::Duration | Ty::Int(_), BinaryOp::Add | BinaryOp::Sub) => Some(Ty::Time),
        (Ty::Duration, Ty::Int(_), _) => Some(Ty::Duration),
        (Ty::Int(_), Ty::Duration, BinaryOp::Mul) => Some(Ty::Duration),
        (Ty::Int(IntTy::U64), Ty::Duration, _) => Some(Ty::Int(IntTy::U64)),
        (Ty::Time | Ty::Duration, _, _) | (_, Ty::Time | Ty::Duration, _) => Some(int),
        _ => None,
    }
}

/// An operation with a map or variable whose type is still open: `@n = @n + 1` makes `@n` a number.
///
/// What this gives never gets into a program: the type that it leads to is known in the next pass.
fn unknown_operand(left: hir::Expr, right: hir::Expr, span: Span) -> hir::Expr {
    let is_open = |e: &hir::Expr| e.ty == Ty::Error && matches!(e.kind, ExprKind::MapGet { .. } | ExprKind::Var(_));
    let known = match (is_open(&left), is_open(&right)) {
        (true, false) => right,
        (false, true) => left,
        _ => return super::error_expr(span),
    };
    match known.ty {
        Ty::Int(_) => hir::Expr { span, ..known },
        _ => super::error_expr(span),
    }
}

/// The type of an operation on integers.
fn int_type(left: &hir::Expr, right: &hir::Expr) -> Ty {
    match (is_flexible(left), is_flexible(right)) {
        (true, false) => right.ty.clone(),
        (false, true) => left.ty.clone(),
        _ => join(&stored(&left.ty), &stored(&right.ty)).unwrap_or(Ty::Int(IntTy::I64)),
    }
}

/// Makes a unary expression.
fn unary(op: UnaryOp, value: hir::Expr, ty: Ty, span: Span) -> hir::Expr {
    if value.ty == Ty::Error {
        return value;
    }
    hir::Expr { kind: ExprKind::Unary { op, value: Box::new(value) }, ty, span }
}

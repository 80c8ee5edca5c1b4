//! Literals, positional parameters, and numbers that are known at compile time.

use super::Checker;
use crate::ast::{self, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code};
use crate::hir::{self, BinaryOp, ExprKind, UnaryOp};
use crate::span::Span;
use crate::ty::{IntTy, Ty};

impl<'a> Checker<'a> {
    /// Checks a literal.
    pub(super) fn literal(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        let span = expr.span;
        let (kind, ty) = match &expr.kind {
            Ast::Int { value, suffix } => {
                let signed = i64::try_from(*value).is_ok() && !suffix.unsigned;
                (ExprKind::Int(value.cast_signed()), Ty::Int(IntTy { bits: 64, signed }))
            }
            Ast::Size { bytes, .. } => (ExprKind::Int(bytes.cast_signed()), Ty::Int(IntTy::I64)),
            Ast::Duration { ns, .. } => (ExprKind::Int(ns.cast_signed()), Ty::Duration),
            Ast::Str(text) => (ExprKind::Str(text.clone()), Ty::Str),
            Ast::Bool(b) => (ExprKind::Bool(*b), Ty::Bool),
            Ast::Decimal(digits) => {
                if !self.native_only(span, "a number with a fraction") {
                    return super::error_expr(span);
                }
                (ExprKind::Decimal(digits.clone()), Ty::Decimal)
            }
            Ast::Nil | Ast::Null => {
                let is_nil = matches!(expr.kind, Ast::Nil);
                if !self.native_only(span, if is_nil { "`nil`" } else { "`null`" }) {
                    return super::error_expr(span);
                }
                if is_nil { (ExprKind::Nil, Ty::Nil) } else { (ExprKind::Null, Ty::Null) }
            }
            Ast::Positional(n) => return self.positional_number(*n, span),
            Ast::PositionalCount => {
                let count = i64::try_from(self.options.positional.len()).unwrap_or(i64::MAX);
                (ExprKind::Int(count), Ty::Int(IntTy::I64))
            }
            Ast::Percent(_) => {
                return self.fault(
                    Diagnostic::new(code::BAD_TOLERANCE, span, "a percentage stands only in `within(path, 1%)`")
                        .hint("write the number"),
                );
            }
            Ast::Regex(_) => {
                return self.fault(Diagnostic::new(
                    code::BAD_PATTERN,
                    span,
                    "a regular expression stands only right of `=~`",
                ));
            }
            _ => return super::error_expr(span),
        };
        hir::Expr { kind, ty, span }
    }

    /// Tells whether message values exist here, and reports where they do not.
    pub(super) fn native_only(&mut self, span: Span, what: &str) -> bool {
        if self.in_kernel() {
            self.report(
                Diagnostic::new(code::NATIVE_ONLY, span, format!("{what} does not exist in a kernel probe"))
                    .hint("use it in a clause on a message, such as `http:exchange`"),
            );
        }
        !self.in_kernel()
    }

    /// `$1` as a number; one that was not given is 0.
    fn positional_number(&mut self, n: u32, span: Span) -> hir::Expr {
        let text = self.positional(n).unwrap_or("0");
        let Some(number) = parse_number(text) else {
            return self.fault(
                Diagnostic::new(
                    code::POSITIONAL_NOT_NUMBER,
                    span,
                    format!("`${n}` is `{text}`, which is not a number"),
                )
                .hint(format!("write `str(${n})` for its text")),
            );
        };
        hir::Expr { kind: ExprKind::Int(number), ty: Ty::Int(IntTy::I64), span }
    }

    /// `$1` as text, where an argument is a text: `str($1)`. Also `$1 + n`, which leaves the first n bytes out.
    pub(super) fn positional_text(&mut self, expr: &'a ast::Expr) -> Option<hir::Expr> {
        let (n, skip) = match &expr.kind {
            Ast::Positional(n) => (*n, 0),
            Ast::Binary { op: ast::BinaryOp::Add, left, right } => match (&left.kind, &right.kind) {
                (Ast::Positional(n), Ast::Int { value, .. }) => (*n, *value),
                _ => return None,
            },
            _ => return None,
        };
        let text = self.positional(n).unwrap_or("").as_bytes();
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(text.len());
        let text = text.get(skip..).unwrap_or_default().to_vec();
        Some(hir::Expr { kind: ExprKind::Str(text), ty: Ty::Str, span: expr.span })
    }

    /// The number that an expression is known to be.
    pub(super) fn constant(&self, expr: &hir::Expr) -> Option<i64> {
        match &expr.kind {
            ExprKind::Int(n) => Some(*n),
            ExprKind::Bool(b) => Some(i64::from(*b)),
            ExprKind::Cast(inner) if matches!(expr.ty, Ty::Int(IntTy { bits: 64, .. }) | Ty::Duration) => {
                self.constant(inner)
            }
            ExprKind::Unary { op, value } => {
                let n = self.constant(value)?;
                match op {
                    UnaryOp::Neg => Some(n.wrapping_neg()),
                    UnaryOp::BitNot => Some(!n),
                    UnaryOp::Not => None,
                }
            }
            ExprKind::Binary { op, left, right } => fold(*op, self.constant(left)?, self.constant(right)?),
            _ => None,
        }
    }
}

/// Computes what needs no sign; division and comparison are left to run time.
fn fold(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::BitAnd => a & b,
        BinaryOp::BitOr => a | b,
        BinaryOp::BitXor => a ^ b,
        BinaryOp::Shl => a.wrapping_shl(u32::try_from(b & 63).ok()?),
        _ => return None,
    })
}

/// Reads a decimal, hexadecimal or octal number with an optional sign.
fn parse_number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(digits, 8).ok()?
    } else if digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().ok()?
    } else {
        return None;
    };
    let value = value.cast_signed();
    Some(if negative { value.wrapping_neg() } else { value })
}

/// The text of a literal.
pub(super) fn text_of(expr: &hir::Expr) -> Option<&[u8]> {
    match &expr.kind {
        ExprKind::Str(text) => Some(text),
        _ => None,
    }
}

/// Makes an integer literal.
pub(super) fn int(n: i64, span: Span) -> hir::Expr {
    hir::Expr { kind: ExprKind::Int(n), ty: Ty::Int(IntTy::I64), span }
}

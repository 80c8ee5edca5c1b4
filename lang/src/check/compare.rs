//! Comparisons: what may be compared with what, and the one type that both sides get.
//!
//! There is no coercion between text and numbers. A value whose kind is known at run time (JSON, a Redis reply) compares
//! with anything, by kind and value. `nil` and `null` have no order.

use super::Checker;
use super::expr::{binary, common, common_type, stored_int};
use super::infer::{coerce, is_char_array, is_flexible, is_message_value, join, stored};
use crate::diagnostic::{Diagnostic, code};
use crate::hir::{self, BinaryOp, ExprKind};
use crate::span::Span;
use crate::ty::{IntTy, Ty};

impl<'a> Checker<'a> {
    /// Types a comparison of two checked values, neither of which is an error.
    pub(super) fn compare(&mut self, op: BinaryOp, left: hir::Expr, right: hir::Expr, span: Span) -> hir::Expr {
        let is_equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let nothing = [&left, &right].into_iter().find(|e| matches!(e.ty, Ty::Nil | Ty::Null));
        if let Some((ty, place)) = nothing.map(|e| (e.ty.to_string(), e.span)) {
            if !is_equality {
                return self.fault(
                    Diagnostic::new(code::BAD_OPERANDS, span, format!("`{ty}` has no order"))
                        .secondary(place, ty)
                        .hint("compare it with `==` or `!=`"),
                );
            }
            let (left, right) = match left.ty {
                Ty::Nil | Ty::Null => (right, left),
                _ => (left, right),
            };
            return binary(op, left, right, Ty::Bool, span);
        }
        self.warn_bare_duration(&left, &right, span);
        match self.comparable(&left, &right, is_equality) {
            Some(ty) => binary(op, coerce(left, &ty), coerce(right, &ty), Ty::Bool, span),
            None => self.incomparable(&left, &right, is_equality, span),
        }
    }

    /// The type in which two values are compared; none if they cannot be.
    fn comparable(&self, left: &hir::Expr, right: &hir::Expr, is_equality: bool) -> Option<Ty> {
        let (a, b) = (&left.ty, &right.ty);
        let is_number = |ty: &Ty| ty.int().is_some();
        match (a, b) {
            (Ty::Any, other) | (other, Ty::Any) if is_message_value(other) => Some(Ty::Any),
            (Ty::Str, Ty::Str) if is_equality || !self.in_kernel() => Some(Ty::Str),
            (Ty::Str, other) | (other, Ty::Str) if is_char_array(other) && is_equality => Some(Ty::Str),
            (Ty::Str, Ty::Buf(_)) | (Ty::Buf(_), Ty::Str) if is_equality => Some(Ty::Str),
            (Ty::Bool, Ty::Bool) => Some(Ty::Bool),
            (Ty::Bool, Ty::Int(_)) | (Ty::Int(_), Ty::Bool) if !self.in_kernel() => None,
            (Ty::Decimal, Ty::Int(_) | Ty::Decimal) | (Ty::Int(_), Ty::Decimal) => Some(Ty::Decimal),
            (Ty::Ip, Ty::Ip) if is_equality => Some(Ty::Ip),
            (Ty::Ip, Ty::Str) if is_equality && is_ip(right) => Some(Ty::Ip),
            (Ty::Str, Ty::Ip) if is_equality && is_ip(left) => Some(Ty::Ip),
            (Ty::Duration, Ty::Duration) | (Ty::Time, Ty::Time) => Some(a.clone()),
            (Ty::Probe, _) | (_, Ty::Probe) => None,
            (a, b) if is_number(a) && is_number(b) => Some(number_type(left, right)),
            (Ty::Tuple(x), Ty::Tuple(y)) if x.len() == y.len() && is_equality => join(&stored(a), &stored(b)),
            (Ty::Array(..), Ty::Array(..)) | (Ty::Buf(_), Ty::Buf(_)) if a == b && is_equality => Some(a.clone()),
            (a, b) if a == b && is_equality && !matches!(a, Ty::Agg(_) | Ty::Struct(_) | Ty::Dynptr) => {
                common(left, right)
            }
            _ => None,
        }
    }

    fn incomparable(&mut self, left: &hir::Expr, right: &hir::Expr, is_equality: bool, span: Span) -> hir::Expr {
        let (a, b) = (&left.ty, &right.ty);
        let mixed = |x: &Ty, y: &Ty| matches!(x, Ty::Str) && y.int().is_some();
        let coerces = (mixed(a, b) || mixed(b, a)) && !self.in_kernel();
        let code = if coerces { code::NO_COERCION } else { code::BAD_OPERANDS };
        let message = if a == b && !is_equality {
            format!("values of type {a} have no order")
        } else {
            format!("{a} cannot be compared with {b}")
        };
        let diagnostic = Diagnostic::new(code, span, message)
            .secondary(left.span, a.to_string())
            .secondary(right.span, b.to_string());
        let text = if mixed(a, b) { left } else { right };
        self.fault(match (coerces, &text.kind) {
            (true, ExprKind::Str(_)) => diagnostic.hint("write the number without quotes"),
            (true, _) => diagnostic.hint("write `int(...)` around the text, which gives nil where it is not a number"),
            _ if matches!((a, b), (Ty::Bool, Ty::Int(_)) | (Ty::Int(_), Ty::Bool)) => {
                diagnostic.hint("write `true` or `false`")
            }
            _ if matches!((a, b), (Ty::Ip, Ty::Str) | (Ty::Str, Ty::Ip)) => {
                diagnostic.hint("write an address, such as \"10.0.0.1\" or \"::1\"")
            }
            _ => diagnostic,
        })
    }

    /// `latency > 20` compares with 20 nanoseconds, which nobody means.
    fn warn_bare_duration(&mut self, left: &hir::Expr, right: &hir::Expr, span: Span) {
        let bare =
            |e: &hir::Expr| matches!((&e.kind, &e.ty), (ExprKind::Int(n), Ty::Int(_)) if *n != 0).then_some(e.span);
        let place = match (&left.ty, &right.ty) {
            (Ty::Duration, Ty::Int(_)) => bare(right),
            (Ty::Int(_), Ty::Duration) => bare(left),
            _ => None,
        };
        if let Some(place) = place {
            let diagnostic = Diagnostic::new(code::BARE_DURATION, span, "a duration is compared with a bare number")
                .secondary(place, "this is in nanoseconds")
                .hint("write the unit: `20ms`");
            self.report(diagnostic);
        }
    }
}

/// The 64-bit type in which two numbers are compared.
fn number_type(left: &hir::Expr, right: &hir::Expr) -> Ty {
    let number = |ty: &Ty| match ty {
        Ty::Int(_) | Ty::Enum(..) => stored_int(ty),
        Ty::Ptr(..) => Ty::Int(IntTy::U64),
        other => other.int().map_or(Ty::Error, |int| stored(&Ty::Int(int))),
    };
    let (a, b) = (number(&left.ty), number(&right.ty));
    match common_type((&a, is_flexible(left)), (&b, is_flexible(right))) {
        Some(ty @ Ty::Int(_)) => ty,
        _ => Ty::Int(IntTy::I64),
    }
}

/// Whether a text literal is an address.
fn is_ip(expr: &hir::Expr) -> bool {
    super::literal::text_of(expr)
        .and_then(|text| std::str::from_utf8(text).ok())
        .is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}

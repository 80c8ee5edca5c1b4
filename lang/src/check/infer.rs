//! How types join: the type of a map or variable out of the types of what is stored in it.
//!
//! Integers in maps are 64 bits wide; a variable, and a part of a tuple, keeps the width of what is stored in it. A literal
//! that both signs can hold takes the other's type; two signs that clash give `int64`, as in bpftrace. Joins only widen
//! (nothing -> literal -> `uint64` -> `int64`; anything -> `any`), which is why the passes of the checker end.

use crate::hir;
use crate::span::Span;
use crate::ty::{Agg, IntTy, Ty};

/// Whether stored integers keep their width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// In a variable.
    Exact,
    /// In a map.
    Wide,
}

/// The type of a stored value, so far.
#[derive(Debug, Clone)]
pub(super) struct Infer {
    /// None until something was stored.
    pub(super) ty: Option<Ty>,
    /// Only non-negative literals were stored, so the sign is still open.
    pub(super) flexible: bool,
    /// What gave the type first.
    pub(super) span: Span,
}

impl Infer {
    /// Knows nothing yet.
    pub(super) fn unknown(span: Span) -> Self {
        Infer { ty: None, flexible: false, span }
    }

    /// The type so far; [`Ty::Error`] where nothing was stored yet.
    pub(super) fn current(&self) -> Ty {
        self.ty.clone().unwrap_or(Ty::Error)
    }

    /// Joins one more stored value in. `Ok(true)` where the type changed.
    ///
    /// # Errors
    /// The two types that have nothing in common.
    pub(super) fn join(&mut self, value: &hir::Expr, width: Width) -> Result<bool, (Ty, Ty)> {
        let incoming = match (&value.ty, width) {
            (Ty::Int(int), Width::Exact) => Ty::Int(*int),
            (ty, _) => stored(ty),
        };
        if incoming == Ty::Error {
            return Ok(false);
        }
        let flexible = is_flexible(value);
        let Some(ty) = &self.ty else {
            *self = Infer { ty: Some(incoming), flexible, span: value.span };
            return Ok(true);
        };
        let joined = match (ty, &incoming) {
            (Ty::Int(_), Ty::Int(_) | Ty::Ptr(..) | Ty::Duration | Ty::Time) if self.flexible => {
                Some(stored(&incoming))
            }
            (Ty::Int(int), Ty::Int(_)) if flexible && !holds(*int, value) => Some(Ty::Int(wide(*int))),
            (Ty::Int(_) | Ty::Ptr(..) | Ty::Duration | Ty::Time, Ty::Int(_)) if flexible => Some(ty.clone()),
            _ => join(ty, &incoming),
        };
        let Some(joined) = joined else {
            return Err((ty.clone(), incoming));
        };
        let still = self.flexible && flexible;
        let changed = joined != *ty || still != self.flexible;
        self.ty = Some(joined);
        self.flexible = still;
        Ok(changed)
    }
}

/// Whether a type can hold a non-negative literal.
fn holds(int: IntTy, value: &hir::Expr) -> bool {
    let bits = u32::from(int.bits) - u32::from(int.signed);
    matches!(value.kind, hir::ExprKind::Int(n) if n.unsigned_abs().checked_shr(bits).unwrap_or(0) == 0)
}

/// Whether an expression is a non-negative literal without a sign of its own.
pub(super) fn is_flexible(expr: &hir::Expr) -> bool {
    matches!((&expr.kind, &expr.ty), (hir::ExprKind::Int(n), Ty::Int(IntTy::I64)) if *n >= 0)
}

/// The type in which a value is kept in a map.
pub(super) fn stored(ty: &Ty) -> Ty {
    match ty {
        Ty::Int(int) => Ty::Int(wide(*int)),
        Ty::Tuple(items) => Ty::Tuple(items.iter().map(part).collect()),
        ty if is_char_array(ty) => Ty::Str,
        Ty::Nil | Ty::Null | Ty::Headers | Ty::Strings | Ty::List => Ty::Any,
        other => other.clone(),
    }
}

/// The type in which a part of a tuple is kept.
fn part(ty: &Ty) -> Ty {
    match ty {
        Ty::Int(_) => ty.clone(),
        other => stored(other),
    }
}

/// The 64-bit type of the same sign.
pub(super) fn wide(int: IntTy) -> IntTy {
    IntTy { bits: 64, ..int }
}

/// Whether a type is C's fixed buffer of text.
pub(super) fn is_char_array(ty: &Ty) -> bool {
    matches!(ty, Ty::Array(item, _) if matches!(**item, Ty::Int(IntTy { bits: 8, .. })))
}

/// The narrowest type that holds values of both, if there is one.
pub(super) fn join(a: &Ty, b: &Ty) -> Option<Ty> {
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Ty::Error, other) | (other, Ty::Error) => Some(other.clone()),
        (Ty::Int(x), Ty::Int(y)) if x.signed != y.signed => Some(Ty::Int(IntTy::I64)),
        (Ty::Int(x), Ty::Int(y)) => Some(Ty::Int(IntTy { bits: x.bits.max(y.bits), signed: x.signed })),
        (Ty::Enum(_, x), Ty::Enum(_, y) | Ty::Int(y)) | (Ty::Int(x), Ty::Enum(_, y)) => {
            join(&Ty::Int(wide(*x)), &Ty::Int(wide(*y)))
        }
        (Ty::Duration, Ty::Int(_)) | (Ty::Int(_), Ty::Duration) => Some(Ty::Int(IntTy::I64)),
        (Ty::Time, Ty::Int(_)) | (Ty::Int(_), Ty::Time) => Some(Ty::Int(IntTy::I64)),
        (Ty::Ptr(..), Ty::Ptr(..)) => join_pointers(a, b),
        (Ty::Tuple(x), Ty::Tuple(y)) if x.len() == y.len() => {
            x.iter().zip(y).map(|(x, y)| join(x, y)).collect::<Option<_>>().map(Ty::Tuple)
        }
        (Ty::Agg(x), Ty::Agg(y)) => join_aggs(*x, *y).map(Ty::Agg),
        (Ty::Any, other) | (other, Ty::Any) if is_message_value(other) => Some(Ty::Any),
        _ => None,
    }
}

/// A pointer to nothing known agrees with any pointer of its space.
fn join_pointers(a: &Ty, b: &Ty) -> Option<Ty> {
    match (a, b) {
        (Ty::Ptr(x, s), Ty::Ptr(y, t)) if s == t => match (&**x, &**y) {
            (Ty::Void, _) => Some(a.clone()),
            (_, Ty::Void) => Some(b.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn join_aggs(a: Agg, b: Agg) -> Option<Agg> {
    Some(match (a, b) {
        (Agg::Sum { signed: x }, Agg::Sum { signed: y }) => Agg::Sum { signed: x || y },
        (Agg::Min { signed: x }, Agg::Min { signed: y }) => Agg::Min { signed: x || y },
        (Agg::Max { signed: x }, Agg::Max { signed: y }) => Agg::Max { signed: x || y },
        (Agg::Avg { signed: x }, Agg::Avg { signed: y }) => Agg::Avg { signed: x || y },
        (Agg::Stats { signed: x }, Agg::Stats { signed: y }) => Agg::Stats { signed: x || y },
        _ => return None,
    })
}

/// Whether a value can stand in the place of one whose kind is known at run time.
pub(super) fn is_message_value(ty: &Ty) -> bool {
    matches!(
        ty,
        Ty::Any
            | Ty::Bool
            | Ty::Int(_)
            | Ty::Duration
            | Ty::Time
            | Ty::Str
            | Ty::Ip
            | Ty::Decimal
            | Ty::Headers
            | Ty::Strings
            | Ty::List
            | Ty::Nil
            | Ty::Null
            | Ty::Error
    )
}

/// Cuts a literal to a type's width, and gives it the type's sign.
pub(super) fn truncate(n: i64, int: IntTy) -> i64 {
    let unused = 64 - u32::from(int.bits.min(64));
    if int.signed { n.wrapping_shl(unused) >> unused } else { (n.cast_unsigned() << unused >> unused).cast_signed() }
}

/// Makes an expression one of the given type: a literal changes its type, anything else gets a cast.
pub(super) fn coerce(expr: hir::Expr, ty: &Ty) -> hir::Expr {
    if expr.ty == *ty || expr.ty == Ty::Error || *ty == Ty::Error {
        return expr;
    }
    let span = expr.span;
    match (expr.kind, ty) {
        (kind @ hir::ExprKind::Int(_), Ty::Int(IntTy { bits: 64, .. }) | Ty::Duration | Ty::Time)
            if matches!(expr.ty, Ty::Int(_) | Ty::Enum(..) | Ty::Duration) =>
        {
            hir::Expr { kind, ty: ty.clone(), span }
        }
        (hir::ExprKind::Tuple(items), Ty::Tuple(types)) if items.len() == types.len() => hir::Expr {
            kind: hir::ExprKind::Tuple(items.into_iter().zip(types).map(|(i, t)| coerce(i, t)).collect()),
            ty: ty.clone(),
            span,
        },
        (kind, _) => hir::Expr {
            kind: hir::ExprKind::Cast(Box::new(hir::Expr { kind, ty: expr.ty, span })),
            ty: ty.clone(),
            span,
        },
    }
}

//! `uid`, `gid`: the real user and group of the current process.

use reel_lang::env::{Builtin, Places};

use super::{U32, UNSIGNED, helper, value};
use crate::ir::BinaryOp;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::Expr;

pub(super) fn values() -> Vec<Builtin> {
    vec![value("uid", U32, Places::KERNEL, "The user id."), value("gid", U32, Places::KERNEL, "The group id.")]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, expr: &Expr) -> Lowered<Val> {
    // BPF_FUNC_get_current_uid_gid: the group in the upper half.
    let both = helper(lower, 15, Vec::new(), UNSIGNED, expr.span);
    let half = match name {
        "gid" => lower.b.binary_const(BinaryOp::Shr, both, 32, expr.span),
        _ => both,
    };
    Ok(Val::Reg(lower.as_ty(half, &expr.ty, expr.span)))
}

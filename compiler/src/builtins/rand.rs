//! `rand`: a pseudo-random number, another one at each use.

use reel_lang::env::{Builtin, Places};

use super::{U32, UNSIGNED, helper, value};
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::Expr;

pub(super) fn values() -> Vec<Builtin> {
    vec![value("rand", U32, Places::BOTH, "A pseudo-random number.")]
}

pub(super) fn kernel(lower: &mut Lower<'_>, _name: &'static str, expr: &Expr) -> Lowered<Val> {
    // BPF_FUNC_get_prandom_u32
    let result = helper(lower, 7, Vec::new(), UNSIGNED, expr.span);
    Ok(Val::Reg(lower.as_ty(result, &expr.ty, expr.span)))
}

//! `pid`, `tid`: the process and thread that the probe fired in, in the initial pid namespace.

use reel_lang::env::{Builtin, Places};

use super::{U32, UNSIGNED, helper, value};
use crate::ir::BinaryOp;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::Expr;

pub(super) fn values() -> Vec<Builtin> {
    vec![
        value("pid", U32, Places::KERNEL, "The process id (the kernel's tgid)."),
        value("tid", U32, Places::KERNEL, "The thread id (the kernel's pid)."),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, expr: &Expr) -> Lowered<Val> {
    // BPF_FUNC_get_current_pid_tgid: the process in the upper half.
    let both = helper(lower, 14, Vec::new(), UNSIGNED, expr.span);
    let half = match name {
        "pid" => lower.b.binary_const(BinaryOp::Shr, both, 32, expr.span),
        _ => both,
    };
    Ok(Val::Reg(lower.as_ty(half, &expr.ty, expr.span)))
}

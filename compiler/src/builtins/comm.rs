//! `comm`: the name of the current thread, at most 15 bytes (`TASK_COMM_LEN` with its NUL is 16).

use reel_lang::env::{Builtin, Places};
use reel_lang::ty::Ty;

use super::value;
use crate::ir::{Arg, Inst};
use crate::lower::shape::Shape;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::Expr;

/// The size of a thread's name in the kernel, NUL included.
pub(crate) const COMM_LEN_BYTES: u32 = 16;

pub(super) fn values() -> Vec<Builtin> {
    vec![value("comm", Ty::Str, Places::KERNEL, "The name of the current thread.")]
}

pub(super) fn kernel(lower: &mut Lower<'_>, _name: &'static str, expr: &Expr) -> Lowered<Val> {
    let to = lower.b.buf(COMM_LEN_BYTES);
    // BPF_FUNC_get_current_comm leaves what is behind the name as it was, on Linux 5.18 to 6.4: a key would differ in it.
    lower.b.push(Inst::Zero { to, len_bytes: COMM_LEN_BYTES }, expr.span);
    let args = vec![Arg::At(to), Arg::Imm(i64::from(COMM_LEN_BYTES))];
    lower.b.push(Inst::Helper { dst: None, helper: 16, args }, expr.span);
    Ok(Val::Mem(to, Shape::Text(COMM_LEN_BYTES)))
}

//! `cgroup`: the id of the current process's cgroup in the v2 hierarchy, which is the inode number of its directory.

use reel_lang::env::{Builtin, Places};

use super::{U64, UNSIGNED, helper, value};
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::Expr;

pub(super) fn values() -> Vec<Builtin> {
    vec![value("cgroup", U64, Places::KERNEL, "The id of the current cgroup (v2).")]
}

pub(super) fn kernel(lower: &mut Lower<'_>, _name: &'static str, expr: &Expr) -> Lowered<Val> {
    // BPF_FUNC_get_current_cgroup_id
    Ok(Val::Reg(helper(lower, 80, Vec::new(), UNSIGNED, expr.span)))
}

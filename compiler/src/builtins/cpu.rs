//! `cpu`, `numaid`: where the probe fired.

use reel_lang::env::{Builtin, Places};

use super::{U32, UNSIGNED, helper, value};
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::Expr;

pub(super) fn values() -> Vec<Builtin> {
    vec![
        value("cpu", U32, Places::KERNEL, "The number of the current CPU."),
        value("numaid", U32, Places::KERNEL, "The number of the current NUMA node."),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, expr: &Expr) -> Lowered<Val> {
    let number = match name {
        // BPF_FUNC_get_numa_node_id
        "numaid" => 42,
        // BPF_FUNC_get_smp_processor_id
        _ => 8,
    };
    let result = helper(lower, number, Vec::new(), UNSIGNED, expr.span);
    Ok(Val::Reg(lower.as_ty(result, &expr.ty, expr.span)))
}

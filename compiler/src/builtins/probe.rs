//! `probe`, `args`, `curtask`: what fired, with what, and in which task.

use reel_lang::env::{Builtin, Places};
use reel_lang::ty::{Space, Ty};

use super::{helper, value};
use crate::ir::RegTy;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::env::ProbeKind;
use reel_lang::hir::Expr;

pub(super) fn values() -> Vec<Builtin> {
    vec![
        value("probe", Ty::Probe, Places::BOTH, "The name of the probe that fired."),
        value("args", Ty::Args, Places::KERNEL, "The arguments of the probe."),
        value(
            "curtask",
            Ty::Ptr(Box::new(Ty::Struct("task_struct".to_owned())), Space::Kernel),
            Places::KERNEL,
            "The kernel's `struct task_struct` of the current thread.",
        ),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, expr: &Expr) -> Lowered<Val> {
    match name {
        "probe" => Ok(Val::Reg(lower.which(expr.span))),
        "curtask" => Ok(Val::Reg(match lower.kind() {
            // BPF_FUNC_get_current_task_btf
            ProbeKind::BtfTracepoint | ProbeKind::Fentry | ProbeKind::Fexit if lower.cx.options.typed_task => {
                helper(lower, 158, Vec::new(), RegTy::Btf, expr.span)
            }
            // BPF_FUNC_get_current_task
            _ => helper(lower, 35, Vec::new(), RegTy::Address(Space::Kernel), expr.span),
        })),
        _ => lower.cannot(expr.span, "`args` is no value by itself: name an argument, as `args.fd`"),
    }
}

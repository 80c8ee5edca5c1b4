//! `arg0` to `arg9`, `retval`: the arguments and the result of a function, or the words of a raw tracepoint.

use reel_lang::env::{Builtin, Places};

use super::{U64, value};
use crate::lower::{Lower, Lowered, Val};
use reel_lang::env::ProbeKind;
use reel_lang::hir::Expr;

/// The names in order of their number.
pub(crate) const ARGS: [&str; 10] = ["arg0", "arg1", "arg2", "arg3", "arg4", "arg5", "arg6", "arg7", "arg8", "arg9"];

pub(super) fn values() -> Vec<Builtin> {
    let mut values: Vec<_> = ARGS
        .iter()
        .map(|name| value(name, U64, Places::KERNEL, "An argument of the traced function, counted from 0."))
        .collect();
    values.push(value("retval", U64, Places::KERNEL, "The return value of the traced function."));
    values
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, expr: &Expr) -> Lowered<Val> {
    let span = expr.span;
    let kind = lower.kind();
    let Some(n) = ARGS.iter().position(|arg| *arg == name) else {
        return match kind {
            ProbeKind::Uretprobe | ProbeKind::Kretprobe => Ok(Val::Reg(lower.return_value(span))),
            _ if lower.is_syscall_exit() => Ok(Val::Reg(lower.context_word(8, span))),
            _ => lower.cannot(span, "only a return probe has a `retval`"),
        };
    };
    let n = n as u32;
    match kind {
        ProbeKind::Uprobe | ProbeKind::Kprobe => Ok(Val::Reg(lower.function_argument(n, span))),
        ProbeKind::RawTracepoint | ProbeKind::BtfTracepoint | ProbeKind::Fentry | ProbeKind::Fexit => {
            Ok(Val::Reg(lower.context_word(n * 8, span)))
        }
        _ => lower.cannot(span, format!("this kind of probe has no `{name}`; its arguments are `args.NAME`")),
    }
}

//! `nsecs`, `elapsed`, `jiffies`: time. Over a recording or a packet file the first two follow the messages' time.

use reel_lang::env::{Builtin, Places};

use super::{U64, UNSIGNED, helper, value};
use crate::ir::{BinaryOp, Inst};
use crate::lower::{Lower, Lowered, START, Val};
use reel_lang::hir::Expr;

pub(super) fn values() -> Vec<Builtin> {
    vec![
        value(
            "nsecs",
            U64,
            Places::BOTH,
            "Nanoseconds since boot, sleep not counted; over messages of the past, their time.",
        ),
        value("elapsed", U64, Places::BOTH, "Nanoseconds since the program started."),
        value("jiffies", U64, Places::KERNEL, "The kernel's tick count since boot."),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, expr: &Expr) -> Lowered<Val> {
    let span = expr.span;
    let now = match name {
        // BPF_FUNC_jiffies64
        "jiffies" => helper(lower, 118, Vec::new(), UNSIGNED, span),
        // BPF_FUNC_ktime_get_ns
        _ => helper(lower, 5, Vec::new(), UNSIGNED, span),
    };
    let result = match name {
        "elapsed" => {
            let map = lower.tables.own_map(START);
            let (key, to) = (lower.b.buf(8), lower.b.buf(8));
            lower.b.push(Inst::Zero { to: key, len_bytes: 8 }, span);
            lower.b.push(Inst::MapGet { map, key, to, found: None }, span);
            let start = lower.b.load(UNSIGNED, to, span);
            lower.b.binary(BinaryOp::Sub, now, start, span)
        }
        _ => now,
    };
    Ok(Val::Reg(lower.as_ty(result, &expr.ty, span)))
}

//! `int`, `strftime`: a value as another kind.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::Ty;

use super::{I64, call, pure};
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::Expr;

pub(super) fn functions() -> Vec<Function> {
    vec![
        pure(call(
            "int",
            &[Param::Value],
            Returns::Ty(I64),
            Places::NATIVE,
            [
                "The integer that a text holds, nil where it holds none.",
                "http:request /int(query[\"page\"]) == 2/ { @ = count(); }",
            ],
        )),
        pure(call(
            "strftime",
            &[Param::LiteralStr, Param::Int],
            Returns::Ty(Ty::Timestamp),
            Places::BOTH,
            [
                "The time of day of an `nsecs` value, by a strftime(3) format.",
                "begin { printf(\"%s\\n\", strftime(\"%H:%M:%S\", nsecs)); }",
            ],
        )),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    match (name, args) {
        // The format is applied where the value is printed; see `OutputArg::format`.
        ("strftime", [_, nsecs]) => Ok(Val::Reg(lower.number(nsecs)?)),
        _ => lower.cannot(expr.span, format!("a kernel probe cannot call `{name}`")),
    }
}

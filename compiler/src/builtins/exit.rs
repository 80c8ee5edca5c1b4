//! `exit`: ends the program after what was printed before it.

use reel_lang::env::{Function, Param, Places, Returns};

use super::call;
use crate::ir::OutputKind;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::Expr;

pub(super) fn functions() -> Vec<Function> {
    vec![Function {
        optional: 1,
        ..call(
            "exit",
            &[Param::Int],
            Returns::Nothing,
            Places::BOTH,
            ["Ends the program, with an exit code.", "begin { exit(3); }"],
        )
    }]
}

pub(super) fn kernel(lower: &mut Lower<'_>, _name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    lower.emit(OutputKind::Exit, args, expr.span)?;
    Ok(Val::Nothing)
}

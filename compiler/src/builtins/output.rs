//! `printf`, `errorf`, `warnf`, `print`, `time`: what a script says. The record goes to reel, which formats it.

use reel_lang::env::{Function, Param, Places, Returns};

use super::call;
use crate::ir::OutputKind;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::{Expr, ExprKind};

pub(super) fn functions() -> Vec<Function> {
    let formatted = |name, doc, example| Function {
        optional: 1,
        variadic: true,
        ..call(name, &[Param::Format, Param::Value], Returns::Nothing, Places::BOTH, [doc, example])
    };
    vec![
        formatted("printf", "Prints its arguments by a format.", "begin { printf(\"%d %s\\n\", 1, \"a\"); }"),
        formatted(
            "errorf",
            "Like printf, to standard error as an error with its place.",
            "begin { errorf(\"bad %d\\n\", 1); }",
        ),
        formatted(
            "warnf",
            "Like printf, to standard error as a warning with its place.",
            "begin { warnf(\"odd %d\\n\", 1); }",
        ),
        Function {
            optional: 2,
            ..call(
                "print",
                &[Param::Value, Param::Int, Param::Int],
                Returns::Nothing,
                Places::BOTH,
                [
                    "Prints a value, or a map: the largest `top` entries, each divided by `div`.",
                    "interval:s:1 { print(@m, 5); }",
                ],
            )
        },
        Function {
            optional: 1,
            ..call(
                "time",
                &[Param::LiteralStr],
                Returns::Nothing,
                Places::BOTH,
                [
                    "Prints the time of day by a strftime(3) format, `%H:%M:%S\\n` where none is given.",
                    "interval:s:1 { time(\"%H:%M\\n\"); }",
                ],
            )
        },
    ]
}

/// What `time()` prints by.
const TIME_FORMAT: &str = "%H:%M:%S\n";

/// What a call that is sent to reel says, and the arguments that go with it; none for any other function.
pub(crate) fn output<'a>(name: &str, args: &'a [Expr]) -> Option<(OutputKind, &'a [Expr])> {
    let text = |arg: &Expr| match &arg.kind {
        ExprKind::Str(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    let map = |arg: &Expr| match arg.kind {
        ExprKind::Map(map) => Some(map),
        _ => None,
    };
    let (first, rest) = match args.split_first() {
        Some((first, rest)) => (Some(first), rest),
        None => (None, args),
    };
    let kind = match (name, first) {
        ("time", None) => OutputKind::Time(TIME_FORMAT.to_owned()),
        ("time", Some(format)) => OutputKind::Time(text(format)?),
        ("printf", Some(format)) => OutputKind::Printf(text(format)?),
        ("errorf", Some(format)) => OutputKind::Errorf(text(format)?),
        ("warnf", Some(format)) => OutputKind::Warnf(text(format)?),
        ("clear", Some(arg)) => OutputKind::ClearMap(map(arg)?),
        ("zero", Some(arg)) => OutputKind::ZeroMap(map(arg)?),
        ("exit", _) => return Some((OutputKind::Exit, args)),
        ("print", Some(arg)) => match map(arg) {
            Some(map) => OutputKind::PrintMap(map),
            None => return Some((OutputKind::PrintValue, args)),
        },
        _ => return None,
    };
    Some((kind, rest))
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let Some((kind, rest)) = output(name, args) else {
        return lower.cannot(expr.span, format!("`{name}` wants other arguments"));
    };
    // reel itself prints and clears a map, wherever its entries are: that is no use of it in the kernel.
    lower.emit(kind, rest, expr.span)?;
    Ok(Val::Nothing)
}

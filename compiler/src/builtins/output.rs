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

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let text = |arg: Option<&Expr>| match arg.map(|arg| &arg.kind) {
        Some(ExprKind::Str(text)) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    let (kind, rest) = match (name, args) {
        ("time", args) => (OutputKind::Time(text(args.first()).unwrap_or_else(|| TIME_FORMAT.to_owned())), &[][..]),
        ("print", [Expr { kind: ExprKind::Map(map), .. }, rest @ ..]) => {
            lower.map(*map);
            (OutputKind::PrintMap(*map), rest)
        }
        ("print", args) => (OutputKind::PrintValue, args),
        (_, [format, rest @ ..]) => {
            let Some(format) = text(Some(format)) else {
                return lower.cannot(format.span, "a format is a text between quotes");
            };
            let kind = match name {
                "errorf" => OutputKind::Errorf(format),
                "warnf" => OutputKind::Warnf(format),
                _ => OutputKind::Printf(format),
            };
            (kind, rest)
        }
        _ => return lower.cannot(expr.span, "there is no format"),
    };
    lower.emit(kind, rest, expr.span)?;
    Ok(Val::Nothing)
}

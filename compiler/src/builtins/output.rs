//! `printf`, `errorf`, `warnf`, `print`, `time`: what a script says. The record goes to reel, which formats it.

use reel_lang::env::{Function, Param, Places, Returns};

use super::call;

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

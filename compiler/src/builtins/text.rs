//! `strncmp`, `strlen`, `strcontains`, `lower`, `upper`: text.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::Ty;

use super::{I64, U64, call, pure};

pub(super) fn functions() -> Vec<Function> {
    vec![
        pure(call(
            "strncmp",
            &[Param::Str, Param::Str, Param::LiteralInt],
            Returns::Ty(I64),
            Places::BOTH,
            [
                "Compares at most `n` bytes of two texts: 0 where they are equal, else 1.",
                "begin { if (strncmp(\"abc\", \"abd\", 2) == 0) { printf(\"same\\n\"); } }",
            ],
        )),
        pure(call(
            "strlen",
            &[Param::Str],
            Returns::Ty(U64),
            Places::BOTH,
            ["The number of bytes of a text.", "begin { printf(\"%d\\n\", strlen(\"abc\")); }"],
        )),
        pure(call(
            "strcontains",
            &[Param::Str, Param::Str],
            Returns::Ty(Ty::Bool),
            Places::BOTH,
            [
                "Tells whether the first text contains the second.",
                "begin { if (strcontains(\"abcd\", \"bc\")) { printf(\"yes\\n\"); } }",
            ],
        )),
        pure(call(
            "lower",
            &[Param::Str],
            Returns::Ty(Ty::Str),
            Places::NATIVE,
            ["The text with ASCII letters in lower case.", "http:request { @[lower(host)] = count(); }"],
        )),
        pure(call(
            "upper",
            &[Param::Str],
            Returns::Ty(Ty::Str),
            Places::NATIVE,
            ["The text with ASCII letters in upper case.", "redis:request { @[upper(command)] = count(); }"],
        )),
    ]
}

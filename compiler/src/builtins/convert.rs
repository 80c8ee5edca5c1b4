//! `int`, `strftime`: a value as another kind.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::Ty;

use super::{call, pure};

pub(super) fn functions() -> Vec<Function> {
    vec![
        pure(call(
            "int",
            &[Param::Value],
            Returns::Ty(Ty::Any),
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

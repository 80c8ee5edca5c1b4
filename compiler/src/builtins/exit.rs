//! `exit`: ends the program after what was printed before it.

use reel_lang::env::{Function, Param, Places, Returns};

use super::call;

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

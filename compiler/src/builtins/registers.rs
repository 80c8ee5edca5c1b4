//! `arg0` to `arg9`, `retval`: the arguments and the result of a function, or the words of a raw tracepoint.

use reel_lang::env::{Builtin, Places};

use super::{U64, value};

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

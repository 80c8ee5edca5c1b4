//! `str`: text behind a pointer.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::Ty;

use super::call;

pub(super) fn functions() -> Vec<Function> {
    vec![Function {
        optional: 1,
        ..call(
            "str",
            &[Param::Pointer, Param::Int],
            Returns::Ty(Ty::Str),
            Places::KERNEL,
            [
                "Reads the C string that a pointer points at, at most `len` bytes with its NUL, or `max_strlen`.",
                "tracepoint:syscalls:sys_enter_openat { printf(\"%s\\n\", str(args.filename)); }",
            ],
        )
    }]
}

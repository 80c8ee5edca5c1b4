//! `pid`, `tid`: the process and thread that the probe fired in, in the initial pid namespace.

use reel_lang::env::{Builtin, Places};

use super::{U32, value};

pub(super) fn values() -> Vec<Builtin> {
    vec![
        value("pid", U32, Places::KERNEL, "The process id (the kernel's tgid)."),
        value("tid", U32, Places::KERNEL, "The thread id (the kernel's pid)."),
    ]
}

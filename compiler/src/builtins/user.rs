//! `uid`, `gid`: the real user and group of the current process.

use reel_lang::env::{Builtin, Places};

use super::{U32, value};

pub(super) fn values() -> Vec<Builtin> {
    vec![value("uid", U32, Places::KERNEL, "The user id."), value("gid", U32, Places::KERNEL, "The group id.")]
}

//! `comm`: the name of the current thread, at most 15 bytes (`TASK_COMM_LEN` with its NUL is 16).

use reel_lang::env::{Builtin, Places};
use reel_lang::ty::Ty;

use super::value;

/// The size of a thread's name in the kernel, NUL included.
pub(crate) const COMM_LEN_BYTES: u32 = 16;

pub(super) fn values() -> Vec<Builtin> {
    vec![value("comm", Ty::Str, Places::KERNEL, "The name of the current thread.")]
}

//! `cpu`, `numaid`: where the probe fired.

use reel_lang::env::{Builtin, Places};

use super::{U32, value};

pub(super) fn values() -> Vec<Builtin> {
    vec![
        value("cpu", U32, Places::KERNEL, "The number of the current CPU."),
        value("numaid", U32, Places::KERNEL, "The number of the current NUMA node."),
    ]
}

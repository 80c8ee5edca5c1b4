//! `probe`, `args`, `curtask`: what fired, with what, and in which task.

use reel_lang::env::{Builtin, Places};
use reel_lang::ty::{Space, Ty};

use super::value;

pub(super) fn values() -> Vec<Builtin> {
    vec![
        value("probe", Ty::Probe, Places::KERNEL, "The name of the probe that fired."),
        value("args", Ty::Args, Places::KERNEL, "The arguments of the probe."),
        value(
            "curtask",
            Ty::Ptr(Box::new(Ty::Struct("task_struct".to_owned())), Space::Kernel),
            Places::KERNEL,
            "The kernel's `struct task_struct` of the current thread.",
        ),
    ]
}

//! `cgroup`: the id of the current process's cgroup in the v2 hierarchy, which is the inode number of its directory.

use reel_lang::env::{Builtin, Places};

use super::{U64, value};

pub(super) fn values() -> Vec<Builtin> {
    vec![value("cgroup", U64, Places::KERNEL, "The id of the current cgroup (v2).")]
}

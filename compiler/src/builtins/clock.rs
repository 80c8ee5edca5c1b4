//! `nsecs`, `elapsed`, `jiffies`: time. Over a recording or a packet file the first two follow the messages' time.

use reel_lang::env::{Builtin, Places};

use super::{U64, value};

pub(super) fn values() -> Vec<Builtin> {
    vec![
        value("nsecs", U64, Places::BOTH, "Nanoseconds since boot, sleep not counted."),
        value("elapsed", U64, Places::BOTH, "Nanoseconds since the program started."),
        value("jiffies", U64, Places::KERNEL, "The kernel's tick count since boot."),
    ]
}

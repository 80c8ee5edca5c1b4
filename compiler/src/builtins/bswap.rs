//! `bswap`: bytes in the other order, as ports and addresses in network order want.

use reel_lang::env::{Function, Param, Places, Returns};

use super::{call, pure};

pub(super) fn functions() -> Vec<Function> {
    vec![pure(call(
        "bswap",
        &[Param::Int],
        Returns::Argument,
        Places::KERNEL,
        ["The integer with its bytes in reverse order.", "begin { printf(\"%x\\n\", bswap((uint16)0x1234)); }"],
    ))]
}

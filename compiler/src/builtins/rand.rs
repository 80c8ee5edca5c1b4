//! `rand`: a pseudo-random number, another one at each use.

use reel_lang::env::{Builtin, Places};

use super::{U32, value};

pub(super) fn values() -> Vec<Builtin> {
    vec![value("rand", U32, Places::KERNEL, "A pseudo-random number.")]
}

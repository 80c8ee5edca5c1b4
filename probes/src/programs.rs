//! The programs that reel itself runs in the kernel, in reel's language: anybody can read what runs there.

use reel_compiler::plan::Filters;

use crate::doctor::Rung;

/// The part of the capture program that all rungs share.
const STATE: &str = include_str!("programs/capture/state.rr");

/// Returns the program that records what an app exchanges over TCP, with what the rules say of whole connections before it: `$1`
/// is the app's cgroup, `$2` the fill at which the reader is woken.
pub fn capture(rung: Rung, filters: &Filters) -> String {
    let data = match rung {
        Rung::TcpTracepoints => include_str!("programs/capture/tcp.rr"),
        Rung::Syscalls => include_str!("programs/capture/syscalls.rr"),
    };
    format!("{}\n{STATE}\n{data}", filters.macros())
}

/// Sends an app's connections to the mock: `$1` the app's cgroup, `$2` the mock's port in network order.
pub const REDIRECT: &str = include_str!("programs/redirect.rr");

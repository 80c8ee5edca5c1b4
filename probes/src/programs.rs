//! The programs that reel itself runs in the kernel, in reel's language: anybody can read what runs there.

use reel_compiler::plan::Filters;

/// The part of the capture program that is the same for all rules.
const CAPTURE: &str = include_str!("programs/capture.rr");

/// Returns the program that records what an app exchanges over TCP, with what the rules say of whole connections before it: `$1`
/// is the app's cgroup, `$2` the fill at which the reader is woken.
pub fn capture(filters: &Filters) -> String {
    format!("{}\n{CAPTURE}", filters.macros())
}

/// Sends an app's connections to the mock: `$1` the app's cgroup, `$2` the mock's port in network order.
pub const REDIRECT: &str = include_str!("programs/redirect.rr");

//! The programs that reel itself runs in the kernel, in reel's language: anybody can read what runs there.

/// Records what an app exchanges over TCP: `$1` the app's cgroup, `$2` the fill at which the reader is woken.
pub const CAPTURE: &str = include_str!("programs/capture.rr");

/// Sends an app's connections to the mock: `$1` the app's cgroup, `$2` the mock's port in network order.
pub const REDIRECT: &str = include_str!("programs/redirect.rr");

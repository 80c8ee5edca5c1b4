//! Whether this machine lets reel set a clock: found out by trying, in a thread that ends at once.

use std::fs;
use std::io;
use std::thread;

use libc::sock_filter;
use reel_probes::Unsupported;

use super::install;

/// The mode of the Yama security module in which nobody may trace (Documentation/admin-guide/LSM/Yama.rst).
const NOBODY_TRACES: &str = "3";

/// Finds out.
///
/// # Errors
/// What is lacking, and the remedy.
pub fn check() -> Result<(), Unsupported> {
    if !cfg!(target_arch = "x86_64") {
        return Err(lacking("its code for this processor is not written", "use a machine of x86-64"));
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    if scope.trim() == NOBODY_TRACES {
        return Err(lacking("kernel.yama.ptrace_scope is 3: nobody may trace", "use a machine where it is lower"));
    }
    // A filter holds for its thread, and lets everything pass.
    let pass = sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
    let tried = thread::spawn(move || install::listen(&[pass]).map(drop)).join();
    let Err(error) = tried.unwrap_or_else(|_| Err(io::Error::other("the trial panicked"))) else { return Ok(()) };
    Err(match error.raw_os_error() {
        Some(libc::EBUSY) => lacking(
            "reel itself runs under a seccomp filter with a listener, and there can be one only",
            "run reel outside of the container or sandbox that has it",
        ),
        Some(libc::EINVAL | libc::ENOSYS) => lacking(
            &format!("no seccomp user notification: {error}"),
            "use Linux 5.5 or newer, with CONFIG_SECCOMP_FILTER=y",
        ),
        _ => lacking(&format!("seccomp: {error}"), "run as root, where seccomp is allowed"),
    })
}

fn lacking(why: &str, remedy: &str) -> Unsupported {
    Unsupported { what: "setting the app's clock".into(), why: why.into(), remedy: remedy.into() }
}

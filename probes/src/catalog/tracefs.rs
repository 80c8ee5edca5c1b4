//! The directory of tracepoints, without changing the machine.
//!
//! tracefs is often not mounted (containers, small images). Then a mount of our own is made that
//! no other process sees: fsopen(2) and fsmount(2) give a directory that is attached nowhere and
//! goes away with the descriptor (Linux 5.2).

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::sys::mount;
use crate::unsupported::Unsupported;

/// A tracefs, mounted by somebody or by us.
#[derive(Debug)]
struct Tracefs {
    path: PathBuf,
    /// Keeps a mount of our own alive.
    _mount: Option<OwnedFd>,
}

/// Returns the directory at which tracefs can be read.
///
/// # Errors
/// `Unsupported` where it is not mounted and may not be.
pub fn root() -> Result<&'static Path, Unsupported> {
    static TRACEFS: OnceLock<Result<Tracefs, Unsupported>> = OnceLock::new();
    match TRACEFS.get_or_init(find) {
        Ok(tracefs) => Ok(&tracefs.path),
        Err(error) => Err(error.clone()),
    }
}

fn find() -> Result<Tracefs, Unsupported> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if let Some(path) = mounted(&mounts).filter(|path| path.join("events").is_dir()) {
        return Ok(Tracefs { path, _mount: None });
    }
    let mount = mount::detached(c"tracefs").map_err(|error| {
        Unsupported::new(
            "listing tracepoints (tracefs)",
            format!("it is not mounted, and mounting it failed: {error}"),
            "run as root, or have root mount it: mount -t tracefs nodev /sys/kernel/tracing",
        )
    })?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
    Ok(Tracefs { path, _mount: Some(mount) })
}

fn mounted(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_device, dir, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "tracefs").then(|| PathBuf::from(dir))
    })
}

/// Returns the number by which perf_event_open(2) knows a tracepoint; none if it does not exist.
///
/// # Errors
/// `Unsupported` as [`root`], and where the file may not be read.
pub fn tracepoint_id(category: &str, name: &str) -> Result<Option<u64>, Unsupported> {
    Ok(read(category, name, "id")?.and_then(|text| text.trim().parse().ok()))
}

/// Reads one file of one tracepoint's directory; none if there is no such tracepoint.
///
/// # Errors
/// `Unsupported` as [`root`], and where the file may not be read.
pub(super) fn read(category: &str, name: &str, file: &str) -> Result<Option<String>, Unsupported> {
    if !is_name(category) || !is_name(name) {
        return Ok(None);
    }
    let path = root()?.join("events").join(category).join(name).join(file);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

/// Returns every tracepoint as (category, name), in the kernel's order.
///
/// # Errors
/// As [`root`].
pub fn tracepoints() -> Result<Vec<(String, String)>, Unsupported> {
    let path = root()?.join("available_events");
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let pair = |line: &str| line.split_once(':').map(|(c, n)| (c.to_string(), n.to_string()));
    Ok(text.lines().filter_map(pair).collect())
}

fn unreadable(path: &Path, error: &io::Error) -> Unsupported {
    Unsupported::new("reading tracefs", format!("{}: {error}", path.display()), "run as root")
}

/// Whether a word can be the name of a directory here, and of nothing else.
fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_the_tracepoints_of_this_kernel_and_no_others() {
        assert!(tracepoint_id("syscalls", "sys_enter_openat").unwrap().unwrap() > 0);
        assert_eq!(tracepoint_id("syscalls", "no_such").unwrap(), None);
        assert_eq!(tracepoint_id("..", "events").unwrap(), None);
        assert_eq!(tracepoint_id("", "").unwrap(), None);
    }

    #[test]
    fn lists_them() {
        let all = tracepoints().unwrap();
        assert!(all.len() > 100);
        assert!(all.contains(&("sched".to_string(), "sched_switch".to_string())));
    }

    #[test]
    fn a_mount_of_our_own_is_seen_by_nobody_else() {
        let before = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mount::detached(c"tracefs").unwrap();
        let events = format!("/proc/self/fd/{}/events/sched", mount.as_raw_fd());
        assert!(Path::new(&events).is_dir());
        assert_eq!(fs::read_to_string("/proc/self/mounts").unwrap(), before);
    }
}

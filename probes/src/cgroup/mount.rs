//! Where cgroup v2 is mounted, and which cgroup of it this process is in.
//!
//! systemd mounts it at /sys/fs/cgroup, or at /sys/fs/cgroup/unified beside version 1. Nothing is
//! assumed: /proc/self/mounts says where, and /proc/self/cgroup says which (cgroups(7)).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::CgroupError;
use crate::unsupported::Unsupported;

/// The error of [`mount_point`]: no cgroup v2, or /proc unreadable.
pub type MountError = CgroupError;

/// Finds the directory at which cgroup v2 is mounted.
///
/// # Errors
/// `Unsupported` where it is not mounted.
pub fn mount_point() -> Result<PathBuf, MountError> {
    let mounts = read("/proc/self/mounts")?;
    cgroup2_of(&mounts).ok_or_else(|| {
        Unsupported::new(
            "cgroup v2",
            "no file system of type cgroup2 in /proc/self/mounts",
            "mount it: mkdir -p /sys/fs/cgroup/unified && \
             mount -t cgroup2 none /sys/fs/cgroup/unified",
        )
        .into()
    })
}

/// Returns the directory of the cgroup that this process runs in.
///
/// Falls back to the mount point where the path is not visible from here (a container that shares
/// the host's cgroup namespace).
pub(super) fn own_cgroup() -> Result<PathBuf, CgroupError> {
    let mount = mount_point()?;
    let own = own_path_of(&read("/proc/self/cgroup")?).map(|path| mount.join(path));
    match own {
        Some(path) if path.join("cgroup.procs").exists() => Ok(path),
        _ => Ok(mount),
    }
}

fn read(path: &'static str) -> Result<String, CgroupError> {
    fs::read_to_string(path).map_err(|source: io::Error| CgroupError::Io {
        action: "read",
        path: Path::new(path).to_path_buf(),
        source,
    })
}

fn cgroup2_of(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_device, dir, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(unescape(dir)))
    })
}

/// Returns the path after `0::`, relative to the mount point; none where it leads outside.
fn own_path_of(cgroups: &str) -> Option<&str> {
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    (!path.split('/').any(|part| part == "..")).then_some(path)
}

/// Undoes the octal escapes that /proc/self/mounts uses for space, tab, newline and backslash.
fn unescape(field: &str) -> String {
    let mut out = field.to_string();
    for (escaped, plain) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        out = out.replace(escaped, plain);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_hybrid_and_the_unified_mount() {
        let hybrid = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(cgroup2_of(hybrid).unwrap(), Path::new("/sys/fs/cgroup/unified"));
        assert_eq!(cgroup2_of("none /a\\040b cgroup2 rw 0 0").unwrap(), Path::new("/a b"));
        assert_eq!(cgroup2_of("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0"), None);
    }

    #[test]
    fn reads_our_own_path_but_not_one_that_leads_outside() {
        assert_eq!(own_path_of("4:memory:/x\n0::/user.slice/a.scope\n"), Some("user.slice/a.scope"));
        assert_eq!(own_path_of("0::/\n"), Some(""));
        assert_eq!(own_path_of("0::/../other\n"), None);
        assert_eq!(own_path_of("4:memory:/x\n"), None);
    }

    #[test]
    fn this_machine_has_one() {
        assert!(mount_point().unwrap().join("cgroup.procs").exists());
    }
}

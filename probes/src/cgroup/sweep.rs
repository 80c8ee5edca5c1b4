//! Removes cgroups that a reel which is no more left behind.
//!
//! The guardian does this at once; the sweep is for the case that the guardian was killed too.
//! A cgroup is stale when the process in its name is gone *and* nobody holds the lock on its
//! directory: the lock also covers a reel in another pid namespace, whose id means nothing here.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{CgroupError, children, mount, remove_tree};
use crate::sys::process;

/// Kills and removes every stale `reel-*` cgroup, and returns their directories.
///
/// # Errors
/// `Unsupported` without cgroup v2. A cgroup that cannot be removed is left for the next time.
pub fn sweep() -> Result<Vec<PathBuf>, CgroupError> {
    let mut parents = vec![mount::own_cgroup()?, mount::mount_point()?];
    parents.dedup();
    let mut swept = Vec::new();
    for parent in parents {
        let found = children(&parent).map_err(|source| CgroupError::Io { action: "list", path: parent, source })?;
        swept.extend(found.into_iter().filter(|path| is_stale(path) && remove_tree(path).is_ok()));
    }
    Ok(swept)
}

fn is_stale(path: &Path) -> bool {
    let Some(owner) = path.file_name().and_then(|name| owner_of(name.to_str()?)) else {
        return false;
    };
    !process::exists(owner) && File::open(path).is_ok_and(|dir| dir.try_lock().is_ok())
}

/// Returns the process id in `reel-<pid>-<n>`; none where the name is not of that form.
fn owner_of(name: &str) -> Option<u32> {
    let (pid, n) = name.strip_prefix("reel-")?.split_once('-')?;
    n.parse::<u32>().ok()?;
    pid.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    /// Above the largest pid that Linux gives (4,194,304), so that it is never alive.
    const DEAD: u32 = 4_194_305;

    #[test]
    fn takes_the_dead_and_leaves_the_living_and_the_locked() {
        let parent = mount::own_cgroup().unwrap();
        let make = |name: &str| {
            let path = parent.join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let dead = make(&format!("reel-{DEAD}-{}", std::process::id()));
        let locked = make(&format!("reel-{}-{}", DEAD + 1, std::process::id()));
        let alive = make(&format!("reel-{}-4000000000", std::process::id()));
        let lock = File::open(&locked).unwrap();
        lock.lock_shared().unwrap();

        sweep().unwrap();

        let kept = (locked.exists(), alive.exists());
        for path in [&locked, &alive] {
            let _ = fs::remove_dir(path);
        }
        assert!(!dead.exists());
        assert_eq!(kept, (true, true));
    }

    #[test]
    fn reads_the_owner_from_the_name() {
        assert_eq!(owner_of("reel-12-0"), Some(12));
        for other in ["reel-12", "reel-x-0", "reel-12-x", "system.slice", "reel--0"] {
            assert_eq!(owner_of(other), None, "{other}");
        }
    }
}

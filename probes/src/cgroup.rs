//! A cgroup of our own for each app that reel starts.
//!
//! A socket belongs to the cgroup that its process was in when it was created, for good. So the
//! app is put into a fresh cgroup before it runs, and every kernel program filters on that
//! cgroup's id (cgroups(7), "Cgroups version 2"). The cgroup also is the way to end the app with
//! everything that it started.
//!
//! Invariants: a cgroup made here is named `reel-<pid of the maker>-<n>`, its maker holds a
//! `flock` on its directory while it lives, and dropping [`Cgroup`] kills and removes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::sys::{poll, process};
use crate::unsupported::Unsupported;

mod mount;
mod sweep;

pub use mount::{MountError, mount_point};
pub use sweep::sweep;

/// How long a cgroup's processes may take to die of SIGKILL before that is an error.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the processes are killed again where the kernel has no `cgroup.kill` (before 5.14).
const KILL_AGAIN: Duration = Duration::from_millis(20);

/// Why a cgroup could not be made, emptied or removed.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The machine lacks cgroup v2, or the privilege to make one.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The kernel refused a file operation for another reason.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// A verb: "create", "kill the processes of".
        action: &'static str,
        /// The cgroup's directory, or a file in it.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Processes survived SIGKILL for longer than the timeout (stuck in the kernel).
    #[error("processes in {path} did not exit within {timeout_ms} ms of being killed")]
    StillPopulated {
        /// The cgroup's directory.
        path: PathBuf,
        /// How long they were waited for.
        timeout_ms: u128,
    },
}

/// A cgroup that this process made, and that goes away with this value.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    id: u64,
    dir: File,
}

impl Cgroup {
    /// Creates a fresh child of the cgroup that reel itself runs in.
    ///
    /// # Errors
    /// `Unsupported` where cgroup v2 is not mounted or may not be written.
    pub fn create() -> Result<Self, CgroupError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let parent = mount::own_cgroup()?;
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("reel-{}-{n}", std::process::id()));
        fs::create_dir(&path).map_err(|source| create_error(&path, source))?;
        Self::adopt(path)
    }

    fn adopt(path: PathBuf) -> Result<Self, CgroupError> {
        let opened = File::open(&path).and_then(|dir| {
            dir.lock_shared()?;
            let id = dir.metadata()?.ino();
            Ok((dir, id))
        });
        match opened {
            Ok((dir, id)) => Ok(Self { path, id, dir }),
            Err(source) => {
                // The directory is empty: nothing can have joined it yet.
                let _ = fs::remove_dir(&path);
                Err(CgroupError::Io { action: "open", path, source })
            }
        }
    }

    /// Returns the cgroup's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the id that `bpf_get_current_cgroup_id` and `sk_cgrp_data.cgroup->kn->id` give.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the processes in it, by id (not those of cgroups below it).
    ///
    /// # Errors
    /// `Io` when `cgroup.procs` cannot be read.
    pub fn pids(&self) -> Result<Vec<u32>, CgroupError> {
        pids_of(&self.path).map_err(self.io("list the processes of"))
    }

    /// Returns whether any process is left in it or below it.
    ///
    /// # Errors
    /// `Io` when `cgroup.events` cannot be read.
    pub fn is_populated(&self) -> Result<bool, CgroupError> {
        let events = self.path.join("cgroup.events");
        let text = fs::read_to_string(&events).map_err(self.io("read the state of"))?;
        Ok(populated(&text))
    }

    /// Opens `cgroup.procs` for a child to join by writing "0".
    pub(crate) fn open_procs(&self) -> Result<File, CgroupError> {
        let procs = self.path.join("cgroup.procs");
        OpenOptions::new().write(true).open(procs).map_err(self.io("open the process list of"))
    }

    /// Kills everything in it and waits until it is empty.
    ///
    /// # Errors
    /// `StillPopulated` after [`KILL_TIMEOUT`].
    pub fn kill(&self) -> Result<(), CgroupError> {
        kill_tree(&self.path, KILL_TIMEOUT)
    }

    /// Waits until nothing runs in it; false when `timeout` passed first.
    ///
    /// # Errors
    /// `Io` when `cgroup.events` cannot be read or polled.
    pub fn wait_empty(&self, timeout: Option<Duration>) -> Result<bool, CgroupError> {
        wait_empty(&self.path, timeout).map_err(self.io("wait for the processes of"))
    }

    /// Kills what is left in it and removes it, with the cgroups that the app made below it.
    ///
    /// # Errors
    /// As [`Cgroup::kill`], and `Io` when the directory cannot be removed.
    pub fn remove(self) -> Result<(), CgroupError> {
        remove_tree(&self.path)
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> CgroupError {
        let path = self.path.clone();
        move |source| CgroupError::Io { action, path, source }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if self.path.exists() {
            // The guardian and the next run's sweep come after us, so that nothing is lost here.
            let _ = remove_tree(&self.path);
        }
        let _ = self.dir.unlock();
    }
}

/// Kills all processes in and below `path`, waits for the last, and removes the directories.
pub(crate) fn remove_tree(path: &Path) -> Result<(), CgroupError> {
    kill_tree(path, KILL_TIMEOUT)?;
    let io = |source| CgroupError::Io { action: "remove", path: path.to_path_buf(), source };
    for child in children(path).map_err(io)? {
        remove_tree(&child)?;
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io(error)),
        _ => Ok(()),
    }
}

fn kill_tree(path: &Path, timeout: Duration) -> Result<(), CgroupError> {
    let io = |source| CgroupError::Io { action: "kill the processes of", path: path.to_path_buf(), source };
    let deadline = Instant::now() + timeout;
    loop {
        let all_at_once = kill_once(path).map_err(io)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let round = if all_at_once { left } else { left.min(KILL_AGAIN) };
        if wait_empty(path, Some(round)).map_err(io)? {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let timeout_ms = timeout.as_millis();
            return Err(CgroupError::StillPopulated { path: path.to_path_buf(), timeout_ms });
        }
    }
}

/// Sends one round of SIGKILL; true when the kernel did it for the whole tree, forks included.
fn kill_once(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().write(true).open(path.join("cgroup.kill")) {
        Ok(file) => {
            io::Write::write_all(&mut &file, b"1")?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            kill_each(path)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn kill_each(path: &Path) -> io::Result<()> {
    for pid in pids_of(path)? {
        // A process that is gone already is what we want.
        let _ = process::kill(pid, libc::SIGKILL);
    }
    for child in children(path)? {
        kill_each(&child)?;
    }
    Ok(())
}

/// Waits for `populated 0` in `cgroup.events`, which the kernel announces as POLLPRI.
fn wait_empty(path: &Path, timeout: Option<Duration>) -> io::Result<bool> {
    let deadline = timeout.map(|t| Instant::now() + t);
    let mut events = match File::open(path.join("cgroup.events")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    loop {
        let mut text = String::new();
        events.rewind()?;
        match events.read_to_string(&mut text) {
            // Another process removed the cgroup while it was open here.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(true),
            result => result?,
        };
        if !populated(&text) {
            return Ok(true);
        }
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Ok(false);
        }
        poll::wait_for(events.as_fd(), libc::POLLPRI, left)?;
    }
}

fn populated(events: &str) -> bool {
    events.lines().any(|line| line == "populated 1")
}

fn pids_of(path: &Path) -> io::Result<Vec<u32>> {
    let text = match fs::read_to_string(path.join("cgroup.procs")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result?,
    };
    // A process outside our pid namespace reads as 0.
    Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect())
}

fn children(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn create_error(path: &Path, source: io::Error) -> CgroupError {
    match source.raw_os_error() {
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => Unsupported::new(
            "a cgroup of its own for the app",
            format!("creating {} failed: {source}", path.display()),
            "run as root, or in a cgroup that is delegated to you \
             (systemd-run --user --scope -p Delegate=yes)",
        )
        .into(),
        _ => CgroupError::Io { action: "create", path: path.to_path_buf(), source },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::process::Command;

    fn sleeper_in(cgroup: &Path) -> std::process::Child {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        fs::write(cgroup.join("cgroup.procs"), child.id().to_string()).unwrap();
        child
    }

    #[test]
    fn a_fresh_cgroup_has_the_inode_as_id_and_goes_away_on_drop() {
        let cgroup = Cgroup::create().unwrap();
        let path = cgroup.path().to_path_buf();
        assert_eq!(cgroup.id(), fs::metadata(&path).unwrap().ino());
        assert!(!cgroup.is_populated().unwrap());
        drop(cgroup);
        assert!(!path.exists());
    }

    #[test]
    fn removing_kills_what_runs_in_it_and_below_it() {
        let cgroup = Cgroup::create().unwrap();
        let path = cgroup.path().to_path_buf();
        let below = path.join("below");
        fs::create_dir(&below).unwrap();
        let mut one = sleeper_in(&path);
        let mut two = sleeper_in(&below);
        assert_eq!(cgroup.pids().unwrap(), [one.id()]);
        assert!(!cgroup.wait_empty(Some(Duration::ZERO)).unwrap());
        cgroup.remove().unwrap();
        assert!(!path.exists());
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(one.wait().unwrap().signal(), Some(libc::SIGKILL));
        assert_eq!(two.wait().unwrap().signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn killing_one_by_one_works_where_the_kernel_has_no_cgroup_kill() {
        let cgroup = Cgroup::create().unwrap();
        let mut child = sleeper_in(cgroup.path());
        kill_each(cgroup.path()).unwrap();
        assert!(cgroup.wait_empty(Some(KILL_TIMEOUT)).unwrap());
        child.wait().unwrap();
    }
}

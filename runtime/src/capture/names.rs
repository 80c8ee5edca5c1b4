//! The names of threads and the cgroups of processes, as the kernel tells them while these live.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use reel_probes::cgroup;
use reel_probes::event::Task;

/// The name of a thread. A thread may be gone before its record is read: then it is its process's, and empty once that is gone too.
pub fn comm(task: Task) -> String {
    let read = |path: String| std::fs::read_to_string(path).ok();
    let name = read(format!("/proc/{}/task/{}/comm", task.tgid, task.tid))
        .or_else(|| read(format!("/proc/{}/comm", task.tgid)))
        .unwrap_or_default();
    name.trim_end().to_owned()
}

/// The cgroups of processes, by their ids: the inodes of their folders.
#[derive(Debug, Default)]
pub struct Cgroups {
    /// Where cgroup v2 is, once it was looked for.
    mount: Option<Option<PathBuf>>,
    /// The ids of the paths that were met. A path whose folder went may stand for another one later.
    ids: HashMap<String, u64>,
}

/// The most paths whose ids are remembered.
const MAX_PATHS: usize = 4096;

impl Cgroups {
    /// The cgroup v2 that a process is in; none where the process is gone, or has none that is seen from here.
    pub fn of(&mut self, task: Task) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/cgroup", task.tgid)).ok()?;
        // cgroups(7): the line of the unified hierarchy.
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        if let Some(id) = self.ids.get(path) {
            return Some(*id);
        }
        let mount = self.mount.get_or_insert_with(|| cgroup::mount_point().ok()).as_ref()?;
        let id = mount.join(path.trim_start_matches('/')).metadata().ok()?.ino();
        if self.ids.len() >= MAX_PATHS {
            self.ids.clear();
        }
        self.ids.insert(path.to_owned(), id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_is_in_no_cgroup() {
        let mut cgroups = Cgroups::default();
        assert_eq!(cgroups.of(Task { tgid: u32::MAX, tid: 1 }), None);
        let mine = Task { tgid: std::process::id(), tid: 1 };
        assert_eq!(cgroups.of(mine), cgroups.of(mine));
    }

    #[test]
    fn a_thread_that_is_gone_has_its_processs_name() {
        let tgid = std::process::id();
        let process = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
        // No thread of this process has the number of init.
        assert_eq!(comm(Task { tgid, tid: 1 }), process.trim_end());
        assert_eq!(comm(Task { tgid: u32::MAX, tid: 1 }), "");
    }
}

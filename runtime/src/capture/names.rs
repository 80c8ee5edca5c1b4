//! The names of threads, as the kernel tells them while the threads live.

use reel_probes::event::Task;

/// The name of a thread. A thread may be gone before its record is read: then it is its process's, and empty once that is gone too.
pub fn comm(task: Task) -> String {
    let read = |path: String| std::fs::read_to_string(path).ok();
    let name = read(format!("/proc/{}/task/{}/comm", task.tgid, task.tid))
        .or_else(|| read(format!("/proc/{}/comm", task.tgid)))
        .unwrap_or_default();
    name.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_gone_has_its_processs_name() {
        let tgid = std::process::id();
        let process = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
        // No thread of this process has the number of init.
        assert_eq!(comm(Task { tgid, tid: 1 }), process.trim_end());
        assert_eq!(comm(Task { tgid: u32::MAX, tid: 1 }), "");
    }
}

//! reel killed with SIGKILL: nothing of it stays in the kernel, and nothing passes for what it is not.
//!
//! Others may use the kernel at the same time, so each test looks at the programs and links that its own reel holds, at the
//! cgroup that it made, and at the processes below it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;

use reel_probes::{cgroup, inspect};
use reel_tests::process::{Running, free_port};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::network::{ask, client, counter, wait_line, with_plain};
use super::support::{Ran, folder, has, reel, wait_until};

/// What a running reel holds.
struct Held {
    programs: Vec<u32>,
    links: Vec<u32>,
    cgroup: PathBuf,
    guardian: Pid,
    app: Pid,
}

impl Held {
    #[track_caller]
    fn by(reel_id: Pid) -> Held {
        let mut held = Held {
            programs: numbers(reel_id, "prog_id"),
            links: numbers(reel_id, "link_id"),
            cgroup: cgroup_of(reel_id),
            guardian: child(reel_id, |line| line.contains("__guard")),
            app: child(reel_id, |line| line.contains("app.py")),
        };
        held.programs.sort_unstable();
        held.programs.dedup();
        assert!(!held.programs.is_empty() && !held.links.is_empty(), "reel holds no programs");
        let (programs, links) = (inspect::program_ids().unwrap(), inspect::link_ids().unwrap());
        assert!(held.programs.iter().all(|id| programs.contains(id)) && held.links.iter().all(|id| links.contains(id)));
        held
    }

    /// Waits for the guardian's end, and fails where anything is left.
    #[track_caller]
    fn check_gone(self, guardian: Option<rustix::fd::OwnedFd>) {
        if let Some(guardian) = guardian {
            poll(&mut [PollFd::new(&guardian, PollFlags::IN)], None).unwrap();
        }
        assert!(!self.cgroup.exists(), "{} is still there", self.cgroup.display());
        assert!(!is_running(self.app), "the app still runs");
        // The kernel frees programs and links after a grace period, without telling.
        wait_until("programs and links are gone", || {
            let (programs, links) = (inspect::program_ids().unwrap(), inspect::link_ids().unwrap());
            !self.programs.iter().any(|id| programs.contains(id)) && !self.links.iter().any(|id| links.contains(id))
        });
    }
}

/// The numbers of this kind among the descriptors of a process.
fn numbers(id: Pid, name: &str) -> Vec<u32> {
    let infos = fs::read_dir(format!("/proc/{}/fdinfo", id.as_raw_nonzero())).unwrap();
    let texts = infos.filter_map(|info| fs::read_to_string(info.unwrap().path()).ok());
    texts.flat_map(|text| number(&text, name)).collect()
}

fn number(text: &str, name: &str) -> Option<u32> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().parse().ok()
}

fn cgroup_of(reel_id: Pid) -> PathBuf {
    let prefix = format!("reel-{}-", reel_id.as_raw_nonzero());
    let mut folders = vec![cgroup::mount_point().unwrap()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                return entry.path();
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    panic!("no cgroup {prefix}*");
}

fn child(parent: Pid, is_it: impl Fn(&str) -> bool) -> Pid {
    let parent = format!("PPid:\t{}\n", parent.as_raw_nonzero());
    let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let mut ids = ids.filter(|id| {
        let read = |file: &str| fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        read("status").contains(&parent) && is_it(&read("cmdline"))
    });
    ids.next().and_then(Pid::from_raw).expect("a child of reel")
}

fn is_running(id: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", id.as_raw_nonzero())).unwrap_or_default();
    // A zombie that nobody reaps is dead all the same.
    !status.is_empty() && !status.contains("State:\tZ")
}

/// Kills reel, and sees that everything of it goes.
#[track_caller]
fn kill_and_check(mut running: Running) {
    let reel_id = Pid::from_child(&running.0);
    let held = Held::by(reel_id);
    let guardian = pidfd_open(held.guardian, PidfdFlags::empty()).unwrap();
    kill_process(reel_id, Signal::KILL).unwrap();
    running.0.wait().unwrap();
    held.check_gone(Some(guardian));
}

#[test]
fn a_killed_recording_leaves_nothing_and_says_that_it_is_incomplete() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let dependency = counter(([127, 0, 0, 1], 0));
    let mut record = reel(["record", "-o"]);
    let mut running = Running::start(with_plain(record.arg(&dir), port, dependency)).unwrap();
    running.wait_listening(port).unwrap();
    assert!(ask(port).contains("\":7\""));
    kill_and_check(running);
    Ran::of(reel(["show"]).arg(&dir)).exits(4).says("the recording is incomplete");
    let mut replay = reel(["replay"]);
    Ran::of(with_plain(replay.arg(&dir), port, dependency)).exits(4).says("the recording is incomplete");
}

#[test]
fn after_a_killed_replay_no_call_reaches_the_dependency() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let dependency = counter(([127, 0, 0, 1], 0));
    let mut record = reel(["record", "--drive", &client(port), "-o"]);
    Ran::of(with_plain(record.arg(&dir), port, dependency)).exits(0);

    // The replay goes elsewhere than the recording: to a listener that must never be called.
    let decoy = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).unwrap();
    decoy.set_nonblocking(true).unwrap();
    let mut replay = reel(["replay", "--test-timeout", "60"]);
    let replay = with_plain(replay.arg(&dir), port, decoy.local_addr().unwrap()).env("STALL", "1");
    let mut running = Running::start(replay.stderr(Stdio::piped())).unwrap();
    let lines = wait_line(&mut running.0, "stalled");
    kill_and_check(running);
    drop(lines);
    let reached = decoy.accept().map(|(_, peer)| peer).map_err(|error| error.kind());
    assert_eq!(reached, Err(std::io::ErrorKind::WouldBlock));
}

/// The same two without a kill: an orderly end leaves nothing either.
#[test]
fn a_finished_recording_leaves_nothing() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dependency = counter(([127, 0, 0, 1], 0));
    let mut record = reel(["record", "-o"]);
    let mut running =
        Running::start(with_plain(record.arg(folder.path().join("recording")), port, dependency)).unwrap();
    running.wait_listening(port).unwrap();
    assert!(ask(port).contains("\":7\""));
    let reel_id = Pid::from_child(&running.0);
    let held = Held::by(reel_id);
    kill_process(reel_id, Signal::INT).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    held.check_gone(None);
}

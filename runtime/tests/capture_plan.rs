//! What `reel plan --capture` prints is what `reel record` attaches.
//!
//! The kernel gives every program a tag, a hash of its instructions. The printed text is compiled and verified here, for the
//! cgroup of a recording that runs meanwhile, and its tags are held against those of the programs that the recording has open.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reel::capture::kernel::trusted;
use reel::engine::{attach, compile};
use reel_compiler::bpf;
use reel_probes::doctor::{Capability, Rung};
use reel_probes::load::Loaded;

const RULES: &str = "capture:http:out /port == 8080 && addr != \"10.0.0.1\"/ { }\ncapture:redis:out { skip; }\ncapture:dns { skip; }\n\
                     capture:postgres { skip; }\ncapture:tcp:out { skip; }\n";
/// The ring of a recording is 8 MiB by default, and its reader is woken at a quarter of it.
const WAKE_AT_BYTES: &str = "2097152";

/// A recording that is ended when the test ends.
struct Recording(Child);

impl Drop for Recording {
    fn drop(&mut self) {
        // SIGTERM, so that it ends the app; it is gone when the wait returns.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// The tags of the programs that a process has open.
fn tags(pid: &str) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap() {
        // A descriptor may be closed meanwhile.
        let info = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        tags.extend(info.lines().filter_map(|line| line.strip_prefix("prog_tag:")).map(|tag| tag.trim().to_owned()));
    }
    tags
}

/// The id of a process's cgroup: the inode of its folder.
fn cgroup_id(pid: &str) -> u64 {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2")).unwrap();
    let path = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = path.lines().find_map(|line| line.strip_prefix("0::/")).unwrap().to_owned();
    std::fs::metadata(Path::new(mount.split(' ').nth(1).unwrap()).join(path)).unwrap().ino()
}

/// The tags of a text's programs, compiled and verified in this process.
fn tags_of(text: &str, cgroup_id: u64) -> BTreeSet<String> {
    let before = tags("self");
    let positional = vec![cgroup_id.to_string(), WAKE_AT_BYTES.to_owned()];
    let (kernel, _) =
        trusted("printed.rr", text, positional, &compile::kernel_options(), &bpf::Options::default()).unwrap();
    let mut loaded = Loaded::new(&kernel.object.elf).unwrap();
    for (index, program) in kernel.lowered.programs.iter().enumerate() {
        for (hook, _) in attach::hooks(program, None).unwrap() {
            let attach::Hook::Kernel(at) = hook else { panic!("{hook:?} in the capture program") };
            loaded.check(&attach::name(index, program), &at).unwrap();
        }
    }
    tags("self").difference(&before).cloned().collect()
}

#[test]
fn the_printed_program_is_the_one_that_a_recording_attaches() {
    if Capability::Cgroup.needs() && Capability::TcpHooks.needs() && Rung::TcpTracepoints.lacking().is_none() {
        check(&[], 4);
        check(&["--through", "tcp-tracepoints"], 4);
    }
    if Capability::Cgroup.needs() && Capability::TcpStates.needs() {
        check(&["--through", "system-calls"], 2);
    }
}

/// Prints and records with these flags, which must give so many programs.
#[track_caller]
fn check(way: &[&str], programs: usize) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.rr"), RULES).unwrap();
    let reel = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
        command.args(args).current_dir(folder.path()).stdin(Stdio::null()).env("XDG_STATE_HOME", folder.path());
        command
    };
    let printed = reel(&[&["plan", "--capture", "rules.rr"], way].concat()).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("(outgoing && (($remote_port == 8080) && "), "the rules are not in it:\n{printed}");

    let record = ["record", "-r", "rules.rr", "-o", "recording"];
    let app = ["--", "/bin/sh", "-c", "echo $$; exec sleep 1000"];
    let child = reel(&[&record, way, &app].concat()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut recording = Recording(child);
    // The app starts when everything is attached.
    let mut pid = String::new();
    BufReader::new(recording.0.stdout.take().unwrap()).read_line(&mut pid).unwrap();
    let cgroup_id = cgroup_id(pid.trim());
    let attached = tags(&recording.0.id().to_string());
    assert_eq!(attached.len(), programs, "a recording attaches other programs: {attached:?}");
    assert_eq!(tags_of(&printed, cgroup_id), attached);

    let other = printed.replace("$remote_port == 8080", "$remote_port == 8081");
    assert_ne!(tags_of(&other, cgroup_id), attached, "another filter is another program");
}

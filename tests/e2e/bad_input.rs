//! What is wrong is said by name, with what to do, and with the exit code that fits; nothing is done half.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use reel_tests::process::{free_port, root};
use tempfile::TempDir;

use super::network::{client, counter, with_plain};
use super::support::{REEL, Ran, folder, has, reel};

/// Records a command in a folder of its own.
fn record(args: &[&str], app: &[&str]) -> Ran {
    let folder = folder();
    Ran::of(reel(["record"]).args(args).arg("-o").arg(folder.path().join("recording")).arg("--").args(app))
}

#[test]
fn a_command_that_is_missing() {
    record(&[], &["/no/such/command"]).exits(5).says("/no/such/command");
    record(&[], &[]).exits(2).says("CMD");
}

#[test]
fn an_app_that_exits_at_once() {
    record(&[], &["false"]).exits(5).says("the app ended before it listened on any port: exit status: 1");
}

#[test]
fn an_app_that_never_listens() {
    record(&["--listen-timeout", "1"], &["sleep", "60"]).exits(5).says("listened on no TCP port within 1 seconds");
}

#[test]
fn a_port_in_use() {
    if !has("python3") {
        return;
    }
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = record(&[], &["python3", "-m", "http.server", &port, "--bind", "127.0.0.1"]);
    // The app says why, in its own words; reel says that it ended.
    ran.exits(5).says("Address already in use").says("the app ended before it listened");
}

#[test]
fn without_privilege_the_capability_is_named() {
    let folder = folder();
    let everybody = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    everybody(folder.path(), 0o777);
    let program = folder.path().join("reel");
    fs::copy(REEL, &program).unwrap();
    everybody(&program, 0o755);
    let nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(args);
        Ran::of(command.current_dir(folder.path()).env("HOME", folder.path()).env_remove("XDG_STATE_HOME"))
    };
    nobody(&["record", "--", "sleep", "60"]).exits(3).says("CAP_BPF").says("help:");
    nobody(&["-e", "begin { exit(); }"]).exits(3).says("CAP_BPF").says("help:");
}

#[test]
fn zero_tests_are_not_a_success() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dir = folder.path().join("recording");
    let dependency = counter((Ipv4Addr::LOCALHOST, 0));
    let mut record = reel(["record", "--drive", "true", "-o"]);
    Ran::of(with_plain(record.arg(&dir), port, dependency)).exits(2).says("no request to the app was recorded");
    let mut replay = reel(["replay"]);
    Ran::of(with_plain(replay.arg(&dir), port, dependency)).exits(2).says("has no tests");
}

#[test]
fn a_driver_that_fails() {
    if !has("python3") {
        return;
    }
    let (folder, port) = (folder(), free_port().unwrap());
    let dependency = counter((Ipv4Addr::LOCALHOST, 0));
    let drive = format!("{} && exit 3", client(port));
    let mut record = reel(["record", "--drive", &drive, "-o"]);
    let ran = Ran::of(with_plain(record.arg(folder.path().join("recording")), port, dependency));
    ran.exits(2).says("the command of --drive failed: exit status: 3");
}

#[test]
fn limits_of_time_that_no_clock_can_tell() {
    let endless = u64::MAX.to_string();
    for value in [endless.as_str(), "86401", "0"] {
        record(&["--listen-timeout", value], &["true"]).exits(2).says("--listen-timeout").says("1..=86400");
        for flag in ["--listen-timeout", "--test-timeout"] {
            let ran = Ran::of(&mut reel(["replay", flag, value, "x", "--", "true"])).exits(2);
            ran.says(flag).says("1..=86400");
        }
    }
    for value in [endless.as_str(), "600001"] {
        Ran::of(&mut reel(["replay", "--settle", value, "x", "--", "true"])).exits(2).says("--settle").says("600000");
    }
}

#[test]
fn a_report_that_cannot_be_written_hides_no_failure() {
    let folder = folder();
    fs::write(folder.path().join("recording.yaml"), "format: 99\n").unwrap();
    let mut replay = reel(["replay", "--junit", "/no/such/folder/report.xml"]);
    let ran = Ran::of(replay.arg(folder.path()).args(["--", "true"])).exits(4);
    ran.says("error: ").says("recording.yaml").says("warning: cannot write /no/such/folder/report.xml");
}

#[test]
fn unknown_flags() {
    Ran::of(&mut reel(["record", "--frob", "--", "true"])).exits(2).says("--frob");
    Ran::of(&mut reel(["replay", "--frob", "x", "--", "true"])).exits(2).says("--frob");
    Ran::of(&mut reel(["--frob"])).exits(2).says("--frob");
}

#[test]
fn all_errors_of_a_rule_file_are_shown() {
    let folder = folder();
    let rules = folder.path().join("five.rr");
    let text = "mock:http:out /path = \"/a\"/ { respond(status: 503); }\nnoise:http:response { ignore(body.; }\n\
                match:redis:request { key(1 +); }\nbegin { print(1) print(2); }\nbegin { $a = 09; }\n";
    fs::write(&rules, text).unwrap();
    let missing = folder.path().join("recording");
    for (command, before) in [("record", &["-o"][..]), ("replay", &[])] {
        let mut command = reel([command, "-r"]);
        let ran = Ran::of(command.arg(&rules).args(before).arg(&missing).args(["--", "true"])).exits(2);
        for line in 1..=5 {
            assert!(ran.err.contains(&format!("five.rr:{line}:")), "line {line}: {}", ran.err);
        }
    }
    assert!(!missing.exists());
}

/// A recording of one test, made once for each test that damages it.
struct Recorded {
    folder: TempDir,
}

impl Recorded {
    fn make() -> Recorded {
        let (folder, port) = (folder(), free_port().unwrap());
        let dependency = counter((Ipv4Addr::LOCALHOST, 0));
        let mut record = reel(["record", "--drive", &client(port), "-o"]);
        Ran::of(with_plain(record.arg(folder.path().join("recording")), port, dependency)).exits(0);
        Recorded { folder }
    }

    /// Replaces a file of it, and gives what `show` and `replay` say, which is the same.
    #[track_caller]
    fn with(&self, file: &str, change: impl FnOnce(&str) -> String) -> Ran {
        let dir = self.folder.path().join("recording");
        let path = dir.join(file);
        let whole = fs::read_to_string(&path).unwrap();
        let changed = change(&whole);
        assert_ne!(whole, changed, "nothing was changed");
        fs::write(&path, changed).unwrap();
        let shown = Ran::of(reel(["show"]).arg(&dir));
        let replayed = Ran::of(reel(["replay"]).arg(&dir).args(["--", "true"]));
        fs::write(&path, whole).unwrap();
        assert_eq!((shown.code, &shown.err), (replayed.code, &replayed.err));
        shown
    }
}

#[test]
fn a_damaged_file_is_named_with_its_line() {
    if !has("python3") {
        return;
    }
    let recorded = Recorded::make();
    let (test, mocks) = ("tests/0001-get-ping.yaml", "mocks/redis-0001.yaml");
    recorded
        .with(test, |text| text.replace("status: 200", "status: many"))
        .exits(4)
        .says("0001-get-ping.yaml:")
        .says("status");
    recorded.with(test, |text| text[..text.len() / 2].to_owned()).exits(4).says("0001-get-ping.yaml:");
    recorded.with(test, |text| text.replace("request:", "request: [")).exits(4).says("0001-get-ping.yaml:");
    recorded.with(test, |text| text.replace("redis-0001", "redis-0777")).exits(4).says("redis-0777");
    recorded
        .with(mocks, |text| text.trim_end().trim_end_matches("...").to_owned())
        .exits(4)
        .says("redis-0001.yaml:")
        .says("cut");
    recorded.with(mocks, |text| text.replace("command: INCR", "order: INCR")).exits(4).says("redis-0001.yaml:");
    recorded.with(mocks, |_| String::new()).exits(4).says("redis-0001.yaml:");
    recorded
        .with("recording.yaml", |text| text.replace("complete: true", "complete: false"))
        .exits(4)
        .says("incomplete");
    recorded
        .with("recording.yaml", |text| text.replace("missing_bytes: 0", "missing_bytes: 3"))
        .exits(4)
        .says("3 missing bytes");
    recorded
        .with("recording.yaml", |text| text.replace("format: 1\n", "format: 99\n"))
        .exits(4)
        .says("format version 99 is newer");
}

#[test]
fn a_recording_that_is_none() {
    let folder = folder();
    Ran::of(reel(["replay"]).arg(folder.path()).args(["--", "true"])).exits(2).says("no recording is here");
    Ran::of(reel(["show"]).arg(folder.path().join("none"))).exits(2).says("none");
    Ran::of(reel(["show"]).arg(root().join("Cargo.toml"))).exits(2).says("a recording is a folder");
}

#[test]
fn a_filter_that_matches_no_test() {
    if !has("python3") {
        return;
    }
    let recorded = Recorded::make();
    let mut replay = reel(["replay", "--only", "/nothing"]);
    let ran = Ran::of(replay.arg(recorded.folder.path().join("recording")).args(["--", "true"]));
    ran.exits(2).says("no test matches `/nothing`: none of 1 was run");
    Ran::of(reel(["show"]).arg(recorded.folder.path().join("recording")).arg("99")).exits(2).says("no test 99");
}

#[test]
fn an_existing_recording_is_not_overwritten() {
    if !has("python3") {
        return;
    }
    let recorded = Recorded::make();
    let mut record = reel(["record", "-o"]);
    let ran = Ran::of(record.arg(recorded.folder.path().join("recording")).args(["--", "true"]));
    ran.exits(2).says("exists already").says("--force");
}

#[test]
fn a_place_where_no_recording_can_be_written() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    // Neither below a file nor in a file system of the kernel.
    for place in [file.join("recording").as_path(), Path::new("/proc/reel/recording")] {
        let ran = Ran::of(reel(["record", "-o"]).arg(place).args(["--", "sleep", "60"])).exits(2);
        ran.says("no recording can be written there").says("name a folder that can be written to with `-o DIR`");
    }
    // What is missing above it is made.
    let deep = folder.path().join("a/b/recording");
    let ran = Ran::of(reel(["record", "-o"]).arg(&deep).args(["--", "false"])).exits(5);
    ran.says("the app ended before it listened");
}

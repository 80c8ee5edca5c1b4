//! Replays of a service that tells the time: under the recorded clock it says what it said then, under the machine's own it does not.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use reel_tests::process::{free_port, root};

use super::support::{Ran, folder, has, reel};

pub const DATES: [&str; 3] = ["2024-02-29", "2024-03-01", "2024-03-02"];
/// A day in nanoseconds.
const DAY_NS: u64 = 86_400_000_000_000;

/// A recording of the service.
pub struct Told {
    _folder: tempfile::TempDir,
    dir: PathBuf,
    port: u16,
    /// The program of the service.
    pub program: PathBuf,
}

impl Told {
    /// Records requests; where `dates` are given, of those days.
    #[track_caller]
    pub fn record(paths: &[&str], dates: &[&str]) -> Told {
        let (folder, port) = (folder(), free_port().unwrap());
        let dir = folder.path().join("recording");
        let told = Told { _folder: folder, dir, port, program: root().join("tests/apps/clock/service.py") };
        let client = "import sys, urllib.request\nfor url in sys.argv[1:]: urllib.request.urlopen(url).read()";
        let urls: Vec<String> = paths.iter().map(|path| format!("http://127.0.0.1:{port}{path}")).collect();
        let drive = format!("python3 -c '{client}' {}", urls.join(" "));
        let mut record = reel(["record", "--drive", &drive, "-o"]);
        Ran::of(told.service(&mut record).env("DATES", dates.join(","))).exits(0);
        for (at, _) in dates.iter().enumerate() {
            told.edit(&format!("test-{:04}: {{at_ns: ", at + 1), |line| {
                let rest = line.split_once(',').unwrap().1;
                format!("test-{:04}: {{at_ns: {},{rest}", at + 1, at as u64 * DAY_NS)
            });
        }
        if !dates.is_empty() {
            told.edit("start: ", |_| format!("start: \"{}T12:00:00Z\"", dates[0]));
        }
        told
    }

    fn service<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.arg(&self.dir).args(["--", "python3"]).arg(&self.program);
        command.env("PORT", self.port.to_string())
    }

    /// Changes the one line of `timing.yaml` that begins like this.
    #[track_caller]
    fn edit(&self, begins: &str, change: impl Fn(&str) -> String) {
        let path = self.dir.join("timing.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with(begins)).count(), 1, "{begins} in:\n{text}");
        let lines = text.lines().map(|line| if line.starts_with(begins) { change(line) } else { line.to_owned() });
        let text: String = lines.filter(|line| !line.is_empty()).map(|line| line + "\n").collect();
        fs::write(&path, text).unwrap();
    }

    pub fn replay(&self, options: &[&str]) -> Ran {
        Ran::of(self.service(reel(["replay"]).args(options)))
    }
}

#[test]
fn a_service_that_tells_the_day_is_replayed_on_its_days() {
    if !has("python3") {
        return;
    }
    let told = Told::record(&["/", "/", "/"], &DATES);
    let first = told.replay(&[]).exits(0).prints("clock: recorded\n3 passed, 0 failed\n");
    for _ in 1..10 {
        assert_eq!(told.replay(&[]).exits(0).out, first.out);
    }
    let frozen = told.replay(&["--clock", "frozen"]).exits(0);
    assert_eq!(frozen.out, first.out.replace("clock: recorded", "clock: frozen"));
    // The start-up is of another day, too.
    let real = told.replay(&["--clock", "real"]).exits(1).prints("clock: real\n0 passed, 3 failed\n");
    assert!(real.out.contains("2024-02-29 2024-03-02"), "{}", real.out);
    told.replay(&["--clock", "recorded", "--only", "0003"]).exits(0).prints("1 passed, 0 failed\n");
}

#[test]
fn a_frozen_clock_gives_the_same_instant_each_time() {
    if !has("python3") {
        return;
    }
    let told = Told::record(&["/instant", "/instant"], &[]);
    let first = told.replay(&["--clock", "frozen"]).exits(1);
    assert_eq!(told.replay(&["--clock", "frozen"]).exits(1).out, first.out);
    // The first byte of a request came before the service read the clock.
    let number = |sign: &str| -> Vec<u64> {
        let lines =
            first.out.lines().filter_map(|line| line.trim().strip_prefix(sign)?.trim().trim_matches('"').parse().ok());
        lines.collect()
    };
    let (was, is) = (number("-"), number("+"));
    assert!(was.len() == 2 && is.len() == 2 && is[0] < was[0] && was[0] < is[1] && is[1] < was[1], "{}", first.out);
}

#[test]
fn a_recording_that_does_not_say_when_it_was_made() {
    if !has("python3") {
        return;
    }
    let told = Told::record(&["/", "/"], &DATES[..2]);
    told.edit("test-0002: ", |_| String::new());
    told.replay(&[]).exits(1).prints("clock: recorded, and not set for 1 test whose time is not recorded\n");
    told.edit("start: ", |_| "start: yesterday".to_owned());
    told.replay(&[]).exits(4).says("timing.yaml:1: `start` wants an instant of RFC 3339, found `yesterday`");
    told.edit("start: ", |_| String::new());
    let why = "the recording does not say when it was made";
    told.replay(&[]).exits(1).prints(&format!("clock: real, since {why}\n"));
    told.replay(&["--clock", "recorded"]).exits(4).says(&format!("--clock recorded: {why}"));
    told.replay(&["--clock", "frozen"]).exits(4).says(&format!("--clock frozen: {why}"));
    told.replay(&["--clock", "noon"]).exits(2).says("[possible values: recorded, frozen, real]");
}

/// A program that is traced by its parent is not reached: the report names it.
#[test]
fn a_program_that_keeps_the_machine_s_clock_is_named() {
    if !has("python3") || !has("gcc") {
        return;
    }
    let told = Told::record(&["/"], &DATES[..1]);
    let folder = folder();
    let tracer = folder.path().join("tracer");
    Ran::of(Command::new("gcc").arg("-o").arg(&tracer).arg(root().join("tests/apps/clock/tracer.c"))).exits(0);
    let script = "\"$0\" >/dev/null; exec python3 \"$1\"";
    let mut replay = reel(["replay"]);
    replay.arg(&told.dir).args(["--", "sh", "-c", script]).arg(&tracer);
    replay.arg(root().join("tests/apps/clock/service.py")).env("PORT", told.port.to_string());
    Ran::of(&mut replay).exits(0).prints("clock: recorded, but real for date\n1 passed, 0 failed\n");
}

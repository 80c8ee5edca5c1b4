//! The tracing language on the real kernel: what a script counts of a process is what that process did.
//!
//! Each test starts a shell that waits for a word, lets reel attach with a filter on its process id, and then lets it go on. The
//! script ends when the shell does.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use reel_tests::process::Running;

use super::support::{Ran, has, reel};

/// Runs a script, `PID` in which stands for the process of `workload`, until that process ends.
#[track_caller]
fn traced(args: &[&str], script: &str, workload: &str) -> Ran {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("read go; {workload}")).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut shell = Running::start(&mut shell).unwrap();
    let last = "tracepoint:syscalls:sys_enter_exit_group /pid == PID/ { exit(); }";
    let script = format!("{script}\n{last}").replace("PID", &shell.0.id().to_string());
    let mut command = reel(args.iter().copied().chain(["-e", &script]));
    let mut tracer = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    let mut lines = BufReader::new(tracer.0.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    if first.contains("ttached") {
        shell.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        lines.read_to_string(&mut out).unwrap();
    }
    tracer.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Ran { code: tracer.0.wait().unwrap().code(), out, err }
}

/// Three writes, of 2, 4 and 6 bytes.
const WRITES: &str = "echo 1; echo 333; echo 55555";

#[test]
fn begin_and_end_print_and_exit_gives_the_code() {
    let ran =
        Ran::of(&mut reel(["-q", "-e", "begin { printf(\"hello %d\\n\", 40 + 2); exit(7); } end { print(\"bye\"); }"]));
    assert_eq!(ran.exits(7).out, "hello 42\nbye\n");
}

#[test]
fn every_aggregation_of_a_tracepoint() {
    let script = "tracepoint:syscalls:sys_enter_write /pid == PID && args.fd == 1/ {
        @count = count(); @sum = sum(args.count); @avg = avg(args.count); @min = min(args.count); @max = max(args.count);
        @by[comm, args.count] = count(); @hist = hist(args.count); @lhist = lhist(args.count, 0, 10, 2); }";
    let ran = traced(&[], script, WRITES);
    let ran = ran
        .exits(0)
        .prints("@count: 3\n")
        .prints("@sum: 12\n")
        .prints("@avg: 4\n")
        .prints("@min: 2\n")
        .prints("@max: 6\n");
    let ran = ran.prints("@by[sh, 2]: 1\n").prints("@by[sh, 4]: 1\n").prints("@by[sh, 6]: 1\n");
    let rows = |name: &str| -> Vec<String> {
        let lines = ran.out.lines().skip_while(|line| line.trim_end() != format!("@{name}:"));
        let rows = lines.skip(1).take_while(|line| line.starts_with('['));
        rows.map(|row| row.split('|').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert_eq!(rows("hist"), ["[2, 4) 1", "[4, 8) 2"], "{}", ran.out);
    assert_eq!(rows("lhist"), ["[2, 4) 1", "[4, 6) 1", "[6, 8) 1"], "{}", ran.out);
}

#[test]
fn json_lines_can_be_read_by_machines() {
    let script = "tracepoint:syscalls:sys_enter_write /pid == PID && args.fd == 1/ {
        printf(\"%d\\n\", args.count); @by[args.count] = count(); }";
    let ran = traced(&["-f", "json"], script, WRITES).exits(0);
    let lines: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_type = |kind: &str| lines.iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    assert_eq!(of_type("printf").len(), 3, "{}", ran.out);
    assert_eq!(of_type("map").first().unwrap()["data"]["@by"]["4"], 1, "{}", ran.out);
}

#[test]
fn an_interval_ends_the_script() {
    let ran = Ran::of(&mut reel([
        "-q",
        "-e",
        "interval:ms:5 { @n++; if (@n >= 3) { printf(\"%d\\n\", @n); clear(@n); exit(); } }",
    ]));
    assert_eq!(ran.exits(0).out, "3\n");
}

#[test]
fn a_uprobe_finds_a_library_by_its_name() {
    if !has("python3") {
        return;
    }
    let script = "uprobe:libc:getenv /pid == PID/ { @[comm] = count(); }";
    traced(&[], script, "exec python3 -c pass").exits(0).prints("@[python3]: ");
}

#[test]
fn a_wildcard_of_syscalls_names_each_probe() {
    let script = "tracepoint:syscalls:sys_enter_* /pid == PID/ { @[probe] = count(); }";
    let ran = traced(&[], script, WRITES).exits(0);
    ran.prints("@[tracepoint:syscalls:sys_enter_write]: 3\n")
        .prints("@[tracepoint:syscalls:sys_enter_exit_group]: 1\n");
}

#[test]
fn a_command_runs_beside_the_script_and_ends_it() {
    let ran = Ran::of(&mut reel([
        "-q",
        "-e",
        "begin { print(\"begun\"); } end { print(\"ended\"); }",
        "-c",
        "echo by the command",
    ]));
    assert_eq!(ran.exits(0).prints("by the command\n").prints("begun\n").out.lines().last(), Some("ended"));
}

#[test]
fn a_script_with_an_error_runs_nothing() {
    let ran = Ran::of(&mut reel(["-e", "begin { print(\"begun\"); print(nothing); }"])).exits(2);
    assert_eq!(ran.out, "");
    ran.says("error[E").says("nothing");
    Ran::of(&mut reel(["no/such/script.rr"])).exits(2).says("no/such/script.rr");
}

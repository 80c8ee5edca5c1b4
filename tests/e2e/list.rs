//! `reel list` as a program: into a pipe, and without looking at more than is asked for.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use reel_tests::process::Running;

use super::support::{Ran, folder, reel};

#[test]
fn a_reader_that_has_seen_enough_ends_the_list() {
    let mut lister = Running::start(reel(["list"]).stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    let mut lines = BufReader::new(lister.0.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    drop(lines);
    assert_eq!(first, "http:request\n");
    let code = lister.0.wait().unwrap().code();
    let said = std::io::read_to_string(lister.0.stderr.take().unwrap()).unwrap();
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[test]
fn tracepoints_are_listed_without_the_kernels_types() {
    let mut lister = Running::start(reel(["list", "tracepoint:*"]).stdout(Stdio::piped())).unwrap();
    let mut lines = BufReader::new(lister.0.stdout.take().unwrap());
    let mut first = String::new();
    // More is to come than a pipe holds, so that the program is still there.
    lines.read_line(&mut first).unwrap();
    assert!(first.starts_with("tracepoint:"), "{first}");
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", lister.0.id())).unwrap();
    assert!(maps.contains("reel-e2e") && !maps.contains("btf/vmlinux"), "{maps}");
}

#[test]
fn the_flag_of_bpftrace_lists_too() {
    let list = Ran::of(&mut reel(["list", "-v", "tracepoint:sched:sched_process_e*"])).exits(0);
    let flag = Ran::of(&mut reel(["-lv", "tracepoint:sched:sched_process_e*"])).exits(0);
    assert_eq!(list.out, flag.out);
    let program = "tracepoint:sched:sched_process_e*, begin { } http:in:request { } begin { }";
    let expect = "tracepoint:sched:sched_process_exec\ntracepoint:sched:sched_process_exit\nbegin\nhttp:in:request\n";
    let ran = Ran::of(&mut reel(["-l", "-e", program])).exits(0);
    assert_eq!(ran.out, expect);
    let dir = folder();
    let file = dir.path().join("program.rr");
    std::fs::write(&file, program).unwrap();
    assert_eq!(Ran::of(reel(["-l"]).arg(&file)).exits(0).out, expect);
    let with_details = |args: &[&str]| {
        Ran::of(&mut reel(["-l", "-e", "tcp:in:close { @ = count(); }"].iter().chain(args))).exits(0).out
    };
    assert!(with_details(&["-v"]).starts_with("tcp:in:close\n    string   closer "));
    assert!(with_details(&["-f", "json"]).contains("\"doc\":\"A connection is over"));
    assert!(with_details(&["-v", "-f", "json"]).contains("\"name\":\"closer\""));
    Ran::of(&mut reel(["-l", "tracepoint:sched:no_such"])).exits(2).says("matches no probe");
}

//! Commands that show and check scripts, run as a user runs them: data files, each a command line and what it prints.
//!
//! A case in `tests/cli/NAME.case` is `$ reel ARGS` lines, each followed by the answer: standard output, then `stderr:` lines, then
//! `exit N`. Lines `file NAME` before them, up to `---`, are files of the case's folder. `BLESS=1` rewrites the answers. What
//! depends on the running kernel is not in these files but tested in code below.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn reel(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Words of a command line; those in single quotes are one.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, piece) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Runs a case, and gives it with the answers that were seen.
fn run(case: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut out = String::new();
    let (files, commands) = match case.split_once("\n---\n") {
        Some((files, commands)) => (files, commands),
        None => ("", case),
    };
    let mut name = None;
    for line in files.lines() {
        match line.strip_prefix("file ") {
            Some(file) => {
                name = Some(folder.path().join(file));
                std::fs::write(name.as_ref().unwrap(), "").unwrap();
            }
            None if line.starts_with("//") && name.is_none() => {}
            None => {
                let path = name.as_ref().unwrap();
                let before = std::fs::read_to_string(path).unwrap();
                std::fs::write(path, format!("{before}{line}\n")).unwrap();
            }
        }
    }
    if !files.is_empty() {
        let _ = write!(out, "{files}\n---\n");
    }
    for line in commands.lines().filter(|line| line.starts_with("$ reel ")) {
        let words = words(&line["$ reel ".len()..]);
        let output = reel(folder.path(), &words.iter().map(String::as_str).collect::<Vec<_>>());
        let _ = writeln!(out, "{line}");
        out += &text(&output.stdout);
        if !output.stderr.is_empty() {
            let _ = write!(out, "stderr:\n{}", text(&output.stderr));
        }
        let _ = writeln!(out, "exit {}", output.status.code().unwrap());
    }
    out
}

#[test]
fn commands_answer_as_the_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.ends_with(".case"), "{name} is no case");
        let case = std::fs::read_to_string(file).unwrap();
        let seen = run(&case);
        assert!(seen.contains("\nexit ") || seen.starts_with("exit "), "{name} runs nothing");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(file, &seen).unwrap();
        } else if seen != case {
            wrong.push(format!("=== {name}\n{seen}"));
        }
    }
    assert!(files.len() >= 3, "the cases are missing");
    assert!(wrong.is_empty(), "differ from what is expected (BLESS=1 accepts):\n{}", wrong.join("\n"));
}

/// A script for the kernel: what it becomes depends on the kernel in details, so the dumps are tested for what they must have.
const KERNEL: &str = "tracepoint:raw_syscalls:sys_enter /pid == 1/ { @[comm] = count(); }";

fn dump(stage: &str, script: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let first = reel(here, &["debug", stage, "-e", script]);
    assert_eq!(first.status.code(), Some(0), "{stage}: {}", text(&first.stderr));
    let second = reel(here, &["debug", stage, "-e", script]);
    assert_eq!(text(&first.stdout), text(&second.stdout), "{stage} is not deterministic");
    text(&first.stdout)
}

fn has(stage: &str, script: &str, parts: &[&str]) {
    let shown = dump(stage, script);
    for part in parts {
        assert!(shown.contains(part), "{stage}: {part:?} is missing in\n{shown}");
    }
}

#[test]
fn kernel_clauses_are_dumped_at_every_stage() {
    if !reel_probes::doctor::Capability::Tracefs.needs() {
        return;
    }
    has("ir", KERNEL, &["; kernel\n", "; clause0: function 0, program r0_sys_enter, section tracepoint", "map0: "]);
    has("bpf", KERNEL, &["program r0_sys_enter section tracepoint", "; <arg>:1:", " pid == 1", "call helper#", "exit"]);
    has("elf", KERNEL, &["tracepoint", ".maps", ".BTF", "license", "relocation at", "symbol  r0_sys_enter"]);
    has("clif", KERNEL, &["; nothing of this runs natively"]);
}

#[test]
fn native_clauses_are_dumped_at_every_stage() {
    const RULE: &str = "capture:http:in /port == 8080 && path != \"/healthz\"/ { }";
    has("ir", RULE, &["; native\n", "function \"clause0_predicate\"", "\"/healthz\""]);
    has("clif", RULE, &["; clause0_predicate", "function u0:", "brif"]);
    has("asm", RULE, &["; clause0_predicate", "ret"]);
    has("bpf", RULE, &["; nothing of this runs in the kernel"]);
    has("elf", RULE, &["; nothing of this runs in the kernel"]);
}

#[test]
fn doctor_answers_for_people_and_for_machines() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown = reel(here, &["doctor"]);
    let lines = reel(here, &["doctor", "--format", "json"]);
    assert_eq!(shown.status.code(), lines.status.code());
    let values: Vec<serde_json::Value> =
        text(&lines.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let capture = values.last().unwrap();
    let can_record = capture["ok"].as_bool().unwrap();
    let shown = text(&shown.stdout);
    for value in values.iter().filter(|value| value["check"].is_string()) {
        assert!(shown.contains(value["check"].as_str().unwrap()), "{value} is missing in\n{shown}");
        assert!(value["ok"] == true || !value["remedy"].as_str().unwrap().is_empty(), "{value}");
    }
    if can_record {
        assert!(shown.contains(&format!("recording reads traffic through: {}", capture["capture"].as_str().unwrap())));
    } else {
        assert_eq!(lines.status.code(), Some(3));
    }
}

#[test]
fn what_a_script_complains_of_goes_to_standard_error_with_its_place() {
    if !reel_probes::doctor::Capability::RawTracepoint.needs() {
        return;
    }
    let script = "begin { printf(\"fine\\n\"); errorf(\"bad %d\\n\", 1); warnf(\"odd %d\\n\", 2); }";
    let run = |options: &[&str]| {
        let output = reel(Path::new("."), &[&["-q", "-e", script], options].concat());
        (text(&output.stdout), text(&output.stderr))
    };
    let complaints = "ERROR: <arg>:1:27: bad 1\nWARNING: <arg>:1:50: odd 2\n";
    assert_eq!(run(&[]), ("fine\n".to_owned(), complaints.to_owned()));
    let (out, err) = run(&["-f", "json"]);
    assert!(out.contains("{\"type\": \"errorf\", \"data\": \"bad 1\\n\"}") && err.is_empty(), "{out}{err}");
}

//! Scripts through the whole compiler into the running kernel: its verifier takes every program that the compiler emits.
#![allow(clippy::unwrap_used, clippy::panic)]

mod script;

use std::path::PathBuf;

use reel_compiler::bpf;
use reel_compiler::ir::CompareOp;
use reel_compiler::ir::parse::parse;
use reel_compiler::plan::{Fact, Filter, Filters};
use reel_lang::diagnostic::Diagnostics;
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::env::ProbeKind;
use reel_probes::attach::Attach;
use reel_probes::doctor::Rung;
use reel_probes::load::{LoadError, Loaded};
use reel_probes::programs::{self, Transports};
use script::Script;

fn compile(name: &str, text: &str, positional: &[&str]) -> Script {
    script::compile(name, text, positional).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Has every program of a script verified, and shows what was refused as its author would see it.
fn verify(script: &Script) {
    let mut loaded = Loaded::new(&script.object.elf).unwrap();
    for (index, program) in script.lowered.programs.iter().enumerate() {
        let target = |i: usize| program.attach[0].point.target.get(i).cloned().unwrap_or_default();
        let at = match program.kind {
            ProbeKind::BtfTracepoint => Attach::BtfTracePoint { name: target(0) },
            // Where it would be attached does not matter to the verifier.
            _ => Attach::Cgroup { path: PathBuf::new() },
        };
        let name = format!("p{index}");
        match loaded.check(&name, &at) {
            Ok(()) => {}
            Err(LoadError::Rejected(rejection)) => {
                let mut all = Diagnostics::new();
                all.push(bpf::diagnose(&script.object, &name, &rejection.log));
                let shown = render::text_all(&all, &script.sources, Colour::Plain);
                let log: Vec<&str> = rejection.log.lines().rev().take(40).collect();
                let listing = bpf::disassemble(&script.object, Some(&script.sources));
                panic!("{listing}\n{}\n{shown}", log.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn the_capture_program_is_verified() {
    let address = Filter::Address { fact: Fact::Addr, is: [10, 0, 0, 1].into() };
    let port = Filter::Port { fact: Fact::PeerPort, op: CompareOp::Gt, number: 1024 };
    let some = Filters { incoming: Filter::Not(Box::new(address.clone())), outgoing: Filter::Any(vec![address, port]) };
    let none = Filters { incoming: Filter::Const(false), ..Filters::default() };
    for filters in [Filters::default(), some, none] {
        for rung in Rung::LADDER {
            verify(&compile("capture.rr", &programs::capture(rung, &filters, Transports::TcpAndUdp), &["1", "524288"]));
        }
    }
}

#[test]
fn the_replay_programs_are_verified() {
    verify(&compile("redirect.rr", &programs::redirect(), &["1", "20480"]));
}

#[test]
fn socket_storage_is_made_with_its_types() {
    let module = parse(include_str!("../../compiler/tests/bpf/storage.ir")).unwrap();
    let program = bpf::Program { function: 0, section: "cgroup/connect4".to_owned(), name: "f".to_owned() };
    let object = bpf::compile(&module, &[program], &bpf::Options::default()).unwrap();
    let mut loaded = Loaded::new(&object.elf).unwrap();
    loaded.check("f", &Attach::Cgroup { path: PathBuf::new() }).unwrap();
}

/// One-liners as people write them, each with something of its own for the back end.
const SCRIPTS: &[&str] = &[
    "tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }",
    "tracepoint:syscalls:sys_enter_openat { printf(\"%s %s\\n\", comm, str(args.filename)); }",
    "tracepoint:syscalls:sys_exit_read /args.ret > 0/ { @bytes[comm, pid] = sum(args.ret); @h = hist(args.ret); }",
    "tracepoint:syscalls:sys_enter_read { @start[tid] = nsecs; } tracepoint:syscalls:sys_exit_read /@start[tid]/ { @ns[comm] = hist(nsecs - @start[tid]); delete(@start, tid); }",
    "tracepoint:syscalls:sys_exit_read { @ = lhist(args.ret, 0, 2000, 200); @s = stats(args.ret); @a = avg(args.ret); @mi = min(args.ret); @ma = max(args.ret); }",
    "tracepoint:sched:sched_switch { @[args.prev_comm, args.next_pid] = count(); }",
    "rawtracepoint:sys_enter { @[arg1 % 7] = count(); }",
    "begin { $i = 0; while ($i < 20) { @[$i] = $i * $i; $i++; } printf(\"%d\\n\", $i); exit(3); }",
    "begin { $a = 7; $b = -2; printf(\"%d %d %d\\n\", $a / $b, $a % $b, $a >> 1); }",
    "begin { @x = 1; @x += 41; if (@x == 42) { printf(\"yes %s\\n\", \"forty two\"); } else { print(@x); } clear(@x); }",
    "begin { @a[\"key\", 1] = (1, \"two\", 3); $t = @a[\"key\", 1]; printf(\"%d %s\\n\", $t.0, $t.1); }",
    "uprobe:libc:getenv { @[str(arg0)] = count(); }",
    "interval:s:1 { time(\"%H\"); print(@); clear(@); @ = count(); }",
    "tp_btf:sched_process_exec { printf(\"%s %d\\n\", args.p.comm, args.p.pid); }",
    "tracepoint:syscalls:sys_enter_* { @[probe] = count(); }",
    "tracepoint:raw_syscalls:sys_exit /uid != 0 && gid != 0 || cpu == 1/ { @[cgroup, elapsed / 1000000000] = count(); }",
];

#[test]
fn every_script_is_verified() {
    let mut faults = String::new();
    for text in SCRIPTS {
        match std::panic::catch_unwind(|| verify(&compile("script.rr", text, &[]))) {
            Ok(()) => {}
            Err(_) => faults += &format!("{text}\n"),
        }
    }
    assert_eq!(faults, "");
}

//! From a lowered program to the kernel: the section that says its kind, and the points that it is attached to.

use std::path::{Path, PathBuf};

use reel_compiler::bpf;
use reel_compiler::lower::Program;
use reel_lang::env::{AttachPoint, ProbeKind};
use reel_probes::attach::{Attach, SampleRate};
use reel_probes::catalog;

/// The object's program of a lowered one.
pub fn section((index, program): (usize, &Program)) -> bpf::Program {
    bpf::Program { function: program.function as usize, section: section_name(program), name: name(index, program) }
}

/// The name of a lowered program in the object, by its index: unique, and telling in `bpftool prog`.
pub fn name(index: usize, program: &Program) -> String {
    let what = program.attach.first().map_or("none", |attach| attach.point.target.last().map_or("", String::as_str));
    let what: String = what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(10).collect();
    format!("r{index}_{what}")
}

fn section_name(program: &Program) -> String {
    let target = |i: usize| program.attach.first().and_then(|attach| attach.point.target.get(i)).map_or("", |t| t);
    if program.folded.is_some() {
        return "raw_tp".to_owned();
    }
    match program.kind {
        ProbeKind::Begin | ProbeKind::End | ProbeKind::Interval | ProbeKind::RawTracepoint => "raw_tp".to_owned(),
        ProbeKind::Profile => "perf_event".to_owned(),
        ProbeKind::Tracepoint => "tracepoint".to_owned(),
        ProbeKind::BtfTracepoint => "tp_btf".to_owned(),
        ProbeKind::Uprobe => "uprobe".to_owned(),
        ProbeKind::Uretprobe => "uretprobe".to_owned(),
        ProbeKind::Kprobe => "kprobe".to_owned(),
        ProbeKind::Kretprobe => "kretprobe".to_owned(),
        ProbeKind::Fentry => "fentry".to_owned(),
        ProbeKind::Fexit => "fexit".to_owned(),
        ProbeKind::Cgroup => format!("cgroup/{}", target(0)),
        ProbeKind::Sockops => "sockops".to_owned(),
    }
}

/// What a program hangs on.
#[derive(Debug, Clone, PartialEq)]
pub enum Hook {
    /// Nothing: reel runs it once, at the start or the end.
    Begin,
    End,
    /// Nothing: reel runs it by a timer.
    Interval(std::time::Duration),
    Kernel(Attach),
}

/// The hooks of a lowered program, with the cookie of each. `cgroup` is where cgroup hooks attach.
pub fn hooks(program: &Program, cgroup: Option<&Path>) -> Vec<(Hook, u64)> {
    if let Some(name) = program.folded {
        return vec![(Hook::Kernel(Attach::RawTracePoint { name: name.to_owned() }), 0)];
    }
    program
        .attach
        .iter()
        .filter_map(|attach| hook(&attach.point, cgroup).map(|hook| (hook, attach.cookie.unwrap_or(0))))
        .collect()
}

fn hook(point: &AttachPoint, cgroup: Option<&Path>) -> Option<Hook> {
    let target = |i: usize| point.target.get(i).cloned().unwrap_or_default();
    let number = |i: usize| point.target.get(i).and_then(|text| text.parse().ok()).unwrap_or(0);
    Some(Hook::Kernel(match point.kind {
        ProbeKind::Begin => return Some(Hook::Begin),
        ProbeKind::End => return Some(Hook::End),
        ProbeKind::Interval => return catalog::period(point).map(Hook::Interval),
        ProbeKind::Profile => {
            let period = catalog::period(point)?;
            Attach::Sample { every: SampleRate::EveryNs(u64::try_from(period.as_nanos()).ok()?) }
        }
        ProbeKind::Tracepoint => Attach::TracePoint { category: target(0), name: target(1) },
        ProbeKind::RawTracepoint => Attach::RawTracePoint { name: target(0) },
        ProbeKind::BtfTracepoint => Attach::BtfTracePoint { name: target(0) },
        ProbeKind::Uprobe | ProbeKind::Uretprobe => {
            Attach::UProbe { path: PathBuf::from(target(0)), offset: number(2), pid: None }
        }
        ProbeKind::Kprobe | ProbeKind::Kretprobe => Attach::KProbe { function: target(0), offset: number(1) },
        ProbeKind::Fentry => Attach::Fentry { function: target(0) },
        ProbeKind::Fexit => Attach::Fexit { function: target(0) },
        ProbeKind::Cgroup | ProbeKind::Sockops => Attach::Cgroup { path: cgroup?.to_owned() },
    }))
}

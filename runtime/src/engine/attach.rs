//! From a lowered program to the kernel: its name in the object, and the points that it is attached to.

use std::path::Path;
use std::time::Duration;

use reel_compiler::bpf;
use reel_compiler::lower::Program;
use reel_lang::env::ProbeKind;
use reel_probes::attach::{Attach, Scope};
use reel_probes::catalog;
use reel_probes::load::LoadError;

/// The object's program of a lowered one.
pub fn section((index, program): (usize, &Program)) -> bpf::Program {
    bpf::Program { function: program.function as usize, section: program.section(), name: name(index, program) }
}

/// The name of a lowered program in the object, by its index: unique, and telling in `bpftool prog`.
pub fn name(index: usize, program: &Program) -> String {
    let what = program.attach.first().map_or("none", |attach| attach.point.target.last().map_or("", String::as_str));
    let what: String = what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(10).collect();
    format!("r{index}_{what}")
}

/// What a program hangs on.
#[derive(Debug, Clone, PartialEq)]
pub enum Hook {
    /// Nothing: reel runs it once, at the start or the end.
    Begin,
    End,
    /// Nothing: reel runs it by a timer.
    Interval(Duration),
    Kernel(Attach),
}

/// The hooks of a lowered program, with the cookie of each. `cgroup` is where cgroup hooks attach.
///
/// # Errors
/// A point does not exist on this machine.
pub fn hooks(program: &Program, cgroup: Option<&Path>) -> Result<Vec<(Hook, u64)>, LoadError> {
    if let Some(name) = program.folded {
        return Ok(vec![(Hook::Kernel(Attach::RawTracePoint { name: name.to_owned() }), 0)]);
    }
    let scope = Scope { cgroup: cgroup.map(Path::to_owned), pid: None };
    let mut hooks = Vec::with_capacity(program.attach.len());
    for attach in &program.attach {
        let hook = match (Attach::of_point(&attach.point, &scope)?, attach.point.kind) {
            (Some(at), _) => Hook::Kernel(at),
            (None, ProbeKind::End) => Hook::End,
            (None, _) => catalog::period(&attach.point).map_or(Hook::Begin, Hook::Interval),
        };
        hooks.push((hook, attach.cookie.unwrap_or(0)));
    }
    Ok(hooks)
}

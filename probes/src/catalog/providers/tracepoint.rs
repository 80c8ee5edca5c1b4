//! `tracepoint:CATEGORY:NAME`: the kernel's stable events, with their fields as `args`.
//!
//! Example: `tracepoint:sched:sched_process_exec { print(args.filename); }`. Linux 4.7.
//!
//! Each tracepoint is slow to detach (tens of milliseconds), and `syscalls:sys_enter_*` is 360 of
//! them. So several syscalls from one header are points of the one raw tracepoint that sees all:
//! their arguments come out of the registers, and each says its number.

use std::ops::ControlFlow;
use std::thread;

use reel_lang::env::{Arg, ArgAt, ArgsLayout, AttachError, AttachPoint, ProbeKind};
use reel_lang::ty::Space;

use super::{Provider, malformed, not_found, unsupported};
use crate::catalog::format::{self, Field, Form};
use crate::catalog::list::Each;
use crate::catalog::{glob, syscalls, tracefs};

pub(super) const TRACEPOINT: Provider = Provider {
    names: &["tracepoint", "t"],
    form: "`tracepoint:CATEGORY:NAME`, such as `tracepoint:syscalls:sys_enter_openat`",
    attach,
    list,
};

const SYSCALLS: &str = "syscalls";
/// The category of ftrace's own events, which have no tracepoint behind them.
const FTRACE: &str = "ftrace";
/// From how many tracepoints on their formats are read by several threads, and by how many at most.
const MANY: usize = 32;
const MAX_WORKERS: usize = 4;
/// Where the arguments of a syscall begin in its record, each a word (struct syscall_trace_enter).
const FIRST_ARG: u32 = 16;

fn attach(parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    let [category, name] = parts else {
        return malformed();
    };
    let names = expand(category, name)?;
    let folded = names.iter().filter(|(category, _)| category == SYSCALLS).count() > 1;
    let points = points(&names, folded)?;
    if points.is_empty() { Err(nearest(category, name)) } else { Ok(points) }
}

fn list(pattern: &str, each: Each<'_>) -> Result<ControlFlow<()>, AttachError> {
    let mut all = tracefs::tracepoints().map_err(unsupported)?;
    all.retain(|(category, name)| category != FTRACE && glob::matches(pattern, &format!("{category}:{name}")));
    all.sort();
    for (category, name) in all {
        let args = || {
            let format = tracefs::read(&category, &name, "format").ok().flatten();
            record(&format::parse(&format.unwrap_or_default()), &category)
        };
        if each(&format!("tracepoint:{category}:{name}"), &args).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Looks at each tracepoint's format. The kernel makes the text anew for each reader (some 35 us), so that many are
/// shared out to threads: a wildcard over all syscalls would otherwise be half of a one-liner's start.
fn points(names: &[(String, String)], folded: bool) -> Result<Vec<AttachPoint>, AttachError> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    if names.len() < MANY || workers == 1 {
        return some(names, folded);
    }
    thread::scope(|scope| {
        let chunks = names.chunks(names.len().div_ceil(workers));
        let running: Vec<_> = chunks.map(|chunk| scope.spawn(move || some(chunk, folded))).collect();
        let mut points = Vec::new();
        for worker in running {
            match worker.join() {
                Ok(found) => points.extend(found?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(points)
    })
}

fn some(names: &[(String, String)], folded: bool) -> Result<Vec<AttachPoint>, AttachError> {
    let mut points = Vec::new();
    for (category, name) in names {
        // A tracepoint can go away between the list and the look at it, with its module.
        if let Some(format) = tracefs::read(category, name, "format").map_err(unsupported)? {
            points.push(point(category, name, &format::parse(&format), folded));
        }
    }
    Ok(points)
}

fn point(category: &str, name: &str, fields: &[Field], folded: bool) -> AttachPoint {
    let syscall = if folded && category == SYSCALLS { syscall(name) } else { None };
    let args = match &syscall {
        Some(syscall) => registers(fields, syscall),
        None => record(fields, category),
    };
    let layout = ArgsLayout { args, syscall: syscall.map(|syscall| syscall.number) };
    AttachPoint {
        kind: ProbeKind::Tracepoint,
        name: format!("tracepoint:{category}:{name}"),
        target: vec![category.to_string(), name.to_string()],
        args: layout.into(),
    }
}

/// Returns the tracepoints that are meant; a name without wildcard is not looked up here.
fn expand(category: &str, name: &str) -> Result<Vec<(String, String)>, AttachError> {
    if !glob::is_pattern(category) && !glob::is_pattern(name) {
        return Ok(vec![(category.to_string(), name.to_string())]);
    }
    let all = tracefs::tracepoints().map_err(unsupported)?;
    let mut found: Vec<_> = all
        .into_iter()
        .filter(|(c, n)| glob::matches(category, c) && glob::matches(name, n))
        .filter(|(c, _)| c != FTRACE)
        .collect();
    found.sort();
    Ok(found)
}

fn nearest(category: &str, name: &str) -> AttachError {
    let all = tracefs::tracepoints().unwrap_or_default();
    let near = |all: Vec<String>, name: &str| not_found(name, all.iter().map(String::as_str));
    let same: Vec<String> = all.iter().filter(|(c, _)| c == category).map(|(c, n)| format!("{c}:{n}")).collect();
    if same.is_empty() {
        let whole = all.into_iter().map(|(c, n)| format!("{c}:{n}")).collect();
        return near(whole, &format!("{category}:{name}"));
    }
    near(same, &format!("{category}:{name}"))
}

struct Syscall {
    number: u32,
    at_exit: bool,
}

fn syscall(name: &str) -> Option<Syscall> {
    let (bare, at_exit) = match name.strip_prefix("sys_enter_") {
        Some(bare) => (bare, false),
        None => (name.strip_prefix("sys_exit_")?, true),
    };
    Some(Syscall { number: syscalls::number(bare)?, at_exit })
}

/// The fields where the tracepoint's record is the context.
fn record(fields: &[Field], category: &str) -> Vec<Arg> {
    let space = if category == SYSCALLS { Space::User } else { Space::Kernel };
    let arg = |field: &Field| {
        let at = match field.form {
            Form::DataLoc => ArgAt::DataLoc { offset: field.offset },
            Form::Value | Form::Array => ArgAt::Record { offset: field.offset, len_bytes: field.len_bytes },
        };
        Arg { name: field.name.clone(), ty: field.ty(space), at }
    };
    fields.iter().map(arg).collect()
}

/// The same fields where the raw `sys_enter` or `sys_exit` is the context.
fn registers(fields: &[Field], syscall: &Syscall) -> Vec<Arg> {
    let arg = |field: &Field| {
        let at = match field.name.as_str() {
            "__syscall_nr" if syscall.at_exit => return None,
            "__syscall_nr" => ArgAt::Raw(1),
            _ if syscall.at_exit => ArgAt::SyscallResult,
            _ => ArgAt::Syscall(field.offset.checked_sub(FIRST_ARG)? / 8),
        };
        // Some architectures put a copy of a string argument behind the words: no register.
        if field.form == Form::DataLoc {
            return None;
        }
        Some(Arg { name: field.name.clone(), ty: field.ty(Space::User), at })
    };
    fields.iter().filter_map(arg).collect()
}

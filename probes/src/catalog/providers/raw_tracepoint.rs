//! `rawtracepoint:NAME` and `tp_btf:NAME`: the hooks behind the tracepoints, with the arguments
//! that the kernel passes, before any formatting.
//!
//! Example: `rawtracepoint:sys_enter { @[args.id] = count(); }` (Linux 4.17). The pointers of a
//! `tp_btf` program can be followed without copying (Linux 5.5, with BTF).
//!
//! Argument names come from a function that the kernel generates for each tracepoint; which one
//! exists differs by version (include/trace/define_trace.h, bpf_probe.h).

use std::ops::ControlFlow;

use reel_lang::env::{Arg, ArgAt, AttachError, AttachPoint, ProbeKind};
use reel_lang::ty::Space;

use super::{Provider, malformed, not_found, point, unsupported};
use crate::catalog::btf::{Btf, Kind};
use crate::catalog::list::Each;
use crate::catalog::{ctype, glob};

pub(super) const RAW_TRACEPOINT: Provider = Provider {
    names: &["rawtracepoint", "rt"],
    form: "`rawtracepoint:NAME`, such as `rawtracepoint:sys_enter`",
    attach: |parts| attach(ProbeKind::RawTracepoint, "rawtracepoint", parts),
    list: |pattern, each| list("rawtracepoint", pattern, each),
};

pub(super) const TP_BTF: Provider = Provider {
    names: &["tp_btf"],
    form: "`tp_btf:NAME`, such as `tp_btf:sched_switch`",
    attach: |parts| attach(ProbeKind::BtfTracepoint, "tp_btf", parts),
    list: |pattern, each| list("tp_btf", pattern, each),
};

const TYPEDEF: &str = "btf_trace_";

fn attach(kind: ProbeKind, word: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    // bpftrace also takes `rawtracepoint:CATEGORY:NAME`; the category says nothing here.
    let name = match parts {
        [name] | [_, name] => name.as_str(),
        _ => return malformed(),
    };
    let btf = Btf::kernel().map_err(unsupported)?;
    let names = if glob::is_pattern(name) {
        matching(btf, name)
    } else {
        let exists = btf.find(&format!("{TYPEDEF}{name}"), Kind::Typedef).is_some();
        if exists { vec![name] } else { Vec::new() }
    };
    if names.is_empty() {
        return Err(not_found(name, all(btf)));
    }
    let one = |name: &str| point(kind, format!("{word}:{name}"), vec![name.to_string()], args(btf, name));
    Ok(names.into_iter().map(one).collect())
}

fn list(word: &str, pattern: &str, each: Each<'_>) -> Result<ControlFlow<()>, AttachError> {
    let btf = Btf::kernel().map_err(unsupported)?;
    for name in matching(btf, pattern) {
        if each(&format!("{word}:{name}"), &|| args(btf, name)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn matching<'a>(btf: &'a Btf, pattern: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> = all(btf).filter(|other| glob::matches(pattern, other)).collect();
    names.sort_unstable();
    names
}

fn all(btf: &Btf) -> impl Iterator<Item = &str> {
    let typedefs = btf.types().filter(|ty| ty.kind() == Kind::Typedef);
    typedefs.filter_map(|ty| ty.name().strip_prefix(TYPEDEF))
}

fn args(btf: &Btf, name: &str) -> Vec<Arg> {
    let named = ["__probestub_", "__traceiter_", "__bpf_trace_"]
        .into_iter()
        .find_map(|prefix| btf.find(&format!("{prefix}{name}"), Kind::Func));
    let typedef = || btf.find(&format!("{TYPEDEF}{name}"), Kind::Typedef);
    let Some(function) = named.or_else(|| Some(typedef()?.target().target())) else {
        return Vec::new();
    };
    // The first parameter is the kernel's own; the context begins with the second.
    let params = function.params().skip(1).enumerate();
    let arg = |(i, (name, ty)): (usize, (&str, _))| Arg {
        name: if name.is_empty() { format!("arg{i}") } else { name.to_string() },
        ty: ctype::of_btf(ty, Space::Kernel),
        at: ArgAt::Raw(i as u32),
    };
    params.map(arg).collect()
}

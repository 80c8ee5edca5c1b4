//! `fentry:FUNCTION` and `fexit:FUNCTION`: kernel functions by trampoline, with typed arguments.
//!
//! Example: `fexit:tcp_recvmsg { @[comm] = sum(retval); }`. Linux 5.5 with BTF. Some hosts forbid
//! trampolines: kprobes stand in where there are any, else loading says so.

use std::ops::ControlFlow;

use reel_lang::env::{Arg, ArgAt, AttachError, AttachPoint, ProbeKind};
use reel_lang::ty::Space;

use super::{Provider, kprobe, malformed, not_found, point, unsupported};
use crate::catalog::btf::{Btf, Kind, Type};
use crate::catalog::list::Each;
use crate::catalog::{ctype, glob};
use crate::doctor::Capability;

pub(super) const FENTRY: Provider = Provider {
    names: &["fentry", "f", "kfunc"],
    form: "`fentry:FUNCTION`, such as `fentry:tcp_connect`",
    attach: |parts| attach(ProbeKind::Fentry, "fentry", parts),
    list: |pattern, each| list(ProbeKind::Fentry, "fentry", pattern, each),
};

pub(super) const FEXIT: Provider = Provider {
    names: &["fexit", "fr", "kretfunc"],
    form: "`fexit:FUNCTION`, such as `fexit:tcp_connect`",
    attach: |parts| attach(ProbeKind::Fexit, "fexit", parts),
    list: |pattern, each| list(ProbeKind::Fexit, "fexit", pattern, each),
};

fn attach(kind: ProbeKind, word: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    // bpftrace also takes `fentry:MODULE:FUNCTION`; only the kernel itself is known here.
    let name = match parts {
        [name] => name,
        [module, name] if module == "vmlinux" => name,
        [_, _] => return Err(AttachError::NotYet),
        _ => return malformed(),
    };
    // Where the host forbids trampolines a breakpoint sees the same calls. Without any privilege
    // neither works, and a script can still be checked.
    if kprobe::works() && !Capability::Fentry.check().ok {
        let breakpoint = if kind == ProbeKind::Fexit { ProbeKind::Kretprobe } else { ProbeKind::Kprobe };
        return kprobe::points(breakpoint, word, name, "0");
    }
    points(kind, word, name)
}

/// Lists what this host can attach in one way or the other; the arguments are the trampoline's, which has most.
pub(super) fn list(kind: ProbeKind, word: &str, pattern: &str, each: Each<'_>) -> Result<ControlFlow<()>, AttachError> {
    let trial = if kprobe::works() { None } else { Some(Capability::Fentry.check()) };
    if let Some(trial) = trial.filter(|trial| !trial.ok) {
        return Err(AttachError::Unsupported {
            why: format!("neither kprobes nor fentry work here: {}", trial.detail),
            remedy: trial.remedy,
        });
    }
    let btf = Btf::kernel().map_err(unsupported)?;
    let mut found: Vec<Type<'_>> = functions(btf).filter(|function| glob::matches(pattern, function.name())).collect();
    found.sort_by_key(|function| function.name());
    found.dedup_by_key(|function| function.name());
    for function in found {
        if each(&format!("{word}:{}", function.name()), &|| args(kind, function)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The functions that a name or pattern stands for.
pub(super) fn points(kind: ProbeKind, word: &str, name: &str) -> Result<Vec<AttachPoint>, AttachError> {
    let btf = Btf::kernel().map_err(unsupported)?;
    let mut found: Vec<Type<'_>> = if glob::is_pattern(name) {
        functions(btf).filter(|function| glob::matches(name, function.name())).collect()
    } else {
        btf.find(name, Kind::Func).into_iter().collect()
    };
    if found.is_empty() {
        return Err(not_found(name, functions(btf).map(Type::name)));
    }
    found.sort_by_key(|function| function.name());
    found.dedup_by_key(|function| function.name());
    let one = |function: Type<'_>| {
        let name = function.name();
        point(kind, format!("{word}:{name}"), vec![name.to_string()], args(kind, function))
    };
    Ok(found.into_iter().map(one).collect())
}

fn functions(btf: &Btf) -> impl Iterator<Item = Type<'_>> {
    btf.types().filter(|ty| ty.kind() == Kind::Func)
}

fn args(kind: ProbeKind, function: Type<'_>) -> Vec<Arg> {
    let raw = |name: &str, ty, n: usize| Arg {
        name: name.to_string(),
        ty: ctype::of_btf(ty, Space::Kernel),
        at: ArgAt::Raw(n as u32),
    };
    let params = function.params().enumerate();
    let mut args: Vec<Arg> = params.map(|(n, (name, ty))| raw(name, ty, n)).collect();
    let result = function.target().target();
    if kind == ProbeKind::Fexit && result.peel().kind() != Kind::Void {
        // The result stands behind the arguments in the trampoline's context.
        args.push(raw("retval", result, args.len()));
    }
    args
}

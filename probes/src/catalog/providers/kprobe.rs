//! `kprobe:FUNCTION` and `kretprobe:FUNCTION`: any function of the kernel, by a breakpoint.
//!
//! Example: `kprobe:tcp_connect { @[comm] = count(); }`. The kernel must be built with
//! CONFIG_KPROBES, else fentry stands in where it can. Arguments have names and types where BTF
//! knows the function.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use reel_lang::env::{Arg, ArgAt, AttachError, AttachPoint, ProbeKind};
use reel_lang::ty::{IntTy, Space, Ty};

use super::{Provider, fentry, malformed, not_found, point};
use crate::catalog::btf::{Btf, Kind};
use crate::catalog::list::Each;
use crate::catalog::{ctype, glob};
use crate::doctor::Capability;

pub(super) const KPROBE: Provider = Provider {
    names: &["kprobe", "k"],
    form: "`kprobe:FUNCTION`, such as `kprobe:tcp_connect`",
    attach: |parts| attach(ProbeKind::Kprobe, "kprobe", parts),
    list: |pattern, each| list(ProbeKind::Kprobe, "kprobe", pattern, each),
};

pub(super) const KRETPROBE: Provider = Provider {
    names: &["kretprobe", "kr"],
    form: "`kretprobe:FUNCTION`, such as `kretprobe:tcp_connect`",
    attach: |parts| attach(ProbeKind::Kretprobe, "kretprobe", parts),
    list: |pattern, each| list(ProbeKind::Kretprobe, "kretprobe", pattern, each),
};

/// The kernel's device for such probes; without it there are none.
const PMU: &str = "/sys/bus/event_source/devices/kprobe";

fn attach(kind: ProbeKind, word: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    let [function] = parts else {
        return malformed();
    };
    let (symbol, offset) = function.split_once('+').unwrap_or((function, "0"));
    if works() {
        return points(kind, word, symbol, offset);
    }
    // A trampoline sees the same calls, but only at the function's first instruction.
    let trampoline = if kind == ProbeKind::Kretprobe { ProbeKind::Fexit } else { ProbeKind::Fentry };
    if offset == "0" && Capability::Fentry.check().ok {
        return fentry::points(trampoline, word, symbol);
    }
    Err(AttachError::Unsupported {
        why: format!("this kernel has no kprobes ({PMU} does not exist), and fentry does not stand in for them"),
        remedy: "use a tracepoint, or a kernel built with CONFIG_KPROBES=y".into(),
    })
}

/// Lists the kernel's functions, or those that fentry can stand in for.
fn list(kind: ProbeKind, word: &str, pattern: &str, each: Each<'_>) -> Result<ControlFlow<()>, AttachError> {
    if !works() {
        let trampoline = if kind == ProbeKind::Kretprobe { ProbeKind::Fexit } else { ProbeKind::Fentry };
        return fentry::list(trampoline, word, pattern, each);
    }
    let all = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let mut names: Vec<&str> = functions(&all).filter(|name| glob::matches(pattern, name)).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        if each(&format!("{word}:{name}"), &|| args(kind, name)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Whether this kernel has kprobes.
pub(super) fn works() -> bool {
    Path::new(PMU).exists()
}

/// The functions that a name or pattern stands for, as points at an offset.
pub(super) fn points(kind: ProbeKind, word: &str, symbol: &str, offset: &str) -> Result<Vec<AttachPoint>, AttachError> {
    if offset.parse::<u64>().is_err() {
        return malformed();
    }
    let all = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let mut names: Vec<&str> = functions(&all).filter(|name| glob::matches(symbol, name)).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Err(not_found(symbol, functions(&all)));
    }
    let suffix = if offset == "0" { String::new() } else { format!("+{offset}") };
    let one = |name: &str| {
        let full = format!("{word}:{name}{suffix}");
        point(kind, full, vec![name.to_string(), offset.to_string()], args(kind, name))
    };
    Ok(names.into_iter().map(one).collect())
}

/// The functions in /proc/kallsyms: `address kind name`, kind t or T.
fn functions(kallsyms: &str) -> impl Iterator<Item = &str> {
    kallsyms.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let kind = words.nth(1)?;
        matches!(kind, "t" | "T").then(|| words.next())?
    })
}

fn args(kind: ProbeKind, function: &str) -> Vec<Arg> {
    let btf = Btf::kernel().ok().and_then(|btf| btf.find(function, Kind::Func));
    if kind == ProbeKind::Kretprobe {
        let ty = btf.map_or(Ty::Int(IntTy::U64), |f| ctype::of_btf(f.target().target(), KERNEL));
        return vec![Arg { name: "retval".to_string(), ty, at: ArgAt::ReturnValue }];
    }
    let params = btf.into_iter().flat_map(|function| function.params());
    let arg = |(i, (name, ty)): (usize, (&str, _))| Arg {
        name: name.to_string(),
        ty: ctype::of_btf(ty, KERNEL),
        at: ArgAt::Register(i as u32),
    };
    params.enumerate().map(arg).collect()
}

const KERNEL: Space = Space::Kernel;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_the_arguments_that_btf_knows() {
        let points = points(ProbeKind::Kprobe, "kprobe", "tcp_sendmsg", "4").unwrap();
        assert_eq!((points.len(), points[0].name.as_str()), (1, "kprobe:tcp_sendmsg+4"));
        assert_eq!(points[0].args.args[2].name, "size");
        assert_eq!(points[0].args.args[2].at, ArgAt::Register(2));
        assert_eq!(args(ProbeKind::Kretprobe, "tcp_sendmsg")[0].ty.to_string(), "int32");
        assert!(matches!(super::points(ProbeKind::Kprobe, "kprobe", "no_such", "0"), Err(AttachError::NotFound(_))));
        assert!(matches!(super::points(ProbeKind::Kprobe, "kprobe", "x", "y"), Err(AttachError::Malformed(_))));
    }

    #[test]
    fn trampolines_stand_in_or_the_reason_is_said() {
        match attach(ProbeKind::Kprobe, "kprobe", &["tcp_sendmsg".to_string()]) {
            Ok(points) => assert_eq!(points[0].name, "kprobe:tcp_sendmsg"),
            Err(error) => {
                assert!(!works() && !Capability::Fentry.check().ok, "{error:?}");
                assert!(matches!(error, AttachError::Unsupported { .. }), "{error:?}");
            }
        }
    }
}

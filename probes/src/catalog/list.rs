//! Every probe of this machine, by pattern: what `reel list` shows.
//!
//! A pattern is a probe's header in which `*` stands for any characters, a `:` too. One whose first word is a provider's asks
//! that provider alone, so that tracepoints are listed without a look at the kernel's types. Arguments are looked up for those
//! probes only of which they are asked for.

use std::ops::ControlFlow;

use reel_lang::env::{Arg, AttachError};

use super::glob;
use super::providers::{self, Provider};

/// What is told of each probe: its name, and a way to its arguments. A break ends the list.
pub type Each<'a> = &'a mut dyn FnMut(&str, &dyn Fn() -> Vec<Arg>) -> ControlFlow<()>;

/// Goes through the probes that a pattern names, and returns whether there was one.
///
/// # Errors
/// [`AttachError`] says why there is none: no such provider or probe, with near names, or not on this kernel. A pattern over
/// several providers passes over those that this kernel lacks.
pub fn list(pattern: &str, each: Each<'_>) -> Result<bool, AttachError> {
    let (word, rest) = pattern.split_once(':').unwrap_or((pattern, "*"));
    if glob::is_pattern(word) {
        return Ok(everywhere(pattern, each));
    }
    let provider = providers::find(word).ok_or_else(|| providers::no_provider(word))?;
    let mut any = false;
    let _ = (provider.list)(rest, &mut |name, args| {
        any = true;
        each(name, args)
    })?;
    if any { Ok(true) } else { by_attaching(provider, rest, each) }
}

/// What is in no list is a probe all the same: `interval:s:5`, `uprobe:libc:malloc+4`. The error has the nearest names.
fn by_attaching(provider: &Provider, rest: &str, each: Each<'_>) -> Result<bool, AttachError> {
    let parts: Vec<String> = rest.split(':').map(str::to_owned).collect();
    let points = providers::attach(provider.names[0], &parts)?;
    for point in &points {
        if each(&point.name, &|| point.args.args.clone()).is_break() {
            break;
        }
    }
    Ok(!points.is_empty())
}

fn everywhere(pattern: &str, each: Each<'_>) -> bool {
    let mut any = false;
    for provider in providers::PROVIDERS {
        let listed = (provider.list)("*", &mut |name, args| {
            if !glob::matches(pattern, name) {
                return ControlFlow::Continue(());
            }
            any = true;
            each(name, args)
        });
        // A provider that does not work here has nothing to list.
        if listed.is_ok_and(|flow| flow.is_break()) {
            break;
        }
    }
    any
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The names, with their arguments where there are any.
    fn listed(pattern: &str) -> Result<Vec<String>, AttachError> {
        let mut out = Vec::new();
        list(pattern, &mut |name, args| {
            let args: Vec<String> = args().iter().map(|arg| format!("{} {}", arg.ty, arg.name)).collect();
            out.push(format!("{name} {}", args.join(", ")).trim_end().to_owned());
            ControlFlow::Continue(())
        })?;
        Ok(out)
    }

    #[test]
    fn each_provider_lists_its_own() {
        let check = |pattern: &str, expect: &str| {
            let names = listed(pattern).unwrap();
            assert!(names.iter().any(|name| name == expect), "{pattern}: {expect} is not in {names:#?}");
        };
        check("begin", "begin");
        check("tracepoint:syscalls:sys_exit_read", "tracepoint:syscalls:sys_exit_read int32 __syscall_nr, int64 ret");
        check("t:syscalls:sys_exit_rea*", "tracepoint:syscalls:sys_exit_read int32 __syscall_nr, int64 ret");
        check(
            "TRACEPOINT:sched:sched_process_exi*",
            "tracepoint:sched:sched_process_exit string comm, int32 pid, int32 prio, bool group_dead",
        );
        check("rawtracepoint:sys_exit", "rawtracepoint:sys_exit struct pt_regs * regs, int64 ret");
        check("tp_btf:sys_ex*", "tp_btf:sys_exit struct pt_regs * regs, int64 ret");
        check("interval:*", "interval:s:1");
        check("i:s:5", "interval:s:5");
        check("*:hz:*", "profile:hz:99");
        check("sockops", &listed("sock*").unwrap()[0]);
        let hooks = listed("cgroup:connect*").unwrap();
        assert_eq!(hooks.len(), 2, "{hooks:?}");
        let malloc = listed("uprobe:libc:malloc").unwrap();
        assert!(malloc.len() == 1 && malloc[0].ends_with("/libc.so.6:malloc"), "{malloc:?}");
        assert!(listed("uretprobe:libc").unwrap().len() > 1000);
    }

    #[test]
    fn what_is_not_there_is_said_with_near_names() {
        assert_eq!(listed("tracepiont:x"), Err(AttachError::NoProvider(vec!["tracepoint".into()])));
        let near = vec!["sched:sched_switch".to_owned()];
        assert_eq!(listed("tracepoint:sched:sched_swich"), Err(AttachError::NotFound(near)));
        assert_eq!(listed("tracepoint:sched:no_such*"), Err(AttachError::NotFound(Vec::new())));
        assert!(matches!(listed("uprobe:*"), Err(AttachError::Malformed(_))));
        assert_eq!(listed("*no such thing*"), Ok(Vec::new()));
    }

    #[test]
    fn a_break_ends_the_list() {
        let mut count = 0;
        let any = list("*", &mut |_, _| {
            count += 1;
            if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((any, count), (Ok(true), 3));
    }
}

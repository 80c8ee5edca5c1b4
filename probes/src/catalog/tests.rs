//! Headers and what they attach to, on the running kernel.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use reel_lang::env::{ArgAt, ProbeKind};

fn attach(header: &str) -> Result<Vec<AttachPoint>, AttachError> {
    let mut words = header.split(':').map(str::to_string);
    let provider = words.next().unwrap();
    Catalog::new().attach(&provider, &words.collect::<Vec<_>>())
}

/// Compares the first point with `NAME(arg: type at, ...)`.
fn check(header: &str, expect: &str) {
    let points = attach(header).unwrap_or_else(|error| panic!("{header}: {error:?}"));
    let point = &points[0];
    let args: Vec<String> =
        point.args.args.iter().map(|arg| format!("{}: {} {:?}", arg.name, arg.ty, arg.at)).collect();
    assert_eq!(format!("{}({})", point.name, args.join(", ")), expect, "{header}");
}

#[test]
fn tracepoints_have_the_fields_of_their_record() {
    check(
        "tracepoint:syscalls:sys_enter_openat",
        "tracepoint:syscalls:sys_enter_openat(\
         __syscall_nr: int32 Record { offset: 8, len_bytes: 4 }, \
         dfd: int32 Record { offset: 16, len_bytes: 8 }, \
         filename: int8 * Record { offset: 24, len_bytes: 8 }, \
         flags: int32 Record { offset: 32, len_bytes: 8 }, \
         mode: uint16 Record { offset: 40, len_bytes: 8 })",
    );
    check(
        "t:sched:sched_process_exec",
        "tracepoint:sched:sched_process_exec(\
         filename: string DataLoc { offset: 8 }, \
         pid: int32 Record { offset: 12, len_bytes: 4 }, \
         old_pid: int32 Record { offset: 16, len_bytes: 4 })",
    );
}

#[test]
fn syscalls_from_a_wildcard_share_the_raw_tracepoint() {
    let points = attach("tracepoint:syscalls:sys_enter_*").unwrap();
    assert!(points.len() > 250);
    assert!(points.iter().all(|point| point.args.syscall.is_some()));
    let openat = points.iter().find(|p| p.name == "tracepoint:syscalls:sys_enter_openat").unwrap();
    assert_eq!(openat.args.syscall.map(i64::from), Some(libc::SYS_openat));
    assert_eq!(openat.args.args[2].name, "filename");
    assert_eq!(openat.args.args[2].at, ArgAt::Syscall(1));
    let exits = attach("tracepoint:syscalls:sys_exit_open*").unwrap();
    assert_eq!(exits[0].args.args[0].at, ArgAt::SyscallResult);
    assert_eq!(exits[0].args.args.len(), 1);
}

#[test]
fn raw_tracepoints_have_named_and_typed_arguments() {
    check("rawtracepoint:sys_enter", "rawtracepoint:sys_enter(regs: struct pt_regs * Raw(0), id: int64 Raw(1))");
    check(
        "tp_btf:inet_sock_set_state",
        "tp_btf:inet_sock_set_state(sk: struct sock * Raw(0), oldstate: int32 Raw(1), \
         newstate: int32 Raw(2))",
    );
    let several = attach("rt:sched_process_*").unwrap();
    assert!(several.len() >= 3 && several.is_sorted_by_key(|point| point.name.clone()));
}

#[test]
fn uprobes_are_found_by_path_by_name_and_by_library() {
    let points = attach("uprobe:libc:getppid").unwrap();
    assert!(points[0].name.starts_with("uprobe:/"), "{}", points[0].name);
    assert!(points[0].name.ends_with(":getppid"));
    assert_eq!(points[0].args.args[1].at, ArgAt::Register(1));
    let offset: u64 = points[0].target[2].parse().unwrap();
    let beyond = attach("u:libc.so.6:getppid+4").unwrap();
    assert_eq!(beyond[0].target[2].parse::<u64>().unwrap(), offset + 4);
    assert!(attach("uretprobe:libc:getp*id").unwrap().len() >= 3);
}

#[test]
fn timers_have_a_period() {
    let period_of = |header: &str| period(&attach(header).unwrap()[0]).unwrap().as_millis();
    assert_eq!(period_of("interval:s:5"), 5000);
    assert_eq!(period_of("interval:250ms"), 250);
    assert_eq!(period_of("profile:hz:100"), 10);
    assert_eq!(period(&attach("BEGIN").unwrap()[0]), None);
}

#[test]
fn hooks_of_a_cgroup_have_the_words_of_their_context() {
    let points = attach("cgroup:connect6").unwrap();
    assert_eq!((points.len(), points[0].kind), (1, ProbeKind::Cgroup));
    assert_eq!(points[0].args.args[2].ty.to_string(), "uint32[4]");
    assert_eq!(attach("cgroup:*4").unwrap().len(), 6);
    check_first("sockops", "op");
}

fn check_first(header: &str, arg: &str) {
    assert_eq!(attach(header).unwrap()[0].args.args[0].name, arg);
}

#[test]
fn fentry_knows_the_functions_arguments_and_result() {
    check(
        "fexit:tcp_sendmsg",
        "fexit:tcp_sendmsg(sk: struct sock * Raw(0), msg: struct msghdr * Raw(1), \
         size: uint64 Raw(2), retval: int32 Raw(3))",
    );
}

#[test]
fn mistakes_are_told_apart() {
    let near = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
    assert_eq!(attach("tracepont:a:b"), Err(AttachError::NoProvider(near(&["tracepoint"]))));
    assert_eq!(
        attach("tracepoint:syscalls:sys_enter_opnat"),
        Err(AttachError::NotFound(near(&["syscalls:sys_enter_openat"])))
    );
    assert_eq!(attach("tp_btf:sys_entr"), Err(AttachError::NotFound(near(&["sys_enter"]))));
    assert_eq!(attach("uprobe:libc:getpppid"), Err(AttachError::NotFound(near(&["getppid"]))));
    assert_eq!(attach("cgroup:conect4"), Err(AttachError::NotFound(near(&["connect4"]))));
    assert_eq!(attach("tracepoint:no_such_*:x"), Err(AttachError::NotFound(Vec::new())));
    assert!(matches!(attach("tracepoint:sched"), Err(AttachError::Malformed(form)) if !form.is_empty()));
    assert!(matches!(attach("interval:s:0"), Err(AttachError::Malformed(_))));
    assert!(matches!(attach("interval:parsec:1"), Err(AttachError::Malformed(_))));
    assert!(matches!(attach("uprobe:/etc/passwd:x"), Err(AttachError::Unsupported { .. })));
    assert_eq!(attach("usdt:x:y"), Err(AttachError::NotYet));
}

#[test]
fn kernel_enumerators_have_values() {
    let catalog = Catalog::new();
    let (value, ty, name) = catalog.enumerator("BPF_MAP_TYPE_RINGBUF").unwrap();
    assert_eq!((value, ty.bits, name.as_str()), (27, 32, "bpf_map_type"));
    assert!(catalog.enumerator("NO_SUCH_ENUMERATOR").is_none());
}

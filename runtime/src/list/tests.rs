//! Patterns, what they list, and what is said where they list nothing.
#![allow(clippy::unwrap_used)]

use super::*;

fn listed(pattern: &str, with_details: bool) -> Result<String, Failure> {
    let mut out = String::new();
    list(pattern, &mut |entry| {
        out += &text(entry, with_details);
        ControlFlow::Continue(())
    })?;
    Ok(out)
}

#[test]
fn message_probes_are_listed_with_the_fields_of_their_schema() {
    let check = |pattern: &str, expect: &str| assert_eq!(listed(pattern, false).unwrap(), expect, "{pattern}");
    check("http", "http:request\nhttp:response\nhttp:exchange\nhttp:error\n");
    check("tcp:in:*e*", "tcp:in:request\ntcp:in:response\ntcp:in:exchange\ntcp:in:open\ntcp:in:close\n");
    check("HTTP:re*", "http:request\nhttp:response\n");
    check("redis:in:exchange", "redis:in:exchange\n");
    let exchange = listed("http:exchange", true).unwrap();
    for line in
        ["    int      status ", "    string   method ", "    headers  request.header ", "    duration latency "]
    {
        assert!(exchange.contains(line), "{line} is not in:\n{exchange}");
    }
    let request = listed("http:request", true).unwrap();
    assert!(request.contains(" header ") && !request.contains(" status "), "{request}");
    let close = listed("tcp:close", true).unwrap();
    assert!(
        close.starts_with("tcp:close\n    string   closer ") && close.contains("    duration duration "),
        "{close}"
    );
    assert!(!close.contains(" data "), "{close}");
}

#[test]
fn kernel_probes_and_types_are_listed() {
    let switch = listed("tracepoint:sched:sched_process_exit", true).unwrap();
    assert!(switch.starts_with("tracepoint:sched:sched_process_exit\n    string comm\n"), "{switch}");
    assert_eq!(listed("struct path", false).unwrap(), "struct path\n");
    let path = "struct path {\n    struct vfsmount *mnt;\n    struct dentry *dentry;\n};\n";
    assert_eq!(listed("struct path", true).unwrap(), path);
    let all = listed("*:sys_enter_openat", false).unwrap();
    assert_eq!(all, "tracepoint:syscalls:sys_enter_openat\n");
}

#[test]
fn json_has_an_object_a_line() {
    let mut lines = Vec::new();
    for pattern in
        ["http:request", "interval:s:1", "tracepoint:sched:sched_process_exit", "enum tcp_queue", "struct path"]
    {
        list(pattern, &mut |entry| {
            lines.push(serde_json::from_str::<serde_json::Value>(&json(entry, true)).unwrap());
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["fields"][0]["name"], "method");
    assert_eq!(lines[1], serde_json::json!({"probe": "interval:s:1", "args": []}));
    assert_eq!(lines[2]["args"][0], serde_json::json!({"name": "comm", "type": "string"}));
    assert_eq!(lines[3]["members"][0], serde_json::json!({"name": "TCP_FRAG_IN_WRITE_QUEUE", "value": 0}));
    assert_eq!(lines[4]["members"][1]["type"], "struct dentry *");
}

#[test]
fn what_is_not_there_is_helped() {
    let check = |pattern: &str, expect: &str| {
        let failure = listed(pattern, false).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{pattern}");
        assert!(failure.remedy.as_deref().unwrap().contains(expect), "{pattern}: {failure:?}");
    };
    check("htp:request", "`http`");
    check("http:reqest", "`http:request`");
    check("tcp:opn", "`tcp:open`");
    check("tracepiont:sched:*", "`tracepoint`");
    check("tracepoint:sched:sched_swich", "`tracepoint:sched:sched_switch`");
    check("tracepoint:sched:*nothing*", "'*nothing*'");
    check("*nothing_of_this_name*", "'*nothing_of_this_name*'");
    check("struct task_strct", "`struct task_struct`");
    check("enum *nothing*", "`enum *nothing*`");
    check("uprobe:libc:mallloc", "`uprobe:libc:malloc`");
    check("uprobe:*", "`uprobe:FILE:FUNCTION`");
    check("xdp:*", "search");
}

#[test]
fn what_is_not_run_yet_is_no_unknown_word() {
    let check = |pattern: &str, word: &str| {
        let failure = listed(pattern, false).unwrap_err();
        assert_eq!(failure.message, format!("`{word}` is understood, but this version does not run it yet"));
        assert_eq!(failure.exit, Exit::Usage);
    };
    check("usdt:*", "usdt");
    check("xdp:lo", "xdp");
    check("iter:task", "iter");
}

//! The programs that reel itself runs in the kernel, in reel's language: anybody can read what runs there.
//!
//! What differs from kernel to kernel stands before a program's text as a macro, so that the text is the same everywhere.

use reel_compiler::plan::Filters;

use crate::catalog::btf::{Btf, Kind};
use crate::doctor::Rung;

/// The part of the capture program that all rungs share.
const STATE: &str = include_str!("programs/capture/state.rr");
const REDIRECT: &str = include_str!("programs/redirect.rr");

/// Returns the program that records what an app exchanges over TCP, with what the rules say of whole connections before it: `$1`
/// is the app's cgroup, `$2` the fill at which the reader is woken.
pub fn capture(rung: Rung, filters: &Filters) -> String {
    let data = match rung {
        Rung::TcpTracepoints => include_str!("programs/capture/tcp.rr"),
        Rung::Syscalls => include_str!("programs/capture/syscalls.rr"),
    };
    format!("{}{}\n{STATE}\n{data}", socket_cgroup(), filters.macros())
}

/// Returns the program that sends an app's connections to the mock: `$1` is the app's cgroup, `$2` the mock's port in network order.
pub fn redirect() -> String {
    format!("{}{REDIRECT}", socket_cgroup())
}

/// The id of a socket's cgroup. Before Linux 5.15 its address shares a word with marks of cgroup v1, which are odd numbers.
fn socket_cgroup() -> &'static str {
    let names_cgroup = |btf: &Btf| {
        let data = btf.find("sock_cgroup_data", Kind::Struct);
        data.is_none_or(|data| data.members().any(|member| member.name == "cgroup"))
    };
    match Btf::kernel().map_or(true, names_cgroup) {
        true => "macro socket_cgroup(sk) { sk.sk_cgrp_data.cgroup.kn.id }\n",
        false => "macro socket_cgroup(sk) { ((struct cgroup *)sk.sk_cgrp_data.val).kn.id }\n",
    }
}

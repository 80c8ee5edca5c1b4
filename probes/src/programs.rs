//! The programs that reel itself runs in the kernel, in reel's language: anybody can read what runs there.
//!
//! What differs from kernel to kernel stands before a program's text as a macro, so that the text is the same everywhere.

use reel_compiler::plan::Filters;

use crate::catalog::btf::{Btf, Kind};
use crate::doctor::Rung;

/// The part of the capture program that all rungs share.
const STATE: &str = include_str!("programs/capture/state.rr");
const DATAGRAMS: &str = include_str!("programs/capture/datagrams.rr");
const REDIRECT: &str = include_str!("programs/redirect.rr");

/// Whose traffic is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// That of the sockets of one cgroup, `$1`.
    #[default]
    App,
    /// That of the sockets of a cgroup and of those below it, by its id.
    Below(u64),
    /// What one process moves.
    Process(u32),
    /// Everybody's but one process's: reel's own.
    AllBut(u32),
}

impl Whose {
    /// The macros by which the capture program asks.
    fn macros(self) -> String {
        let [ours, known, runs] = match self {
            Whose::App => ["socket_cgroup(sk) == $1", "socket_cgroup(sk) == $1", "cgroup == $1"].map(str::to_owned),
            Whose::Below(id) => {
                // A cgroup's own state stands at its start, and points to that of its parent (cgroup-defs.h).
                let below = format!(
                    "$cgroup = socket_cgroup_at(sk);\n    $depth = 0;\n    \
                     while ($depth < 24 && $cgroup != 0 && $cgroup.kn.id != {id}) {{\n        \
                     $cgroup = (struct cgroup *)$cgroup.self.parent;\n        $depth++;\n    }}\n    \
                     $cgroup != 0 && $cgroup.kn.id == {id}"
                );
                [below.clone(), below, "true".to_owned()]
            }
            Whose::Process(id) => [format!("pid == {id}"), "true".to_owned(), format!("pid == {id}")],
            Whose::AllBut(id) => [format!("pid != {id}"), "true".to_owned(), format!("pid != {id}")],
        };
        format!("macro ours(sk) {{ {ours} }}\nmacro known(sk) {{ {known} }}\nmacro runs() {{ {runs} }}\n")
    }
}

/// What is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transports {
    #[default]
    Tcp,
    /// Datagrams too, which costs something at the end of every system call.
    TcpAndUdp,
}

/// Returns the program that records what an app exchanges, with what the rules say of whole connections before it: `$1`
/// is the app's cgroup, `$2` the fill at which the reader is woken.
pub fn capture(rung: Rung, filters: &Filters, transports: Transports) -> String {
    capture_of(Whose::App, rung, filters, transports)
}

/// Returns the program that reads what somebody exchanges.
pub fn capture_of(whose: Whose, rung: Rung, filters: &Filters, transports: Transports) -> String {
    let data = match rung {
        Rung::TcpTracepoints => include_str!("programs/capture/tcp.rr"),
        Rung::Syscalls => include_str!("programs/capture/syscalls.rr"),
    };
    let datagrams = match transports {
        Transports::Tcp => "",
        Transports::TcpAndUdp => DATAGRAMS,
    };
    format!("{}{}{}\n{STATE}\n{data}{datagrams}", socket_cgroup(), whose.macros(), filters.macros())
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
        true => concat!(
            "macro socket_cgroup_at(sk) { sk.sk_cgrp_data.cgroup }\n",
            "macro socket_cgroup(sk) { sk.sk_cgrp_data.cgroup.kn.id }\n"
        ),
        false => concat!(
            "macro socket_cgroup_at(sk) { (struct cgroup *)sk.sk_cgrp_data.val }\n",
            "macro socket_cgroup(sk) { ((struct cgroup *)sk.sk_cgrp_data.val).kn.id }\n"
        ),
    }
}

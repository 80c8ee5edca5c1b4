//! `cgroup:HOOK`: decisions about what the sockets of a cgroup do; the body ends in a verdict.
//!
//! Example: `cgroup:connect4 /args.user_port == 0x1900/ { return deny(EPERM); }`. Linux 4.17 for
//! bind and connect, 4.18 for sendmsg, 5.2 for recvmsg, 5.8 for getpeername. Fields are those of
//! `struct bpf_sock_addr`, addresses and ports in network order.

use reel_lang::env::{Arg, ArgAt, AttachError, AttachPoint, ProbeKind};
use reel_lang::ty::{IntTy, Ty};

use super::{Provider, list_all, malformed, not_found, point};
use crate::catalog::glob;

pub(super) const CGROUP: Provider = Provider {
    names: &["cgroup"],
    form: "`cgroup:HOOK`, such as `cgroup:connect4`",
    attach,
    list: |pattern, each| Ok(list_all("cgroup", pattern, HOOKS, &|| words(&FIELDS), each)),
};

const HOOKS: [&str; 12] = [
    "bind4",
    "bind6",
    "connect4",
    "connect6",
    "getpeername4",
    "getpeername6",
    "getsockname4",
    "getsockname6",
    "recvmsg4",
    "recvmsg6",
    "sendmsg4",
    "sendmsg6",
];

/// The fields of `struct bpf_sock_addr` (include/uapi/linux/bpf.h): name, offset, words.
const FIELDS: [(&str, u32, u32); 9] = [
    ("user_family", 0, 1),
    ("user_ip4", 4, 1),
    ("user_ip6", 8, 4),
    ("user_port", 24, 1),
    ("family", 28, 1),
    ("type", 32, 1),
    ("protocol", 36, 1),
    ("msg_src_ip4", 40, 1),
    ("msg_src_ip6", 44, 4),
];

fn attach(parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    let [hook] = parts else {
        return malformed();
    };
    let found: Vec<&str> = HOOKS.into_iter().filter(|name| glob::matches(hook, name)).collect();
    if found.is_empty() {
        return Err(not_found(hook, HOOKS));
    }
    let one = |hook: &str| point(ProbeKind::Cgroup, format!("cgroup:{hook}"), vec![hook.to_string()], words(&FIELDS));
    Ok(found.into_iter().map(one).collect())
}

/// Fields of a context that is made of 32-bit words.
pub(super) fn words(fields: &[(&str, u32, u32)]) -> Vec<Arg> {
    let arg = |(name, offset, count): &(&str, u32, u32)| {
        let word = Ty::Int(IntTy::U32);
        let ty = if *count == 1 { word } else { Ty::Array(Box::new(word), *count) };
        let at = ArgAt::Record { offset: *offset, len_bytes: 4 * count };
        Arg { name: (*name).to_string(), ty, at }
    };
    fields.iter().map(arg).collect()
}

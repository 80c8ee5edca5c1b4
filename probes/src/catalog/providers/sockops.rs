//! `sockops`: what happens to the TCP connections of a cgroup: connecting, established, and more.
//!
//! Example: `sockops /args.op == 3/ { @[args.remote_port] = count(); }`. Linux 4.13. Fields are
//! those of `struct bpf_sock_ops`; `op` says what happened (BPF_SOCK_OPS_*).

use reel_lang::env::ProbeKind;

use super::{Provider, cgroup, malformed, point};

pub(super) const SOCKOPS: Provider = Provider {
    names: &["sockops"],
    form: "`sockops`",
    attach: |parts| {
        if !parts.is_empty() {
            return malformed();
        }
        let args = cgroup::words(&FIELDS);
        Ok(vec![point(ProbeKind::Sockops, "sockops".to_string(), Vec::new(), args)])
    },
    list: |_, each| Ok(each("sockops", &|| cgroup::words(&FIELDS))),
};

/// The fields of `struct bpf_sock_ops` (include/uapi/linux/bpf.h): name, offset, words.
const FIELDS: [(&str, u32, u32); 11] = [
    ("op", 0, 1),
    ("args", 4, 4),
    ("family", 20, 1),
    ("remote_ip4", 24, 1),
    ("local_ip4", 28, 1),
    ("remote_ip6", 32, 4),
    ("local_ip6", 48, 4),
    ("remote_port", 64, 1),
    ("local_port", 68, 1),
    ("is_fullsock", 72, 1),
    ("state", 88, 1),
];

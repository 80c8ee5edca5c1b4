//! What only the programs that come with reel may use (`Places::TRUSTED`): capture and redirect.
//!
//! Each is at most one helper or kfunc call, one read of the context or one read of a field, so that reading such a
//! program is reading what runs in the kernel. A dynptr lives in a scratch variable, made by `dynptr()`; every reserved
//! one must be submitted or discarded on each path, also where reserving failed, or the verifier refuses the program.
//! Helper numbers are those of `enum bpf_func_id` in include/uapi/linux/bpf.h.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::{Space, Ty};

use super::{I64, U64, call};

pub(super) fn functions() -> Vec<Function> {
    let trusted = |name, params, returns, texts| call(name, params, returns, Places::TRUSTED, texts);
    let mut all = vec![
        trusted(
            "current_pid_tgid",
            &[],
            Returns::Ty(U64),
            ["Process in the upper half, thread in the lower.", "$p = current_pid_tgid();"],
        ),
        Function {
            optional: 1,
            ..trusted(
                "socket_cookie",
                &[Param::Pointer],
                Returns::Ty(U64),
                ["The cookie of a socket, or of the hook's own.", "$c = socket_cookie(args.sk);"],
            )
        },
        trusted(
            "tcp_sock",
            &[Param::Pointer],
            Returns::Ty(Ty::Ptr(Box::new(Ty::Struct("tcp_sock".to_owned())), Space::Kernel)),
            [
                "The TCP socket that a socket is, or 0; must be compared with 0 before use.",
                "$tp = tcp_sock(args.sk); if ($tp != 0) { $s = $tp.write_seq; }",
            ],
        ),
        trusted(
            "set_retval",
            &[Param::Int],
            Returns::Ty(I64),
            ["Sets what the system call returns.", "set_retval(-111);"],
        ),
        trusted(
            "set_user_ip4",
            &[Param::Int],
            Returns::Nothing,
            ["Rewrites the IPv4 address, network order.", "set_user_ip4(0x0100007f);"],
        ),
        trusted(
            "set_user_ip6",
            &[Param::LiteralInt, Param::Int],
            Returns::Nothing,
            ["Rewrites a word of the IPv6 address, network order.", "set_user_ip6(3, 0x01000000);"],
        ),
        trusted(
            "set_user_port",
            &[Param::Int],
            Returns::Nothing,
            ["Rewrites the port, network order.", "set_user_port(0x5000);"],
        ),
    ];
    all.extend(dynptrs());
    all
}

fn dynptrs() -> Vec<Function> {
    let trusted = |name, params, returns, texts| call(name, params, returns, Places::TRUSTED, texts);
    vec![
        trusted("dynptr", &[], Returns::Ty(Ty::Dynptr), ["Makes room for a dynptr; no call.", "$d = dynptr();"]),
        trusted(
            "ringbuf_reserve",
            &[Param::Dynptr, Param::Int],
            Returns::Ty(I64),
            [
                "Reserves bytes of the event ring; not 0 where there is no room.",
                "if (ringbuf_reserve($d, 64) != 0) { ringbuf_discard($d); return; }",
            ],
        ),
        trusted(
            "ringbuf_submit",
            &[Param::Dynptr, Param::Int],
            Returns::Nothing,
            ["Hands the record over, with BPF_RB flags.", "ringbuf_submit($d, 1);"],
        ),
        trusted(
            "ringbuf_discard",
            &[Param::Dynptr],
            Returns::Nothing,
            ["Gives the record up.", "ringbuf_discard($d);"],
        ),
        trusted(
            "ringbuf_pending",
            &[],
            Returns::Ty(U64),
            ["Bytes of the event ring that wait for the reader.", "$n = ringbuf_pending();"],
        ),
        trusted(
            "dynptr_write",
            &[Param::Dynptr, Param::Int, Param::Value],
            Returns::Ty(I64),
            [
                "Writes a value at an offset; a tuple lies as a C struct of its parts.",
                "dynptr_write($d, 0, (nsecs, pid, tid));",
            ],
        ),
        trusted(
            "dynptr_write_user",
            &[Param::Dynptr, Param::Int, Param::Int, Param::Pointer],
            Returns::Ty(I64),
            [
                "Copies user memory to an offset: offset, length, address (kfunc bpf_probe_read_user_dynptr).",
                "dynptr_write_user($d, 64, $len, $address);",
            ],
        ),
        trusted(
            "dynptr_from_skb",
            &[Param::Dynptr, Param::Pointer],
            Returns::Ty(I64),
            ["A view of a packet's bytes (kfunc bpf_dynptr_from_skb).", "dynptr_from_skb($s, args.skb);"],
        ),
        trusted(
            "dynptr_copy",
            &[Param::Dynptr, Param::Int, Param::Dynptr, Param::Int, Param::Int],
            Returns::Ty(I64),
            [
                "Copies between views: to, offset, from, offset, length (kfunc bpf_dynptr_copy).",
                "dynptr_copy($d, 64, $s, $from, $len);",
            ],
        ),
    ]
}

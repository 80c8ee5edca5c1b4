//! What only the programs that come with reel may use (`Places::TRUSTED`): capture and redirect.
//!
//! Each is at most one helper or kfunc call, one read of the context or one read of a field, so that reading such a
//! program is reading what runs in the kernel. A dynptr lives in a scratch variable, made by `dynptr()`; every reserved
//! one must be submitted or discarded on each path, also where reserving failed, or the verifier refuses the program.
//! Helper numbers are those of `enum bpf_func_id` in include/uapi/linux/bpf.h.

use reel_lang::env::{Function, Param, Places, Returns};
use reel_lang::ty::{Space, Ty};

use super::{I64, U64, UNSIGNED, call, helper};
use crate::ir::{Arg, At, Inst, Reg, RegTy};
use crate::lower::EVENTS;
use crate::lower::shape::Shape;
use crate::lower::{Lower, Lowered, Val};
use reel_lang::hir::{Expr, ExprKind};
use reel_lang::span::Span;
use reel_lang::ty::IntTy;

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
    all.extend(rooms());
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
        Function {
            optional: 1,
            ..trusted(
                "dynptr_write",
                &[Param::Dynptr, Param::Int, Param::Value, Param::Int],
                Returns::Ty(I64),
                [
                    "Writes a value at an offset, or its first bytes; a tuple lies as a C struct of its parts.",
                    "dynptr_write($d, 0, (nsecs, pid, tid));",
                ],
            )
        },
        trusted(
            "dynptr_read",
            &[Param::Dynptr, Param::Int, Param::Int],
            Returns::Ty(Ty::Buf(CHUNK_LEN_BYTES)),
            [
                "The bytes at an offset: so many, at most 4096, at the front of a buffer; unchanged where they cannot be read.",
                "$chunk = dynptr_read($s, $from, $n); dynptr_write($d, 64, $chunk, $n);",
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

/// The calls on a room: memory of the program's own, for kernels that have no dynptr. What is written to it and read back is a number
/// of which the verifier knows nothing, so a loop that keeps its state there is the same in each round, and is verified once a round.
fn rooms() -> Vec<Function> {
    let trusted = |name, params, returns, texts| call(name, params, returns, Places::TRUSTED, texts);
    vec![
        trusted(
            "room",
            &[],
            Returns::Ty(Ty::Buf(ROOM_LEN_BYTES)),
            ["Makes room for a record of up to 31 KiB; no call, and what is in it is undefined.", "$r = room();"],
        ),
        trusted(
            "room_set",
            &[Param::Value, Param::LiteralInt, Param::Value],
            Returns::Nothing,
            [
                "Writes a value at an offset; a tuple lies as a C struct of its parts.",
                "room_set($r, 0, (nsecs, pid, tid));",
            ],
        ),
        trusted(
            "room_get",
            &[Param::Value, Param::LiteralInt],
            Returns::Ty(U64),
            ["The 64-bit number at an offset.", "$n = room_get($r, 8);"],
        ),
        trusted(
            "room_read_user",
            &[Param::Value, Param::LiteralInt, Param::Int, Param::Pointer],
            Returns::Ty(I64),
            [
                "Copies user memory to an offset: offset, length, address; not 0, and zeroes, where it cannot be read.",
                "room_read_user($r, 48, $len, $address);",
            ],
        ),
        trusted(
            "ringbuf_output",
            &[Param::Value, Param::Int, Param::Int],
            Returns::Ty(I64),
            [
                "Copies the first bytes of a room, or of a tuple, to the event ring, with BPF_RB flags; not 0 where it is full.",
                "if (ringbuf_output($r, 48 + $len, 1) != 0) { @dropped = count(); }",
            ],
        ),
    ]
}

pub(super) fn kernel(lower: &mut Lower<'_>, name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let span = expr.span;
    let result = match name {
        "room" => return Ok(Val::Nothing),
        "dynptr" => return Ok(Val::Nothing),
        "current_pid_tgid" => helper(lower, 14, Vec::new(), UNSIGNED, span),
        "socket_cookie" => {
            let socket = match args.first() {
                Some(socket) => Arg::Reg(lower.scalar(socket)?),
                None => Arg::Context,
            };
            helper(lower, 46, vec![socket], UNSIGNED, span)
        }
        "tcp_sock" => {
            let socket = lower.scalar(super::arg(lower, args, 0, expr)?)?;
            // BPF_FUNC_skc_to_tcp_sock
            helper(lower, 137, vec![Arg::Reg(socket)], RegTy::Btf, span)
        }
        "set_retval" => {
            let value = lower.number(super::arg(lower, args, 0, expr)?)?;
            helper(lower, 187, vec![Arg::Reg(value)], SIGNED, span)
        }
        "set_user_ip4" | "set_user_ip6" | "set_user_port" => return set_address(lower, name, args, expr),
        "room_set" | "room_get" | "room_read_user" | "ringbuf_output" => return room_call(lower, name, args, expr),
        _ => return dynptr_call(lower, name, args, expr),
    };
    Ok(Val::Reg(result))
}

/// The most that `dynptr_read` reads at once.
const CHUNK_LEN_BYTES: u32 = 4096;
/// The size of a room: with what else a program keeps, it must stay below the kernel's limit on a per-CPU value.
const ROOM_LEN_BYTES: u32 = 31 * 1024;
const SIGNED: RegTy = RegTy::Int(IntTy::I64);

/// Writes a field of `struct bpf_sock_addr` (include/uapi/linux/bpf.h).
fn set_address(lower: &mut Lower<'_>, name: &str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let (offset, value) = match (name, args) {
        ("set_user_ip4", [value]) => (4, value),
        ("set_user_ip6", [Expr { kind: ExprKind::Int(word @ 0..=3), .. }, value]) => (8 + 4 * *word as u32, value),
        ("set_user_port", [value]) => (24, value),
        _ => return lower.cannot(expr.span, "the word of an address is 0, 1, 2 or 3"),
    };
    let value = lower.scalar(value)?;
    let src = lower.b.cast(value, RegTy::Int(IntTy::U32), expr.span);
    lower.b.push(Inst::SetContext { offset, src }, expr.span);
    Ok(Val::Nothing)
}

/// The calls on dynptrs; the arguments are those of the helper or kfunc, in its order.
fn dynptr_call(lower: &mut Lower<'_>, name: &str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let span = expr.span;
    let ring = lower.tables.own_map(EVENTS);
    match (name, args) {
        ("ringbuf_pending", []) => {
            // BPF_FUNC_ringbuf_query of BPF_RB_AVAIL_DATA
            let args = vec![Arg::Map(ring), Arg::Imm(0)];
            Ok(Val::Reg(helper(lower, 134, args, UNSIGNED, span)))
        }
        ("ringbuf_reserve", [dynptr, len]) => {
            let len = lower.number(len)?;
            let args = vec![Arg::Map(ring), Arg::Reg(len), Arg::Imm(0), view(lower, dynptr)?];
            Ok(Val::Reg(helper(lower, 198, args, SIGNED, span)))
        }
        ("ringbuf_submit", [dynptr, flags]) => {
            let flags = lower.number(flags)?;
            let args = vec![view(lower, dynptr)?, Arg::Reg(flags)];
            lower.b.push(Inst::Helper { dst: None, helper: 199, args }, span);
            Ok(Val::Nothing)
        }
        ("ringbuf_discard", [dynptr]) => {
            let args = vec![view(lower, dynptr)?, Arg::Imm(0)];
            lower.b.push(Inst::Helper { dst: None, helper: 200, args }, span);
            Ok(Val::Nothing)
        }
        ("dynptr_read", [dynptr, offset, len]) => {
            let (offset, len) = (lower.number(offset)?, lower.number(len)?);
            let to = lower.b.buf(CHUNK_LEN_BYTES);
            let args = vec![Arg::At(to), Arg::Reg(len), view(lower, dynptr)?, Arg::Reg(offset), Arg::Imm(0)];
            helper(lower, 201, args, SIGNED, span);
            Ok(Val::Mem(to, Shape::Bytes(CHUNK_LEN_BYTES)))
        }
        ("dynptr_write", [dynptr, offset, value, rest @ ..]) => {
            let offset = lower.number(offset)?;
            let (from, len) = bytes(lower, value)?;
            let len = match rest {
                [len] => Arg::Reg(lower.number(len)?),
                _ => Arg::Imm(i64::from(len)),
            };
            let args = vec![view(lower, dynptr)?, Arg::Reg(offset), Arg::At(from), len, Arg::Imm(0)];
            Ok(Val::Reg(helper(lower, 202, args, SIGNED, span)))
        }
        ("dynptr_write_user", [dynptr, offset, len, address]) => {
            let numbers = [lower.number(offset)?, lower.number(len)?, lower.scalar(address)?];
            let mut args = vec![view(lower, dynptr)?];
            args.extend(numbers.map(Arg::Reg));
            Ok(Val::Reg(kfunc(lower, "bpf_probe_read_user_dynptr", args, span)))
        }
        ("dynptr_from_skb", [dynptr, packet]) => {
            let packet = lower.scalar(packet)?;
            let args = vec![Arg::Reg(packet), Arg::Imm(0), view(lower, dynptr)?];
            Ok(Val::Reg(kfunc(lower, "bpf_dynptr_from_skb", args, span)))
        }
        ("dynptr_copy", [to, to_offset, from, from_offset, len]) => {
            let [to_offset, from_offset, len] =
                [lower.number(to_offset)?, lower.number(from_offset)?, lower.number(len)?].map(Arg::Reg);
            let args = vec![view(lower, to)?, to_offset, view(lower, from)?, from_offset, len];
            Ok(Val::Reg(kfunc(lower, "bpf_dynptr_copy", args, span)))
        }
        _ => lower.cannot(span, format!("`{name}` takes other arguments")),
    }
}

/// The calls on rooms.
fn room_call(lower: &mut Lower<'_>, name: &str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    let span = expr.span;
    match (name, args) {
        ("room_set", [room, offset, value]) => {
            let (from, len) = bytes(lower, value)?;
            let to = within(lower, room, offset, len)?;
            lower.b.push(Inst::CopyBuf { to, from, len_bytes: len }, span);
            Ok(Val::Nothing)
        }
        ("room_get", [room, offset]) => {
            let from = within(lower, room, offset, 8)?;
            Ok(Val::Reg(lower.b.load(UNSIGNED, from, span)))
        }
        ("room_read_user", [room, offset, len, address]) => {
            let to = within(lower, room, offset, 0)?;
            let (len, address) = (lower.number(len)?, lower.scalar(address)?);
            // BPF_FUNC_probe_read_user
            let args = vec![Arg::At(to), Arg::Reg(len), Arg::Reg(address)];
            Ok(Val::Reg(helper(lower, 112, args, SIGNED, span)))
        }
        ("ringbuf_output", [value, len, flags]) => {
            let ring = lower.tables.own_map(EVENTS);
            let (from, _) = bytes(lower, value)?;
            let (len, flags) = (lower.number(len)?, lower.number(flags)?);
            // BPF_FUNC_ringbuf_output
            let args = vec![Arg::Map(ring), Arg::At(from), Arg::Reg(len), Arg::Reg(flags)];
            Ok(Val::Reg(helper(lower, 130, args, SIGNED, span)))
        }
        _ => lower.cannot(span, format!("`{name}` takes other arguments")),
    }
}

/// A place in a room with so many bytes behind it.
fn within(lower: &mut Lower<'_>, room: &Expr, offset: &Expr, len: u32) -> Lowered<At> {
    let (Val::Mem(at, Shape::Bytes(room_len)), ExprKind::Int(at_offset)) = (lower.value(room)?, &offset.kind) else {
        return lower.cannot(room.span, "this is no variable that holds a room");
    };
    let end = u32::try_from(*at_offset).ok().and_then(|from| Some((from, from.checked_add(len)?)));
    match end {
        Some((from, end)) if end <= room_len => Ok(At { offset: at.offset + from, ..at }),
        _ => lower.cannot(offset.span, format!("a room has {room_len} bytes")),
    }
}

fn kfunc(lower: &mut Lower<'_>, name: &str, args: Vec<Arg>, span: Span) -> Reg {
    let dst = lower.b.reg(SIGNED);
    lower.b.push(Inst::Kfunc { dst: Some(dst), name: name.to_owned(), args }, span);
    dst
}

/// The address of the dynptr that a variable holds.
fn view(lower: &mut Lower<'_>, dynptr: &Expr) -> Lowered<Arg> {
    match lower.value(dynptr)? {
        Val::Mem(at, _) => Ok(Arg::At(at)),
        _ => lower.cannot(dynptr.span, "this is no variable that holds a dynptr"),
    }
}

/// A value in a buffer, and its size.
fn bytes(lower: &mut Lower<'_>, value: &Expr) -> Lowered<(At, u32)> {
    match lower.value(value)? {
        Val::Mem(at, shape) => Ok((at, shape.len_bytes())),
        Val::Reg(src) => {
            let to = lower.b.buf(8);
            lower.b.push(Inst::Store { to, src }, value.span);
            Ok((to, lower.size_of(&value.ty)))
        }
        Val::Place(_) | Val::Nothing => lower.cannot(value.span, format!("a {} cannot be written", value.ty)),
    }
}

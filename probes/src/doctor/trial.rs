//! The smallest programs and maps that show whether a capability is there.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya_obj::copy_instructions;
use aya_obj::generated::bpf_attach_type::{self, *};
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_RINGBUF;
use aya_obj::generated::bpf_prog_type::{self, *};

use crate::catalog::btf::{Btf, Kind as BtfKind, TypeId};
use crate::sys::bpf::{self, MapSpec, ProgramSpec};

/// A kind of program to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tracepoint,
    RawTracepoint,
    BtfTracepoint,
    Fentry,
    /// A kprobe or uprobe: the same to the verifier.
    Probe,
    Sampling,
    Connect4,
    Connect6,
    GetPeerName4,
    GetPeerName6,
    SendMsg4,
    Sockops,
}

type Code = Vec<[u8; 8]>;

/// One instruction: code, destination, source, offset, immediate.
const fn ins(code: u8, dst: u8, src: u8, offset: i16, imm: i32) -> [u8; 8] {
    let (o, i) = (offset.to_le_bytes(), imm.to_le_bytes());
    [code, dst | src << 4, o[0], o[1], i[0], i[1], i[2], i[3]]
}

const EXIT: [u8; 8] = ins(0x95, 0, 0, 0, 0);

/// `r[dst] = imm`
const fn set(dst: u8, imm: i32) -> [u8; 8] {
    ins(0xb7, dst, 0, 0, imm)
}

/// `r[dst] = r[src]`
const fn copy(dst: u8, src: u8) -> [u8; 8] {
    ins(0xbf, dst, src, 0, 0)
}

/// `r[dst] += imm`
const fn add(dst: u8, imm: i32) -> [u8; 8] {
    ins(0x07, dst, 0, 0, imm)
}

const fn helper(number: i32) -> [u8; 8] {
    ins(0x85, 0, 0, 0, number)
}

fn call_kfunc(name: &str) -> io::Result<[u8; 8]> {
    Ok(ins(0x85, 0, 2, 0, kfunc(name)?.cast_signed()))
}

/// Finds a kernel function that programs may call.
pub(super) fn kfunc(name: &str) -> io::Result<TypeId> {
    let btf = Btf::kernel().map_err(io::Error::other)?;
    btf.function_id(name).ok_or_else(|| io::Error::other(format!("this kernel has no {name}")))
}

/// Has a program that returns a constant verified.
pub(super) fn program(kind: Kind) -> io::Result<OwnedFd> {
    let addresses = |hook| (BPF_PROG_TYPE_CGROUP_SOCK_ADDR, Some(hook));
    let tracing = |hook| (BPF_PROG_TYPE_TRACING, Some(hook));
    let (prog_type, hook) = match kind {
        Kind::Tracepoint => (BPF_PROG_TYPE_TRACEPOINT, None),
        Kind::RawTracepoint => (BPF_PROG_TYPE_RAW_TRACEPOINT, None),
        Kind::BtfTracepoint => tracing(BPF_TRACE_RAW_TP),
        Kind::Fentry => tracing(BPF_TRACE_FENTRY),
        Kind::Probe => (BPF_PROG_TYPE_KPROBE, None),
        Kind::Sampling => (BPF_PROG_TYPE_PERF_EVENT, None),
        Kind::Connect4 => addresses(BPF_CGROUP_INET4_CONNECT),
        Kind::Connect6 => addresses(BPF_CGROUP_INET6_CONNECT),
        Kind::GetPeerName4 => addresses(BPF_CGROUP_INET4_GETPEERNAME),
        Kind::GetPeerName6 => addresses(BPF_CGROUP_INET6_GETPEERNAME),
        Kind::SendMsg4 => addresses(BPF_CGROUP_UDP4_SENDMSG),
        Kind::Sockops => (BPF_PROG_TYPE_SOCK_OPS, Some(BPF_CGROUP_SOCK_OPS)),
    };
    let target = match kind {
        Kind::BtfTracepoint => btf_id("btf_trace_sys_exit", BtfKind::Typedef)?,
        Kind::Fentry => btf_id("tcp_sendmsg", BtfKind::Func)?,
        _ => 0,
    };
    // 1 is "pass" where it means anything; getpeername accepts nothing else.
    let result = if prog_type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR { 1 } else { 0 };
    load((prog_type, hook), target, &[set(0, result), EXIT])
}

fn btf_id(name: &str, kind: BtfKind) -> io::Result<TypeId> {
    let btf = Btf::kernel().map_err(io::Error::other)?;
    let found = btf.find(name, kind);
    found.map(|ty| ty.id).ok_or_else(|| io::Error::other(format!("the kernel's types lack {name}")))
}

fn load(
    (kind, attach_type): (bpf_prog_type, Option<bpf_attach_type>),
    btf_id: TypeId,
    code: &[[u8; 8]],
) -> io::Result<OwnedFd> {
    let instructions = copy_instructions(&code.concat()).map_err(io::Error::other)?;
    let spec = ProgramSpec {
        name: "reel_doctor",
        kind,
        attach_type,
        instructions: &instructions,
        license: c"GPL",
        flags: 0,
        btf_id,
    };
    bpf::prog_load(&spec, &mut [])
}

fn ring() -> io::Result<OwnedFd> {
    let spec = MapSpec {
        kind: BPF_MAP_TYPE_RINGBUF,
        key_len_bytes: 0,
        value_len_bytes: 0,
        max_entries: 65536,
        flags: 0,
        extra: 0,
    };
    bpf::map_create("reel_doctor", spec, None)
}

/// Makes a ring buffer.
pub(super) fn ring_buffer() -> io::Result<()> {
    ring().map(drop)
}

/// `ringbuf_reserve_dynptr(ring, 64, 0, r10 - 16)`
fn reserve(ring: &OwnedFd) -> Code {
    let map = ring.as_fd().as_raw_fd();
    let load_map = [ins(0x18, 1, 1, 0, map), ins(0, 0, 0, 0, 0)];
    let call = [set(2, 64), set(3, 0), copy(4, 10), add(4, -16), helper(198)];
    [load_map.as_slice(), &call].concat()
}

/// `ringbuf_discard_dynptr(r10 - 16, 0); return 0`
fn discard_and_exit() -> Code {
    vec![copy(1, 10), add(1, -16), set(2, 0), helper(200), set(0, 0), EXIT]
}

fn at_tracepoint(name: &str, code: &[[u8; 8]]) -> io::Result<()> {
    let target = btf_id(&format!("btf_trace_{name}"), BtfKind::Typedef)?;
    load((BPF_PROG_TYPE_TRACING, Some(BPF_TRACE_RAW_TP)), target, code).map(drop)
}

/// Reads user memory into a reserved record, as capture does for what is sent.
pub(super) fn user_dynptr() -> io::Result<()> {
    let ring = ring()?;
    let read = [copy(1, 10), add(1, -16), set(2, 0), set(3, 8), set(4, 0)];
    let call = [call_kfunc("bpf_probe_read_user_dynptr")?];
    at_tracepoint("sys_exit", &[reserve(&ring), read.to_vec(), call.to_vec(), discard_and_exit()].concat())
}

/// Copies from a segment into a reserved record, as capture does for what is received.
pub(super) fn skb_dynptr() -> io::Result<()> {
    let ring = ring()?;
    // r6 = the segment, the first argument
    let keep = [ins(0x79, 6, 1, 0, 0)];
    let from_skb = [copy(1, 6), set(2, 0), copy(3, 10), add(3, -32), call_kfunc("bpf_dynptr_from_skb")?];
    let to = [copy(1, 10), add(1, -16), set(2, 0), copy(3, 10), add(3, -32), set(4, 0), set(5, 8)];
    let call = [call_kfunc("bpf_dynptr_copy")?];
    let parts = [keep.to_vec(), reserve(&ring), from_skb.to_vec(), to.to_vec(), call.to_vec(), discard_and_exit()];
    at_tracepoint("skb_copy_datagram_iovec", &parts.concat())
}

/// Asks for the attach cookie in a raw tracepoint program, the last kind to get one.
pub(super) fn raw_tracepoint_cookie() -> io::Result<()> {
    // bpf_get_attach_cookie(ctx)
    load((BPF_PROG_TYPE_RAW_TRACEPOINT, None), 0, &[helper(174), set(0, 0), EXIT]).map(drop)
}

//! bpf(2): maps, programs and links as owned descriptors.
//!
//! aya's `EbpfLoader` parses the whole of the kernel's BTF when it is created (14 to 47 ms and
//! some 20 MB, measured), which alone would break the start-up budget. So `aya-obj` parses and
//! relocates the object, `aya` reads the ring buffer, and these calls do what is between. Each
//! attribute block is a `repr(C)` struct without implicit padding, laid out as the part of `union
//! bpf_attr` (include/uapi/linux/bpf.h) that the command reads.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use aya_obj::generated::{bpf_attach_type, bpf_cmd, bpf_insn, bpf_map_type, bpf_prog_type};

use super::memlock;
use super::perf::CStrExt;

/// A name as the kernel takes it: 15 characters of `[A-Za-z0-9_.]`, zero-terminated.
pub(crate) type ObjName = [u8; 16];

/// Cuts a name to what the kernel takes, replacing what it would refuse.
pub(crate) fn obj_name(name: &str) -> ObjName {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().take(15).zip(name.bytes()) {
        let fine = from.is_ascii_alphanumeric() || from == b'_' || from == b'.';
        *to = if fine { from } else { b'_' };
    }
    out
}

/// What a map is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapSpec {
    pub(crate) kind: bpf_map_type,
    pub(crate) key_len_bytes: u32,
    pub(crate) value_len_bytes: u32,
    pub(crate) max_entries: u32,
    pub(crate) flags: u32,
    pub(crate) extra: u64,
}

/// The BTF that some kinds of map want (socket and inode storage).
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapBtf<'a> {
    pub(crate) fd: BorrowedFd<'a>,
    pub(crate) key_type: u32,
    pub(crate) value_type: u32,
}

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    name: ObjName,
    ifindex: u32,
    btf_fd: u32,
    btf_key_type: u32,
    btf_value_type: u32,
    btf_vmlinux_value_type: u32,
    extra: u64,
}

/// Creates a map (BPF_MAP_CREATE).
pub(crate) fn map_create(name: &str, spec: MapSpec, btf: Option<MapBtf<'_>>) -> io::Result<OwnedFd> {
    let attr = MapCreate {
        kind: spec.kind as u32,
        key_size: spec.key_len_bytes,
        value_size: spec.value_len_bytes,
        max_entries: spec.max_entries,
        flags: spec.flags,
        name: obj_name(name),
        btf_fd: btf.map_or(0, |b| fd_bits(b.fd)),
        btf_key_type: btf.map_or(0, |b| b.key_type),
        btf_value_type: btf.map_or(0, |b| b.value_type),
        extra: spec.extra,
        ..MapCreate::default()
    };
    new_fd(bpf_cmd::BPF_MAP_CREATE, &attr)
}

#[repr(C)]
struct Element {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Element {
    fn new(map: BorrowedFd<'_>, key: Option<&[u8]>, value: u64, flags: u64) -> Self {
        let key = key.map_or(0, |key| key.as_ptr() as u64);
        Self { map_fd: fd_bits(map), pad: 0, key, value, flags }
    }
}

/// Copies the value of `key` into `value`; false when the map has no such key.
///
/// The caller makes `key` and `value` as long as the map's (a per-CPU value: the rounded length
/// times the possible CPUs): [`crate::maps::Map`] does.
pub(crate) fn map_lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    let attr = Element::new(map, Some(key), value.as_mut_ptr() as u64, 0);
    found(call(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &attr))
}

/// Sets the value of `key` (BPF_ANY), with the same contract as [`map_lookup`].
pub(crate) fn map_update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    let attr = Element::new(map, Some(key), value.as_ptr() as u64, 0);
    call(bpf_cmd::BPF_MAP_UPDATE_ELEM, &attr).map(|_| ())
}

/// Removes `key`; false when the map has no such key.
pub(crate) fn map_delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<bool> {
    found(call(bpf_cmd::BPF_MAP_DELETE_ELEM, &Element::new(map, Some(key), 0, 0)))
}

/// Writes the key after `key` (the first for none) to `next`; false at the end.
pub(crate) fn map_next_key(map: BorrowedFd<'_>, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<bool> {
    let attr = Element::new(map, key, next.as_mut_ptr() as u64, 0);
    found(call(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &attr))
}

fn found(result: io::Result<RawFd>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    btf: u64,
    log: u64,
    btf_len: u32,
    log_len: u32,
    log_level: u32,
    true_len: u32,
}

/// Hands type information to the kernel (BPF_BTF_LOAD).
pub(crate) fn btf_load(btf: &[u8]) -> io::Result<OwnedFd> {
    let attr = BtfLoad { btf: btf.as_ptr() as u64, btf_len: u32_len(btf.len())?, ..BtfLoad::default() };
    new_fd(bpf_cmd::BPF_BTF_LOAD, &attr)
}

/// A program, ready for the verifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProgramSpec<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: bpf_prog_type,
    pub(crate) attach_type: Option<bpf_attach_type>,
    pub(crate) instructions: &'a [bpf_insn],
    pub(crate) license: &'a CStr,
    /// BPF_F_SLEEPABLE and its like.
    pub(crate) flags: u32,
    /// The kernel type or function that a `tp_btf`, fentry or fexit program is for.
    pub(crate) btf_id: u32,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_len: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: ObjName,
    ifindex: u32,
    attach_type: u32,
    btf_fd: u32,
    func_info_len: u32,
    func_info: u64,
    func_info_count: u32,
    line_info_len: u32,
    line_info: u64,
    line_info_count: u32,
    attach_btf_id: u32,
    attach_fd: u32,
    core_relo_count: u32,
}

/// Loads a program (BPF_PROG_LOAD), with the verifier's log written to `log` unless that is empty.
pub(crate) fn prog_load(spec: &ProgramSpec<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let attr = ProgLoad {
        kind: spec.kind as u32,
        count: u32_len(spec.instructions.len())?,
        instructions: spec.instructions.as_ptr() as u64,
        license: spec.license.as_ptr() as u64,
        log_level: u32::from(!log.is_empty()),
        log_len: u32_len(log.len())?,
        log: if log.is_empty() { 0 } else { log.as_mut_ptr() as u64 },
        flags: spec.flags,
        name: obj_name(spec.name),
        attach_type: spec.attach_type.map_or(0, |kind| kind as u32),
        attach_btf_id: spec.btf_id,
        ..ProgLoad::default()
    };
    new_fd(bpf_cmd::BPF_PROG_LOAD, &attr)
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    returned: u32,
    data_in_len: u32,
    data_out_len: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration_ns: u32,
    ctx_in_len: u32,
    ctx_out_len: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch: u32,
    pad: u32,
}

/// Runs a raw tracepoint program once, here and now, with these arguments (BPF_PROG_TEST_RUN).
pub(crate) fn prog_run_raw_tracepoint(program: BorrowedFd<'_>, args: &[u64]) -> io::Result<u32> {
    let mut attr = TestRun {
        prog_fd: fd_bits(program),
        ctx_in_len: u32_len(size_of_val(args))?,
        ctx_in: args.as_ptr() as u64,
        ..TestRun::default()
    };
    call_mut(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr)?;
    Ok(attr.returned)
}

#[repr(C)]
struct RawTracepointOpen {
    name: u64,
    prog_fd: u32,
    pad: u32,
    cookie: u64,
}

/// Attaches to a raw tracepoint by name, or a `tp_btf`, fentry or fexit program to its target.
pub(crate) fn raw_tracepoint_open(program: BorrowedFd<'_>, name: Option<&CStr>, cookie: u64) -> io::Result<OwnedFd> {
    let name = name.map_or(0, CStrExt::address);
    let attr = RawTracepointOpen { name, prog_fd: fd_bits(program), pad: 0, cookie };
    new_fd(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &attr)
}

#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    /// The cookie of a perf event, or zero.
    extra: [u64; 2],
}

/// What a link is attached to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LinkTarget<'a> {
    /// A cgroup directory or a perf event.
    Fd(BorrowedFd<'a>),
    /// A network interface.
    Interface(u32),
}

/// Attaches by a link (BPF_LINK_CREATE): the descriptor detaches when it is closed.
pub(crate) fn link_create(
    program: BorrowedFd<'_>,
    target: LinkTarget<'_>,
    attach_type: bpf_attach_type,
    cookie: u64,
) -> io::Result<OwnedFd> {
    let target = match target {
        LinkTarget::Fd(fd) => fd_bits(fd),
        LinkTarget::Interface(index) => index,
    };
    let attr =
        LinkCreate { prog_fd: fd_bits(program), target, attach_type: attach_type as u32, flags: 0, extra: [cookie, 0] };
    new_fd(bpf_cmd::BPF_LINK_CREATE, &attr)
}

#[repr(C)]
struct NextId {
    id: u32,
    next_id: u32,
    flags: u32,
}

/// Returns the number of the program after this one; none at the end.
pub(crate) fn prog_next_id(id: u32) -> io::Result<Option<u32>> {
    next_id(bpf_cmd::BPF_PROG_GET_NEXT_ID, id)
}

/// Returns the number of the link after this one; none at the end.
pub(crate) fn link_next_id(id: u32) -> io::Result<Option<u32>> {
    next_id(bpf_cmd::BPF_LINK_GET_NEXT_ID, id)
}

fn next_id(command: bpf_cmd, id: u32) -> io::Result<Option<u32>> {
    let mut attr = NextId { id, next_id: 0, flags: 0 };
    let more = found(call_mut(command, &mut attr))?;
    Ok(more.then_some(attr.next_id))
}

fn fd_bits(fd: BorrowedFd<'_>) -> u32 {
    // A borrowed descriptor is never negative.
    fd.as_raw_fd() as u32
}

fn u32_len(len: usize) -> io::Result<u32> {
    u32::try_from(len).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))
}

fn new_fd<T>(command: bpf_cmd, attr: &T) -> io::Result<OwnedFd> {
    let fd = match call(command, attr) {
        // Before Linux 5.11 maps and programs count as locked memory, and this is what too little of it looks like.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            let _raised = memlock::Unlimited::new().map_err(|_| error)?;
            call(command, attr)?
        }
        result => result?,
    };
    // SAFETY: commands that come here return a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call<T>(command: bpf_cmd, attr: &T) -> io::Result<RawFd> {
    // SAFETY: `attr` is as long as we say, and the addresses in it come from slices that their
    // function borrows for the time of the call. Commands that come here do not write to `attr`.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_int, std::ptr::from_ref(attr), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}

fn call_mut<T>(command: bpf_cmd, attr: &mut T) -> io::Result<RawFd> {
    // SAFETY: as in `call`; this `attr` may be written to.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_int, std::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned() {
        assert_eq!(&obj_name("@slow")[..6], b"_slow\0");
        assert_eq!(obj_name("a_name_longer_than_the_kernel_takes")[14..], *b"t\0");
    }
}

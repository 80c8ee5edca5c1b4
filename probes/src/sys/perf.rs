//! perf_event_open(2): the events that tracepoint, uprobe, kprobe and sampling programs hang on.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::process::check;

/// `PERF_TYPE_SOFTWARE`.
const SOFTWARE: u32 = 1;
/// `PERF_TYPE_TRACEPOINT`.
const TRACEPOINT: u32 = 2;
/// `PERF_COUNT_SW_CPU_CLOCK`.
const CPU_CLOCK: u64 = 0;
/// The bit `freq` of `struct perf_event_attr`: `sample` is per second, not a period.
const FREQ: u64 = 1 << 10;
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOEXEC: libc::c_ulong = 8;
/// `PERF_EVENT_IOC_SET_BPF` and `PERF_EVENT_IOC_ENABLE`.
const SET_BPF: libc::c_ulong = 0x4004_2408;
const ENABLE: libc::c_ulong = 0x2400;

/// `struct perf_event_attr` up to PERF_ATTR_SIZE_VER1, which every supported kernel takes.
#[repr(C)]
#[derive(Default)]
struct Attr {
    kind: u32,
    len_bytes: u32,
    config: u64,
    sample: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    breakpoint: u32,
    config1: u64,
    config2: u64,
}

/// How often a sampling event fires on each CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    /// So many times a second.
    PerSecond(u64),
    /// Every so many nanoseconds of CPU time.
    EveryNs(u64),
}

/// Opens the event of a tracepoint, by the number in its `id` file.
pub(crate) fn tracepoint(id: u64) -> io::Result<OwnedFd> {
    let attr = Attr { kind: TRACEPOINT, config: id, sample: 1, ..Attr::default() };
    // The program hangs on the tracepoint itself: it runs on every CPU, whatever we say here.
    open(attr, -1, 0)
}

/// Opens a software clock that fires on one CPU.
pub(crate) fn cpu_clock(cpu: u32, sample: Sample) -> io::Result<OwnedFd> {
    let (sample, flags) = match sample {
        Sample::PerSecond(hz) => (hz, FREQ),
        Sample::EveryNs(ns) => (ns, 0),
    };
    let cpu = libc::c_int::try_from(cpu).map_err(io::Error::other)?;
    open(Attr { kind: SOFTWARE, config: CPU_CLOCK, sample, flags, ..Attr::default() }, -1, cpu)
}

/// A dynamic probe: the numbers of its kind, from /sys/bus/event_source/devices/*.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pmu {
    pub(crate) kind: u32,
    /// The bit of `config` that says "at return".
    pub(crate) return_bit: u32,
}

/// Opens a uprobe at a file's offset, or a kprobe at a function; of one process or of all.
pub(crate) fn probe(
    pmu: Pmu,
    target: &CStr,
    offset: u64,
    at_return: AtReturn,
    pid: Option<u32>,
) -> io::Result<OwnedFd> {
    let config = match at_return {
        AtReturn::Yes => 1u64 << pmu.return_bit,
        AtReturn::No => 0,
    };
    let attr = Attr { kind: pmu.kind, config, config1: target.address(), config2: offset, ..Attr::default() };
    match pid {
        Some(pid) => open(attr, libc::pid_t::try_from(pid).map_err(io::Error::other)?, -1),
        None => open(attr, -1, 0),
    }
}

/// Whether a probe fires when the function returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtReturn {
    Yes,
    No,
}

/// Hangs a program on an event without a link (before Linux 5.15): closing the event detaches.
pub(crate) fn set_program(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both are open descriptors, and these requests take no memory.
    unsafe {
        check(libc::ioctl(event.as_raw_fd(), SET_BPF as _, program.as_raw_fd()))?;
        check(libc::ioctl(event.as_raw_fd(), ENABLE as _, 0))
    }
}

fn open(mut attr: Attr, pid: libc::pid_t, cpu: libc::c_int) -> io::Result<OwnedFd> {
    attr.len_bytes = size_of::<Attr>() as u32;
    // SAFETY: `attr` is as long as it says; an address in it is a C string that our caller borrows.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attr, pid, cpu, -1, CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// The address of a C string as the kernel's attribute blocks take it.
pub(crate) trait CStrExt {
    fn address(&self) -> u64;
}

impl CStrExt for CStr {
    fn address(&self) -> u64 {
        self.as_ptr() as u64
    }
}

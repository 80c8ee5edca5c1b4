//! Attach points, and how a verified program gets there.
//!
//! Every attachment is one or more descriptors: closing them detaches. Kernels before 5.15 have
//! no link for tracepoints, probes and sampling; there the perf event itself is that descriptor.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use aya_obj::generated::bpf_attach_type::{self, BPF_PERF_EVENT, BPF_TCX_EGRESS, BPF_TCX_INGRESS};
use aya_obj::generated::bpf_prog_type::*;

use crate::catalog::btf::{Btf, Kind};
use crate::catalog::tracefs;
use crate::cpus;
use crate::load::{LoadError, ProgramKind};
use crate::sys::bpf::{self, LinkTarget};
use crate::sys::net;
use crate::sys::perf::{self, AtReturn, Pmu, Sample};
use crate::unsupported::Unsupported;

mod point;

pub use point::Scope;

/// A place in the kernel or in a program at which an eBPF program runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attach {
    /// A tracepoint, with its record as context. Linux 4.7.
    TracePoint {
        /// The subsystem: `syscalls`.
        category: String,
        /// The event: `sys_enter_openat`.
        name: String,
    },
    /// A raw tracepoint, with the hook's arguments as context. Linux 4.17.
    RawTracePoint {
        /// The event, without subsystem: `sys_enter`.
        name: String,
    },
    /// A raw tracepoint whose pointers can be followed with plain loads. Linux 5.5, with BTF.
    BtfTracePoint {
        /// The event, without subsystem: `tcp_sendmsg_locked`.
        name: String,
    },
    /// The entry of a kernel function, by a trampoline. Linux 5.5, with BTF.
    Fentry {
        /// The kernel function.
        function: String,
    },
    /// The exit of a kernel function, by a trampoline: arguments and result. Linux 5.5, with BTF.
    Fexit {
        /// The kernel function.
        function: String,
    },
    /// A kernel function's entry, or return by the section's kind, by a breakpoint.
    KProbe {
        /// The kernel function.
        function: String,
        /// Bytes from its beginning.
        offset: u64,
    },
    /// An instruction of a program or library, or a function's return by the section's kind.
    UProbe {
        /// The file.
        path: PathBuf,
        /// The offset in the file; [`crate::catalog::symbols`] finds it by name.
        offset: u64,
        /// One process only; none for all, also those that start later.
        pid: Option<u32>,
    },
    /// Everything in and below a cgroup; which hook it is the program's section says.
    Cgroup {
        /// The cgroup's directory.
        path: PathBuf,
    },
    /// A clock on each CPU that is online.
    Sample {
        /// How often.
        every: SampleRate,
    },
    /// Packets that a network interface receives, before anything else. Linux 5.9.
    Xdp {
        /// The interface's name.
        interface: String,
    },
    /// Packets of a network interface, in the traffic control layer (tcx). Linux 6.6.
    Tc {
        /// The interface's name.
        interface: String,
        /// Those received or those sent.
        direction: TcDirection,
    },
}

/// How often a sampling program runs on each CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleRate {
    /// So many times a second.
    Hz(u64),
    /// Each time that a CPU has been busy for so many nanoseconds.
    EveryNs(u64),
}

/// Which packets a traffic control program sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcDirection {
    /// Packets received.
    Ingress,
    /// Packets sent.
    Egress,
}

impl Attach {
    /// Returns the kernel type for which the program must be verified, where there is one.
    pub(crate) fn btf_target(&self) -> Result<Option<u32>, LoadError> {
        let (name, kind) = match self {
            Attach::BtfTracePoint { name } => (format!("btf_trace_{name}"), Kind::Typedef),
            Attach::Fentry { function } | Attach::Fexit { function } => (function.clone(), Kind::Func),
            _ => return Ok(None),
        };
        match Btf::kernel()?.find(&name, kind) {
            Some(ty) => Ok(Some(ty.id)),
            None => Err(LoadError::NoTarget(self.describe())),
        }
    }

    fn describe(&self) -> String {
        match self {
            Attach::TracePoint { category, name } => format!("tracepoint {category}:{name}"),
            Attach::RawTracePoint { name } | Attach::BtfTracePoint { name } => {
                format!("raw tracepoint {name}")
            }
            Attach::Fentry { function } | Attach::Fexit { function } | Attach::KProbe { function, .. } => {
                format!("kernel function {function}")
            }
            Attach::UProbe { path, offset, .. } => format!("{}:{offset:#x}", path.display()),
            Attach::Cgroup { path } => format!("cgroup {}", path.display()),
            Attach::Sample { .. } => "the CPU clock".to_string(),
            Attach::Xdp { interface } | Attach::Tc { interface, .. } => {
                format!("network interface {interface}")
            }
        }
    }
}

/// The descriptors that keep programs attached.
#[derive(Debug, Default)]
pub(crate) struct Points(Vec<OwnedFd>);

impl Points {
    pub(crate) fn add(&mut self, fds: Vec<OwnedFd>) {
        self.0.extend(fds);
    }

    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }
}

/// Attaches a verified program, and returns what keeps it attached.
pub(crate) fn attach(
    program: BorrowedFd<'_>,
    kind: ProgramKind,
    at: &Attach,
    cookie: u64,
) -> Result<Vec<OwnedFd>, LoadError> {
    check_kind(kind, at)?;
    let failed = |source| attach_error(kind, at, source);
    let one = match at {
        Attach::TracePoint { category, name } => {
            let id = tracefs::tracepoint_id(category, name)?.ok_or_else(|| LoadError::NoTarget(at.describe()))?;
            perf::tracepoint(id).and_then(|event| on_event(program, event, cookie))
        }
        Attach::RawTracePoint { name } => bpf::raw_tracepoint_open(program, Some(&c_string(name.as_str())?), cookie),
        Attach::BtfTracePoint { .. } | Attach::Fentry { .. } | Attach::Fexit { .. } => {
            bpf::raw_tracepoint_open(program, None, cookie)
        }
        Attach::KProbe { function, offset } => {
            on_probe(program, kind, "kprobe", &c_string(function.as_str())?, (*offset, None), cookie)
        }
        Attach::UProbe { path, offset, pid } => {
            let path = c_string(path.as_os_str().as_bytes())?;
            on_probe(program, kind, "uprobe", &path, (*offset, *pid), cookie)
        }
        Attach::Cgroup { path } => on_cgroup(program, kind, path),
        Attach::Sample { every } => return sample(program, *every, cookie).map_err(failed),
        Attach::Xdp { interface } => on_interface(program, interface, bpf_attach_type::BPF_XDP),
        Attach::Tc { interface, direction: TcDirection::Ingress } => on_interface(program, interface, BPF_TCX_INGRESS),
        Attach::Tc { interface, direction: TcDirection::Egress } => on_interface(program, interface, BPF_TCX_EGRESS),
    };
    one.map(|fd| vec![fd]).map_err(failed)
}

fn check_kind(kind: ProgramKind, at: &Attach) -> Result<(), LoadError> {
    let fits = match at {
        Attach::TracePoint { .. } => kind.kind == BPF_PROG_TYPE_TRACEPOINT,
        Attach::RawTracePoint { .. } => kind.kind == BPF_PROG_TYPE_RAW_TRACEPOINT,
        Attach::BtfTracePoint { .. } => kind.name == "tp_btf",
        Attach::Fentry { .. } => kind.name == "fentry",
        Attach::Fexit { .. } => kind.name == "fexit",
        Attach::KProbe { .. } | Attach::UProbe { .. } => kind.kind == BPF_PROG_TYPE_KPROBE,
        Attach::Cgroup { .. } => matches!(
            kind.kind,
            BPF_PROG_TYPE_CGROUP_SOCK_ADDR
                | BPF_PROG_TYPE_CGROUP_SOCK
                | BPF_PROG_TYPE_CGROUP_SOCKOPT
                | BPF_PROG_TYPE_CGROUP_SKB
                | BPF_PROG_TYPE_SOCK_OPS
        ),
        Attach::Sample { .. } => kind.kind == BPF_PROG_TYPE_PERF_EVENT,
        Attach::Xdp { .. } => kind.kind == BPF_PROG_TYPE_XDP,
        Attach::Tc { .. } => kind.kind == BPF_PROG_TYPE_SCHED_CLS,
    };
    if fits { Ok(()) } else { Err(LoadError::Mismatch { program: kind.name, target: at.describe() }) }
}

fn attach_error(kind: ProgramKind, at: &Attach, source: io::Error) -> LoadError {
    match (source.raw_os_error(), at) {
        // The tracepoint's record is shorter than what the program reads of it.
        (Some(libc::EACCES), Attach::TracePoint { .. }) => {
            LoadError::Object(format!("the program reads beyond the arguments of {}", at.describe()))
        }
        (Some(libc::ENOENT | libc::ENODEV | libc::EISDIR), _) => LoadError::NoTarget(at.describe()),
        (Some(libc::EPERM | libc::EACCES), _) => Unsupported::new(
            format!("attaching {} programs", kind.name),
            format!("{}: {source}", at.describe()),
            crate::load::BE_ROOT,
        )
        .into(),
        (Some(libc::EOPNOTSUPP | libc::ENOSYS | 524), _) => Unsupported::new(
            format!("attaching {} programs", kind.name),
            format!("{}: {source}", at.describe()),
            "use a newer kernel, or one with this kind of program built in",
        )
        .into(),
        _ => LoadError::Io { action: "attach a program", source },
    }
}

fn on_event(program: BorrowedFd<'_>, event: OwnedFd, cookie: u64) -> io::Result<OwnedFd> {
    let target = LinkTarget::Fd(event.as_fd());
    match bpf::link_create(program, target, BPF_PERF_EVENT, cookie) {
        // Linux before 5.15 has no such link. A cookie would be lost, so that it stays an error.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) && cookie == 0 => {
            perf::set_program(event.as_fd(), program)?;
            Ok(event)
        }
        result => result,
    }
}

fn on_probe(
    program: BorrowedFd<'_>,
    kind: ProgramKind,
    pmu: &str,
    target: &CStr,
    (offset, pid): (u64, Option<u32>),
    cookie: u64,
) -> io::Result<OwnedFd> {
    let at_return = if kind.at_return { AtReturn::Yes } else { AtReturn::No };
    let event = perf::probe(read_pmu(pmu)?, target, offset, at_return, pid)?;
    on_event(program, event, cookie)
}

fn read_pmu(name: &str) -> io::Result<Pmu> {
    let dir = Path::new("/sys/bus/event_source/devices").join(name);
    let number = |text: String| text.trim().parse().map_err(io::Error::other);
    let kind = match fs::read_to_string(dir.join("type")) {
        // No such device: the kernel was built without these probes, which is not "no such file".
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        }
        text => number(text?)?,
    };
    let format = fs::read_to_string(dir.join("format/retprobe"))?;
    let return_bit = number(format.trim().trim_start_matches("config:").to_string())?;
    Ok(Pmu { kind, return_bit })
}

fn on_cgroup(program: BorrowedFd<'_>, kind: ProgramKind, path: &Path) -> io::Result<OwnedFd> {
    let dir = File::open(path)?;
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let hook = kind.attach_type.ok_or_else(invalid)?;
    bpf::link_create(program, LinkTarget::Fd(dir.as_fd()), hook, 0)
}

fn on_interface(program: BorrowedFd<'_>, interface: &str, hook: bpf_attach_type) -> io::Result<OwnedFd> {
    let name = CString::new(interface).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    let index = net::interface_index(&name)?;
    bpf::link_create(program, LinkTarget::Interface(index), hook, 0)
}

fn sample(program: BorrowedFd<'_>, every: SampleRate, cookie: u64) -> io::Result<Vec<OwnedFd>> {
    let sample = match every {
        SampleRate::Hz(hz) => Sample::PerSecond(hz),
        SampleRate::EveryNs(ns) => Sample::EveryNs(ns),
    };
    let each = |cpu| on_event(program, perf::cpu_clock(cpu, sample)?, cookie);
    cpus::online()?.into_iter().map(each).collect()
}

fn c_string(text: impl Into<Vec<u8>>) -> Result<CString, LoadError> {
    CString::new(text).map_err(|_| LoadError::NoTarget("a name with a zero byte in it".to_string()))
}

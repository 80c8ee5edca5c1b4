//! The single questions: each has a name, a way to find out, and a remedy.

use std::fs;
use std::io;
use std::path::Path;

use super::Check;
use super::trial::{self, Kind};
use crate::catalog::btf::{Btf, Kind as BtfKind};
use crate::catalog::tracefs;
use crate::cgroup::Cgroup;
use crate::load::BE_ROOT;

/// The oldest kernel that is supported.
const OLDEST: (u32, u32) = (5, 10);
/// The capabilities that matter, by their bit (include/uapi/linux/capability.h).
const PRIVILEGES: [(&str, u32); 4] =
    [("CAP_BPF", 39), ("CAP_PERFMON", 38), ("CAP_NET_ADMIN", 12), ("CAP_SYS_ADMIN", 21)];

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Something that a machine may be able to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Capability {
            $($(#[$doc])* $name,)*
        }

        impl Capability {
            /// All of them, in the order in which `reel doctor` shows them.
            pub const ALL: [Capability; [$($text),*].len()] = [$(Capability::$name),*];

            /// Returns the question in a few words.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Capability::$name => $text,)*
                }
            }
        }
    };
}

capabilities! {
    /// A kernel that is new enough.
    Kernel = "kernel";
    /// The right to load and attach eBPF programs.
    Privilege = "privilege";
    /// A cgroup v2 of our own for the app.
    Cgroup = "cgroup v2";
    /// The kernel's type information.
    Btf = "kernel types (BTF)";
    /// The directory of tracepoints.
    Tracefs = "tracefs";
    /// The map through which events come to user space.
    RingBuffer = "ring buffer";
    /// Tracepoint programs.
    Tracepoint = "tracepoint";
    /// Raw tracepoint programs.
    RawTracepoint = "raw tracepoint";
    /// Typed raw tracepoint programs.
    BtfTracepoint = "tp_btf";
    /// Programs at the entry of kernel functions, by trampoline.
    Fentry = "fentry";
    /// Programs at any kernel instruction, by breakpoint.
    Kprobe = "kprobe";
    /// Programs at functions of programs and libraries.
    Uprobe = "uprobe";
    /// Programs at clock ticks.
    Sampling = "sampling";
    /// The redirection of IPv4 connections.
    Connect4 = "cgroup/connect4";
    /// The redirection of IPv6 connections.
    Connect6 = "cgroup/connect6";
    /// The hiding of a redirection (IPv4).
    GetPeerName4 = "cgroup/getpeername4";
    /// The hiding of a redirection (IPv6).
    GetPeerName6 = "cgroup/getpeername6";
    /// The refusal of datagrams.
    SendMsg4 = "cgroup/sendmsg4";
    /// Programs at the events of TCP connections.
    Sockops = "sockops";
    /// The tracepoint that tells when connections open and close.
    TcpStates = "TCP states";
    /// The tracepoints in TCP that the first way of capturing uses.
    TcpHooks = "TCP hooks";
    /// A processor whose registers the second way of capturing knows.
    Registers = "registers";
    /// Reading user memory of any length into the ring (Linux 6.16).
    UserDynptr = "bpf_probe_read_user_dynptr";
    /// Copying a received segment into the ring.
    SkbDynptr = "bpf_dynptr_from_skb, _copy";
    /// Reading kernel structs without copying them first (Linux 6.2).
    RdonlyCast = "bpf_rdonly_cast";
    /// Cookies that tell a program at which of its points it runs (Linux 6.10 for all kinds).
    Cookies = "attach cookies";
}

/// What was found out: a detail, or a detail and a remedy.
type Answer = Result<String, (String, String)>;

impl Capability {
    /// Finds out whether this machine can do it.
    #[must_use]
    pub fn check(self) -> Check {
        let answer = self.ask();
        let ok = answer.is_ok();
        let (detail, remedy) = answer.map_or_else(|failed| failed, |detail| (detail, String::new()));
        Check { capability: self, name: self.name(), ok, detail, remedy }
    }

    /// Returns whether a test that needs this can run; else says on standard error why it is
    /// skipped. With `REEL_NO_SKIP` set it ends the test instead: where the kernel should have it.
    ///
    /// # Panics
    /// When it is lacking and `REEL_NO_SKIP` is set.
    #[must_use]
    pub fn needs(self) -> bool {
        let check = self.check();
        if !check.ok {
            let text = format!("{} is lacking: {}", check.name, check.detail);
            assert!(std::env::var_os("REEL_NO_SKIP").is_none(), "{text}");
            eprintln!("skipped: {text}");
        }
        check.ok
    }

    fn ask(self) -> Answer {
        match self {
            Capability::Kernel => kernel(),
            Capability::Privilege => privilege(),
            Capability::Cgroup => match Cgroup::create() {
                Ok(cgroup) => Ok(parent_of(cgroup.path())),
                Err(error) => Err((error.to_string(), "mount cgroup v2, and run as root".to_string())),
            },
            Capability::Btf => match Btf::kernel() {
                Ok(btf) => Ok(format!("{} types", btf.len())),
                Err(error) => Err((error.why, error.remedy)),
            },
            Capability::Tracefs => match tracefs::root() {
                Ok(path) if path.starts_with("/proc") => Ok("mounted for reel alone".to_string()),
                Ok(path) => Ok(path.display().to_string()),
                Err(error) => Err((error.why, error.remedy)),
            },
            Capability::RingBuffer => tried(trial::ring_buffer(), "5.8"),
            Capability::Tracepoint => loads(Kind::Tracepoint, "4.7"),
            Capability::RawTracepoint => loads(Kind::RawTracepoint, "4.17"),
            Capability::BtfTracepoint => loads(Kind::BtfTracepoint, "5.5"),
            Capability::Fentry => loads(Kind::Fentry, "5.5"),
            Capability::Kprobe => device("kprobe", "CONFIG_KPROBES"),
            Capability::Uprobe => device("uprobe", "CONFIG_UPROBES"),
            Capability::Sampling => loads(Kind::Sampling, "4.9"),
            Capability::Connect4 => loads(Kind::Connect4, "4.17"),
            Capability::Connect6 => loads(Kind::Connect6, "4.17"),
            Capability::GetPeerName4 => loads(Kind::GetPeerName4, "5.8"),
            Capability::GetPeerName6 => loads(Kind::GetPeerName6, "5.8"),
            Capability::SendMsg4 => loads(Kind::SendMsg4, "4.18"),
            Capability::Sockops => loads(Kind::Sockops, "4.13"),
            Capability::TcpStates => tcp_states(),
            Capability::TcpHooks => tcp_hooks(),
            Capability::Registers => registers(),
            Capability::UserDynptr => tried(trial::user_dynptr(), "6.16"),
            Capability::SkbDynptr => tried(trial::skb_dynptr(), "6.16"),
            Capability::RdonlyCast => tried(trial::kfunc("bpf_rdonly_cast").map(drop), "6.2"),
            Capability::Cookies => tried(trial::raw_tracepoint_cookie(), "6.10"),
        }
    }
}

fn loads(kind: Kind, since: &str) -> Answer {
    tried(trial::program(kind).map(drop), since)
}

fn tried(result: io::Result<()>, since: &str) -> Answer {
    match result {
        Ok(()) => Ok("works".to_string()),
        Err(error) => Err((error.to_string(), remedy(&error, since))),
    }
}

fn remedy(error: &io::Error, since: &str) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) if privilege().is_err() => BE_ROOT.to_string(),
        Some(libc::EPERM) => "this kernel's policy forbids it; use a host that allows it".to_string(),
        _ => format!("use Linux {since} or newer"),
    }
}

fn kernel() -> Answer {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let text = format!("Linux {release}, {}", std::env::consts::ARCH);
    if version >= OLDEST { Ok(text) } else { Err((text, format!("use Linux {}.{} or newer", OLDEST.0, OLDEST.1))) }
}

fn privilege() -> Answer {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let has = |bit: &u32| bits & 1 << bit != 0;
    let missing: Vec<&str> = PRIVILEGES.iter().filter(|(_, bit)| !has(bit)).map(|(name, _)| *name).collect();
    // CAP_SYS_ADMIN was all of them before Linux 5.8, and still is.
    match missing.as_slice() {
        [] => Ok("all that is needed".to_string()),
        _ if has(&21) && has(&12) => Ok("CAP_SYS_ADMIN".to_string()),
        ["CAP_SYS_ADMIN"] => Ok("CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN".to_string()),
        _ => Err((format!("{} missing", missing.join(", ")), BE_ROOT.to_string())),
    }
}

fn device(name: &str, option: &str) -> Answer {
    let path = format!("/sys/bus/event_source/devices/{name}/type");
    if !Path::new(&path).exists() {
        return Err((format!("{path} does not exist"), format!("use a kernel built with {option}=y")));
    }
    loads(Kind::Probe, "4.1")
}

/// Whether the kernel has these tracepoints, with types.
fn hooks(names: &[&str], since: &str) -> Answer {
    let btf = Btf::kernel().map_err(|error| (error.why, error.remedy))?;
    let missing = names.iter().find(|name| btf.find(&format!("btf_trace_{name}"), BtfKind::Typedef).is_none());
    match missing {
        None => Ok("works".to_string()),
        Some(name) => Err((format!("this kernel has no tracepoint {name}"), format!("use Linux {since} or newer"))),
    }
}

fn tcp_hooks() -> Answer {
    hooks(&["tcp_sendmsg_locked", "skb_copy_datagram_iovec"], "6.16")
}

fn tcp_states() -> Answer {
    hooks(&["inet_sock_set_state"], "5.5")
}

fn registers() -> Answer {
    match std::env::consts::ARCH {
        "x86_64" => Ok("works".to_string()),
        other => Err((format!("{other} is not known"), "use a machine of x86-64".to_string())),
    }
}

fn parent_of(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

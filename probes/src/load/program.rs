//! The kinds of program, by the section of the object that a program is in.

use aya_obj::ProgramSection;
use aya_obj::generated::bpf_attach_type::{self, *};
use aya_obj::generated::bpf_prog_type::{self, *};
use aya_obj::programs::{CgroupSkbAttachType, CgroupSockAddrAttachType, CgroupSockAttachType, CgroupSockoptAttachType};

use super::LoadError;

/// `BPF_F_SLEEPABLE`.
const SLEEPABLE: u32 = 1 << 4;

/// What the kernel must be told about a program besides its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProgramKind {
    pub(crate) kind: bpf_prog_type,
    pub(crate) attach_type: Option<bpf_attach_type>,
    pub(crate) flags: u32,
    /// Whether a kprobe or uprobe fires at return.
    pub(crate) at_return: bool,
    /// The word that messages use for it.
    pub(crate) name: &'static str,
}

impl ProgramKind {
    fn new(name: &'static str, kind: bpf_prog_type, attach_type: impl Into<Option<bpf_attach_type>>) -> Self {
        Self { kind, attach_type: attach_type.into(), flags: 0, at_return: false, name }
    }

    fn at_return(mut self) -> Self {
        self.at_return = true;
        self
    }

    fn sleepable_if(mut self, sleepable: &bool) -> Self {
        self.flags = if *sleepable { SLEEPABLE } else { 0 };
        self
    }

    /// Returns the kind for an ELF section, or says that this kernel edge has none for it.
    pub(super) fn of_section(section: &ProgramSection) -> Result<Self, LoadError> {
        Ok(match section {
            ProgramSection::TracePoint => Self::new("tracepoint", BPF_PROG_TYPE_TRACEPOINT, None),
            ProgramSection::RawTracePoint => Self::new("raw tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT, None),
            ProgramSection::BtfTracePoint => Self::new("tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP),
            ProgramSection::FEntry { sleepable } => {
                Self::new("fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY).sleepable_if(sleepable)
            }
            ProgramSection::FExit { sleepable } => {
                Self::new("fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT).sleepable_if(sleepable)
            }
            ProgramSection::KProbe => Self::new("kprobe", BPF_PROG_TYPE_KPROBE, None),
            ProgramSection::KRetProbe => Self::new("kretprobe", BPF_PROG_TYPE_KPROBE, None).at_return(),
            ProgramSection::UProbe { sleepable } => {
                Self::new("uprobe", BPF_PROG_TYPE_KPROBE, None).sleepable_if(sleepable)
            }
            ProgramSection::URetProbe { sleepable } => {
                Self::new("uretprobe", BPF_PROG_TYPE_KPROBE, None).sleepable_if(sleepable).at_return()
            }
            ProgramSection::PerfEvent => Self::new("perf_event", BPF_PROG_TYPE_PERF_EVENT, None),
            ProgramSection::CgroupSockAddr { attach_type } => {
                Self::new("cgroup/sock_addr", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, sock_addr(*attach_type))
            }
            ProgramSection::CgroupSock { attach_type } => {
                Self::new("cgroup/sock", BPF_PROG_TYPE_CGROUP_SOCK, sock(*attach_type))
            }
            ProgramSection::CgroupSockopt { attach_type } => {
                Self::new("cgroup/sockopt", BPF_PROG_TYPE_CGROUP_SOCKOPT, sockopt(*attach_type))
            }
            ProgramSection::CgroupSkb { attach_type: Some(direction) } => {
                Self::new("cgroup_skb", BPF_PROG_TYPE_CGROUP_SKB, skb(*direction))
            }
            ProgramSection::SockOps => Self::new("sockops", BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS),
            ProgramSection::Xdp { .. } => Self::new("xdp", BPF_PROG_TYPE_XDP, BPF_XDP),
            ProgramSection::SchedClassifier => Self::new("tc", BPF_PROG_TYPE_SCHED_CLS, None),
            other => {
                return Err(LoadError::Object(format!("no support for a section of kind {other:?}")));
            }
        })
    }
}

fn sock_addr(hook: CgroupSockAddrAttachType) -> bpf_attach_type {
    use CgroupSockAddrAttachType as Hook;
    match hook {
        Hook::Bind4 => BPF_CGROUP_INET4_BIND,
        Hook::Bind6 => BPF_CGROUP_INET6_BIND,
        Hook::Connect4 => BPF_CGROUP_INET4_CONNECT,
        Hook::Connect6 => BPF_CGROUP_INET6_CONNECT,
        Hook::GetPeerName4 => BPF_CGROUP_INET4_GETPEERNAME,
        Hook::GetPeerName6 => BPF_CGROUP_INET6_GETPEERNAME,
        Hook::GetSockName4 => BPF_CGROUP_INET4_GETSOCKNAME,
        Hook::GetSockName6 => BPF_CGROUP_INET6_GETSOCKNAME,
        Hook::UDPSendMsg4 => BPF_CGROUP_UDP4_SENDMSG,
        Hook::UDPSendMsg6 => BPF_CGROUP_UDP6_SENDMSG,
        Hook::UDPRecvMsg4 => BPF_CGROUP_UDP4_RECVMSG,
        Hook::UDPRecvMsg6 => BPF_CGROUP_UDP6_RECVMSG,
    }
}

fn sock(hook: CgroupSockAttachType) -> bpf_attach_type {
    use CgroupSockAttachType as Hook;
    match hook {
        Hook::PostBind4 => BPF_CGROUP_INET4_POST_BIND,
        Hook::PostBind6 => BPF_CGROUP_INET6_POST_BIND,
        Hook::SockCreate => BPF_CGROUP_INET_SOCK_CREATE,
        Hook::SockRelease => BPF_CGROUP_INET_SOCK_RELEASE,
    }
}

fn sockopt(hook: CgroupSockoptAttachType) -> bpf_attach_type {
    match hook {
        CgroupSockoptAttachType::Get => BPF_CGROUP_GETSOCKOPT,
        CgroupSockoptAttachType::Set => BPF_CGROUP_SETSOCKOPT,
    }
}

fn skb(direction: CgroupSkbAttachType) -> bpf_attach_type {
    match direction {
        CgroupSkbAttachType::Ingress => BPF_CGROUP_INET_INGRESS,
        CgroupSkbAttachType::Egress => BPF_CGROUP_INET_EGRESS,
    }
}

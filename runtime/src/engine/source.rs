//! Where the messages of a run come from.
//!
//! Whatever the source, its exchanges run through the same clauses ([`super::messages`]). A live source goes on until something ends
//! it and shares its run with kernel probes ([`super::run`]); one of the past has an end, and a time of its own ([`super::past`]).

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use reel_compiler::plan::source::Facts;
use reel_lang::schema::{Event, FieldId, conn};
use reel_probes::cgroup;
use reel_probes::programs::Whose;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::hosts::Host;
use super::live::Live;
use super::messages::Messages;
use crate::exit::{Exit, Failure};

/// A source of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A command that is started, in a cgroup of its own.
    Command(String),
    /// A recording's folder.
    Recording(PathBuf),
    /// A packet file, and which of the machines in it are the app; where none is named, nobody knows.
    Packets(PathBuf, Vec<Host>),
    /// A process that runs already.
    Process(u32),
    /// The processes of a cgroup, by its folder or its path below the mount point, and of those below it.
    Cgroup(PathBuf),
    /// None was named: everything on this machine but reel's own.
    Machine,
}

/// What packets do not tell, and why; the first only where no host is named.
const UNKNOWN_OF_PACKETS: &[(FieldId, &str)] = &[
    (conn::DIRECTION, "packets do not tell which of the two machines is meant"),
    (conn::PID, "packets carry no process"),
    (conn::TID, "packets carry no thread"),
    (conn::COMM, "packets carry no thread"),
    (conn::CGROUP, "packets carry no process"),
];

const UNKNOWN_OF_HOSTS: &[(FieldId, &str)] = match UNKNOWN_OF_PACKETS {
    [_, others @ ..] => others,
    [] => &[],
};

/// What a recording does not keep, and why.
const UNKNOWN_OF_RECORDINGS: &[(FieldId, &str)] = &[
    (conn::CGROUP, "a recording keeps no cgroup"),
    (conn::DURATION, "a recording keeps exchanges, and not when connections opened"),
    (conn::CLIENT_BYTES, "a recording keeps exchanges, and not what connections moved"),
    (conn::SERVER_BYTES, "a recording keeps exchanges, and not what connections moved"),
];
const UNTOLD_OF_RECORDINGS: &[(Event, &str)] = &[
    (Event::Error, "a recording counts the bytes that were not decoded, and does not keep them"),
    (Event::Open, "a recording keeps exchanges, and not connections"),
    (Event::Data, "a recording keeps exchanges, and not how they were sent"),
    (Event::Close, "a recording keeps exchanges, and not connections"),
];

impl Source {
    /// What the source can tell.
    pub fn facts(&self) -> Facts {
        match self {
            Source::Command(_) | Source::Process(_) | Source::Cgroup(_) | Source::Machine => {
                Facts { name: "a live capture", is_past: false, unknown: &[], untold: &[] }
            }
            Source::Packets(_, hosts) => {
                let unknown = if hosts.is_empty() { UNKNOWN_OF_PACKETS } else { UNKNOWN_OF_HOSTS };
                Facts { name: "a packet file", is_past: true, unknown, untold: &[] }
            }
            Source::Recording(_) => Facts {
                name: "a recording",
                is_past: true,
                unknown: UNKNOWN_OF_RECORDINGS,
                untold: UNTOLD_OF_RECORDINGS,
            },
        }
    }

    /// The option that named processes which run already: it narrows messages, and no kernel probe.
    pub fn narrowing(&self) -> Option<&'static str> {
        match self {
            Source::Process(_) => Some("-p"),
            Source::Cgroup(_) => Some("--cgroup"),
            _ => None,
        }
    }

    /// Starts to listen to processes that run already.
    ///
    /// # Errors
    /// There is no such process or cgroup, or this machine cannot do it.
    pub fn watch(&self, messages: Messages) -> Result<Live, Failure> {
        match self {
            Source::Process(id) => Live::watch(Whose::Process(*id), Some(*id), messages),
            Source::Cgroup(path) => Live::watch(Whose::Below(cgroup_id(path)?), None, messages),
            _ => Live::watch(Whose::AllBut(std::process::id()), None, messages),
        }
    }

    /// What becomes readable when the process ends that is listened to.
    ///
    /// # Errors
    /// There is no such process or cgroup, whether a clause listens to it or not.
    pub fn ended(&self) -> Result<Option<OwnedFd>, Failure> {
        let id = match self {
            Source::Process(id) => id,
            Source::Cgroup(path) => return cgroup_id(path).map(|_| None),
            _ => return Ok(None),
        };
        let pid = i32::try_from(*id).ok().and_then(Pid::from_raw);
        let fd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        fd.map(Some).ok_or_else(|| {
            Failure::new(Exit::Usage, format!("there is no process {id}"))
                .remedy("`-p` takes a process id, not that of one of its threads: see `pgrep NAME`")
        })
    }
}

/// The id of a cgroup: the inode of its folder.
fn cgroup_id(path: &Path) -> Result<u64, Failure> {
    let wrong = |why: &str| {
        Failure::new(Exit::Usage, format!("{}: {why}", path.display()))
            .remedy("name a folder of the cgroup v2 file system, such as /sys/fs/cgroup/system.slice/nginx.service")
    };
    let mount = cgroup::mount_point().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    let below = mount.join(path.strip_prefix("/").unwrap_or(path));
    let found = [path.to_owned(), below].into_iter().find(|folder| folder.join("cgroup.controllers").is_file());
    let folder = found.ok_or_else(|| wrong("this is no cgroup"))?;
    folder.metadata().map(|meta| meta.ino()).map_err(|error| wrong(&error.to_string()))
}

//! Where the messages of a run come from.
//!
//! Whatever the source, its exchanges run through the same clauses ([`super::messages`]). A live source goes on until something ends
//! it and shares its run with kernel probes ([`super::run`]); one of the past has an end, and a time of its own ([`super::past`]).

use std::path::PathBuf;

use reel_compiler::plan::source::Facts;
use reel_lang::schema::{FieldId, conn};

/// A source of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A command that is started, in a cgroup of its own.
    Command(String),
    /// A recording's folder.
    Recording(PathBuf),
    /// A packet file.
    Packets(PathBuf),
    /// None was named.
    Unnamed,
}

/// What packets do not tell, and why.
const UNKNOWN_OF_PACKETS: &[(FieldId, &str)] = &[
    (conn::DIRECTION, "packets do not tell which of the two machines is meant"),
    (conn::PID, "packets carry no process"),
    (conn::TID, "packets carry no thread"),
    (conn::COMM, "packets carry no thread"),
];

impl Source {
    /// What the source can tell.
    pub fn facts(&self) -> Facts {
        match self {
            Source::Command(_) | Source::Unnamed => Facts { name: "a live capture", is_past: false, unknown: &[] },
            Source::Packets(_) => Facts { name: "a packet file", is_past: true, unknown: UNKNOWN_OF_PACKETS },
            Source::Recording(_) => Facts { name: "a recording", is_past: true, unknown: &[] },
        }
    }
}

//! `--through`: the way in which traffic is read, where a user wants another one than the best.

use clap::ValueEnum;
use reel_probes::doctor::Rung;

/// A way of reading traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Through {
    /// Tracepoints in TCP itself; Linux 6.16.
    TcpTracepoints,
    /// The system calls that read and write; Linux 5.10.
    SystemCalls,
}

impl From<Through> for Rung {
    fn from(through: Through) -> Rung {
        match through {
            Through::TcpTracepoints => Rung::TcpTracepoints,
            Through::SystemCalls => Rung::Syscalls,
        }
    }
}

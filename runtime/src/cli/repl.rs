//! `reel repl`: an interactive prompt, which is also what `reel` alone starts on a terminal.

use std::path::PathBuf;

use clap::Parser;

use super::Outcome;
use crate::engine::hosts::Host;
use crate::engine::source::Source;

#[derive(Debug, Default, Parser)]
#[command(
    after_help = "Examples:\n  reel repl\n  echo 'begin { print(1 + 2); }' | reel repl    an input a line, or until its brackets close"
)]
pub struct Args {
    /// Allow what changes the system: verdicts of hooks, `signal`, `system`.
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// Start this command, and listen to its messages.
    #[arg(short = 'c', value_name = "CMD", group = "source")]
    pub command: Option<String>,
    /// Listen to the messages of this process.
    #[arg(short = 'p', value_name = "PID", group = "source")]
    pub process: Option<u32>,
    /// Listen to the messages of this cgroup's processes, and of those below it.
    #[arg(long, value_name = "PATH", group = "source")]
    pub cgroup: Option<PathBuf>,
    /// Take the messages from this recording.
    #[arg(long, value_name = "RECORDING", group = "source")]
    pub from: Option<PathBuf>,
    /// Take the messages from this packet file.
    #[arg(long, value_name = "FILE", group = "source")]
    pub pcap: Option<PathBuf>,
    /// With --pcap: the app is at this address; what it accepts (on this port) is `in`, what it opens is `out`. May be repeated.
    #[arg(long, value_name = "ADDR[:PORT]", requires = "pcap")]
    pub host: Vec<Host>,
}

/// Runs the prompt.
pub fn run(args: Args) -> Outcome {
    let Args { allow_unsafe, command, process, cgroup, from, pcap, host } = args;
    let sources = [
        command.map(Source::Command),
        process.map(Source::Process),
        cgroup.map(Source::Cgroup),
        from.map(Source::Recording),
        pcap.map(|file| Source::Packets(file, host)),
    ];
    crate::repl::run(allow_unsafe, sources.into_iter().flatten().next().unwrap_or(Source::Machine))
}

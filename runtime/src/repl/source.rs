//! Where the message clauses of the prompt take their messages from, and how that is said.

use std::path::{Path, PathBuf};

use crate::engine::hosts::Host;
use crate::engine::past::Recorded;
use crate::engine::run::WHOLE_MACHINE;
use crate::engine::source::Source;
use crate::exit::{Exit, Failure};

/// The word for the commands of `:run`.
const COMMANDS: &str = "run";

/// What `:live` names: the commands of `:run`, a process, a cgroup, or the whole machine.
///
/// # Errors
/// There is no such process or cgroup.
pub fn live(argument: &str) -> Result<Source, Failure> {
    let source = match argument {
        "" => Source::Machine,
        COMMANDS => Source::Command(String::new()),
        other => other.parse().map_or_else(|_| Source::Cgroup(PathBuf::from(other)), Source::Process),
    };
    source.ended().map(|_| source)
}

/// A recording that can be read.
///
/// # Errors
/// The recording's.
pub fn recording(dir: &Path) -> Result<Source, Failure> {
    Recorded::open(dir).map(|_| Source::Recording(dir.to_owned()))
}

/// A packet file that is whole: whoever waits at the prompt cannot wait for packets.
///
/// # Errors
/// There is no such file.
pub fn packets(file: &Path, hosts: Vec<Host>) -> Result<Source, Failure> {
    let wrong = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", file.display()));
    let meta = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if !meta.is_file() {
        return Err(wrong("the prompt reads packets from files alone".to_owned())
            .remedy("give a pipe to `reel --pcap -`; a recording is read with `:from`"));
    }
    Ok(Source::Packets(file.to_owned(), hosts))
}

/// What `:pcap` names: a file, and then hosts. A name may have spaces: it ends where a host begins.
pub fn file_and_hosts(argument: &str) -> (PathBuf, Vec<Host>) {
    let (mut file, mut hosts) = (argument.trim(), Vec::new());
    while let Some((before, last)) = file.rsplit_once(char::is_whitespace)
        && let Ok(host) = last.parse()
    {
        hosts.insert(0, host);
        file = before.trim_end();
    }
    (PathBuf::from(file), hosts)
}

/// What is listened to, for people.
pub fn said(source: &Source) -> String {
    let clauses = "message clauses run over";
    match source {
        Source::Command(_) => "message clauses listen to the commands of `:run`\n".to_owned(),
        Source::Process(id) => format!("message clauses listen to process {id}\n"),
        Source::Cgroup(path) => format!("message clauses listen to the cgroup {}\n", path.display()),
        Source::Machine => format!("{}\n", WHOLE_MACHINE.trim_start_matches("reel: ")),
        Source::Recording(dir) => format!("{clauses} the recording {}; `:live` comes back\n", dir.display()),
        Source::Packets(file, hosts) if hosts.is_empty() => {
            format!("{clauses} the packets of {}; `:live` comes back\n", file.display())
        }
        Source::Packets(file, hosts) => {
            let hosts: Vec<String> = hosts.iter().map(Host::to_string).collect();
            format!("{clauses} the packets of {} in {}; `:live` comes back\n", hosts.join(" and "), file.display())
        }
    }
}

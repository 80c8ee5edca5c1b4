//! What can go wrong between an object and a running program, sorted by whose fault it is.

use std::io;

use crate::unsupported::Unsupported;

/// The remedy for a missing privilege.
pub(crate) const BE_ROOT: &str = "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (setcap, or the container's \
     capabilities)";

/// Why an object could not be loaded, or a program not attached.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// This machine lacks a privilege or a kernel feature.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The verifier refused a program: the script's fault, or the compiler's.
    #[error(transparent)]
    Rejected(#[from] Box<Rejection>),
    /// The object cannot be read: the compiler's fault.
    #[error("malformed eBPF object: {0}")]
    Object(String),
    /// The object has no program of this name.
    #[error("the eBPF object has no program {0}")]
    NoProgram(String),
    /// The object has no map of this name.
    #[error("the eBPF object has no map {0}")]
    NoMap(String),
    /// The attach point does not exist on this machine.
    #[error("{0} does not exist")]
    NoTarget(String),
    /// A program of this kind cannot be attached to such a point: the caller's fault.
    #[error("a program of kind {program} cannot be attached to {target}")]
    Mismatch {
        /// The kind of the program.
        program: &'static str,
        /// The attach point, in words.
        target: String,
    },
    /// The kernel failed for another reason.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, as a verb with its object.
        action: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// The verifier's refusal of one program.
#[derive(Debug, thiserror::Error)]
#[error("the kernel's verifier refused program {program}: {}", self.reason())]
pub struct Rejection {
    /// The name of the program.
    pub program: String,
    /// The verifier's log, which can be long.
    pub log: String,
    /// The index of the 8-byte slot of the last instruction that it looked at (a 64-bit load
    /// takes two slots): the compiler's slot table leads from it to the script.
    pub slot: Option<u32>,
    /// The kernel's answer.
    #[source]
    pub source: io::Error,
}

impl Rejection {
    pub(super) fn new(program: &str, log: String, source: io::Error) -> Self {
        let slot = last_slot(&log);
        Self { program: program.to_string(), log, slot, source }
    }

    /// Returns the line of the log that says what is wrong.
    #[must_use]
    pub fn reason(&self) -> &str {
        let lines = self.log.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut said = lines.filter(|line| !is_bookkeeping(line));
        said.next_back().unwrap_or("no reason given")
    }
}

/// Whether a line is an instruction, a register state, a source line or the closing statistics.
fn is_bookkeeping(line: &str) -> bool {
    const STATISTICS: [&str; 6] =
        ["processed ", "verification time", "stack depth", "mark_precise", "func#", "peak_states"];
    STATISTICS.iter().any(|start| line.starts_with(start))
        || line.starts_with(';')
        || slot_of(line).is_some()
        || line.starts_with("from ")
}

fn last_slot(log: &str) -> Option<u32> {
    log.lines().rev().find_map(slot_of)
}

/// Reads the number of a line such as `12: (85) call bpf_map_lookup_elem#1`.
fn slot_of(line: &str) -> Option<u32> {
    let (number, rest) = line.trim_start().split_once(':')?;
    let is_state = rest.is_empty() || rest.starts_with(' ');
    if is_state { number.parse().ok() } else { None }
}

/// Explains a failing BPF_MAP_CREATE.
pub(crate) fn map_error(name: &str, source: io::Error) -> LoadError {
    match source.raw_os_error() {
        Some(libc::EPERM) => Unsupported::new(
            "creating a BPF map",
            format!("map {name}: {source}"),
            format!("{BE_ROOT}; before Linux 5.11 also raise `ulimit -l`"),
        )
        .into(),
        Some(libc::EINVAL) => {
            LoadError::Object(format!("the kernel refuses map {name}: its kind or the sizes of its keys and values"))
        }
        Some(libc::ENOMEM) => LoadError::Io { action: "get memory for a map", source },
        _ => LoadError::Io { action: "create a map", source },
    }
}

/// Explains a failing BPF_PROG_TEST_RUN.
pub(crate) fn run_error(program: &str, source: io::Error) -> LoadError {
    match source.raw_os_error() {
        // ENOTSUPP, which is not in libc: the program's kind cannot be run.
        Some(524 | libc::EOPNOTSUPP | libc::EINVAL) => Unsupported::new(
            "running a program without an event",
            format!("BPF_PROG_TEST_RUN of {program}: {source}"),
            "use Linux 5.10 or newer",
        )
        .into(),
        _ => LoadError::Io { action: "run a program", source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "func#0 @0\n0: R1=ctx() R10=fp0\n0: (b7) r2 = 0       ; R2_w=0\n\
        ; int x = *p; @ a.c:3\n1: (61) r0 = *(u32 *)(r2 +0)\n\
        R2 invalid mem access 'scalar'\nprocessed 2 insns (limit 1000000) max_states_per_insn 0\n";

    #[test]
    fn the_slot_is_the_last_instruction_and_the_reason_follows_it() {
        let source = io::Error::from_raw_os_error(libc::EACCES);
        let rejection = Rejection::new("p", LOG.to_string(), source);
        assert_eq!(rejection.slot, Some(1));
        assert_eq!(rejection.to_string(), "the kernel's verifier refused program p: R2 invalid mem access 'scalar'");
    }

    #[test]
    fn an_empty_log_has_neither() {
        let source = io::Error::from_raw_os_error(libc::EINVAL);
        let rejection = Rejection::new("p", String::new(), source);
        assert_eq!((rejection.slot, rejection.reason()), (None, "no reason given"));
    }
}

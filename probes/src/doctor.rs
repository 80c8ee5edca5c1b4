//! What this machine can do, found out by doing it.
//!
//! Version numbers lie (backports, hosts that forbid things), so that each capability is tried: a
//! program of two instructions is handed to the verifier, a map is made, a file is read. Nothing is
//! attached and nothing stays. From the answers follows how traffic is captured: the ladder of
//! [`Rung`], each with the reason why no higher one is taken.

use std::fmt;

use crate::load::BE_ROOT;
use crate::unsupported::Unsupported;

mod capability;
mod report;
mod trial;

pub use capability::Capability;
pub use report::Report;

/// The answer to one question about this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was asked.
    pub capability: Capability,
    /// The question, in a few words.
    pub name: &'static str,
    /// Whether this machine can do it.
    pub ok: bool,
    /// What was found, or what the kernel answered.
    pub detail: String,
    /// What the user can do about it; empty when there is nothing to do.
    pub remedy: String,
}

/// Asks everything, in a fixed order. Takes a few milliseconds.
#[must_use]
pub fn examine() -> Vec<Check> {
    Capability::ALL.into_iter().map(Capability::check).collect()
}

/// How TCP traffic is captured, the best first. A rung stands here once there is a program for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// Typed tracepoints in TCP itself: every byte whatever the call, with its sequence number.
    TcpTracepoints,
    /// The ends of the system calls that read and write: what goes by another way is a hole of known length.
    Syscalls,
}

impl Rung {
    /// All rungs, the best first.
    pub const LADDER: [Rung; 2] = [Rung::TcpTracepoints, Rung::Syscalls];

    /// What a rung cannot do without.
    fn needs(self) -> &'static [Capability] {
        match self {
            Rung::TcpTracepoints => &[
                Capability::RingBuffer,
                Capability::BtfTracepoint,
                Capability::TcpStates,
                Capability::TcpHooks,
                Capability::UserDynptr,
                Capability::SkbDynptr,
            ],
            Rung::Syscalls => {
                &[Capability::RingBuffer, Capability::BtfTracepoint, Capability::TcpStates, Capability::Registers]
            }
        }
    }

    /// The first of a rung's needs that this machine does not meet; asks nothing else.
    #[must_use]
    pub fn lacking(self) -> Option<Check> {
        self.needs().iter().map(|need| need.check()).find(|check| !check.ok)
    }

    /// Chooses the best rung that these checks allow.
    ///
    /// # Errors
    /// `Unsupported` with the reason of the lowest rung when none is allowed.
    pub fn choose(checks: &[Check]) -> Result<Choice, Unsupported> {
        let mut passed_over = Vec::new();
        let mut last = None;
        for rung in Rung::LADDER {
            let failed = |check: &&Check| !check.ok && rung.needs().contains(&check.capability);
            match checks.iter().find(failed) {
                None => return Ok(Choice { rung, passed_over }),
                Some(check) => {
                    passed_over.push((rung, format!("{}: {}", check.name, check.detail)));
                    last = Some(check);
                }
            }
        }
        let (why, remedy) = match last {
            Some(check) => (format!("{}: {}", check.name, check.detail), check.remedy.clone()),
            None => ("nothing was examined".to_string(), BE_ROOT.to_string()),
        };
        Err(Unsupported::new("capturing network traffic", why, remedy))
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rung::TcpTracepoints => "TCP tracepoints",
            Rung::Syscalls => "system calls",
        })
    }
}

/// The rung that is taken, and why no better one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How traffic is captured.
    pub rung: Rung,
    /// The better rungs, each with what it lacks here.
    pub passed_over: Vec<(Rung, String)>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn checks(lacking: &[Capability]) -> Vec<Check> {
        let check = |capability: Capability| Check {
            capability,
            name: capability.name(),
            ok: !lacking.contains(&capability),
            detail: "as the test has it".to_string(),
            remedy: "pass".to_string(),
        };
        Capability::ALL.into_iter().map(check).collect()
    }

    #[test]
    fn the_best_rung_is_taken_and_the_better_ones_say_what_they_lack() {
        let choose = |lacking: &[Capability]| Rung::choose(&checks(lacking));
        assert_eq!(choose(&[]).unwrap(), Choice { rung: Rung::TcpTracepoints, passed_over: vec![] });
        // What capture does not use is nobody's concern here.
        assert_eq!(choose(&[Capability::Fentry, Capability::Kprobe]).unwrap().rung, Rung::TcpTracepoints);
        let second = choose(&[Capability::SkbDynptr]).unwrap();
        assert_eq!(second.rung, Rung::Syscalls);
        let [(Rung::TcpTracepoints, why)] = second.passed_over.as_slice() else { panic!("{second:?}") };
        assert!(why.contains(Capability::SkbDynptr.name()), "{why}");
        let none = choose(&[Capability::RingBuffer]).unwrap_err();
        assert!(none.to_string().contains("ring buffer"), "{none}");
    }

    #[test]
    fn this_machine_runs_the_first_rung() {
        let checks = examine();
        for check in &checks {
            println!("{:5} {:28} {} {}", check.ok, check.name, check.detail, check.remedy);
            assert!(check.ok || !check.remedy.is_empty(), "{}: no remedy", check.name);
        }
        if Capability::TcpHooks.needs() && Capability::SkbDynptr.needs() && Capability::UserDynptr.needs() {
            assert_eq!(Rung::choose(&checks).unwrap().rung, Rung::TcpTracepoints);
        }
    }

    #[test]
    fn examining_leaves_no_program_behind() {
        let before = crate::inspect::program_ids().unwrap();
        let ours = trial::program(trial::Kind::RawTracepoint).unwrap();
        let id = crate::inspect::object_id(std::os::fd::AsFd::as_fd(&ours)).unwrap();
        assert!(!before.contains(&id));
        drop(ours);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while crate::inspect::program_ids().unwrap().contains(&id) {
            assert!(std::time::Instant::now() < end, "program {id} is still there");
            std::thread::yield_now();
        }
    }
}

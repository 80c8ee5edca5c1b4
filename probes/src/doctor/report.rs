//! What `reel doctor` shows: every check with its remedy, then how capture will work and why.

use std::fmt;

use super::{Check, Choice, Rung, examine};
use crate::unsupported::Unsupported;

/// The answers about this machine, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Every check, in a fixed order.
    pub checks: Vec<Check>,
    /// How traffic is captured, or why it cannot be.
    pub capture: Result<Choice, Unsupported>,
}

impl Report {
    /// Examines this machine.
    #[must_use]
    pub fn new() -> Self {
        Self::of(examine())
    }

    fn of(checks: Vec<Check>) -> Self {
        let capture = Rung::choose(&checks);
        Self { checks, capture }
    }
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        for check in &self.checks {
            let word = if check.ok { "ok" } else { "no" };
            writeln!(f, "{word}  {:width$}  {}", check.name, check.detail)?;
            if !check.remedy.is_empty() {
                writeln!(f, "    {:width$}  -> {}", "", check.remedy)?;
            }
        }
        match &self.capture {
            Ok(choice) => {
                writeln!(f, "\ncapture: {}", choice.rung)?;
                for (rung, why) in &choice.passed_over {
                    writeln!(f, "  not {rung}, for lack of {why}")?;
                }
                Ok(())
            }
            Err(error) => writeln!(f, "\ncapture: none\n  {}\n  -> {}", error.why, error.remedy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Capability;

    fn check(capability: Capability, fault: Option<(&str, &str)>) -> Check {
        let (detail, remedy) = fault.unwrap_or(("works", ""));
        let (detail, remedy) = (detail.to_string(), remedy.to_string());
        Check { capability, name: capability.name(), ok: fault.is_none(), detail, remedy }
    }

    #[test]
    fn it_says_what_is_lacking_and_what_follows() {
        let fault = Some(("no tracepoint tcp_sendmsg_locked", "use Linux 6.16 or newer"));
        let report = Report::of(vec![
            check(Capability::RingBuffer, None),
            check(Capability::BtfTracepoint, None),
            check(Capability::TcpHooks, fault),
        ]);
        let expect = "ok  ring buffer  works\n\
                      ok  tp_btf       works\n\
                      no  TCP hooks    no tracepoint tcp_sendmsg_locked\n    \
                      \u{20}            -> use Linux 6.16 or newer\n\
                      \ncapture: system calls\n  not TCP tracepoints, for lack of TCP hooks: no tracepoint tcp_sendmsg_locked\n";
        assert_eq!(report.to_string(), expect);
    }

    #[test]
    fn it_says_why_nothing_can_be_captured() {
        let fault = Some(("Operation not permitted", "run as root"));
        let text = Report::of(vec![check(Capability::RingBuffer, fault)]).to_string();
        let end = "\ncapture: none\n  ring buffer: Operation not permitted\n  -> run as root\n";
        assert!(text.ends_with(end), "{text}");
    }
}

//! What this machine cannot do, as one type.
//!
//! A missing privilege or kernel feature is not an I/O error and not the script's fault: the
//! program ends with exit code 3, and names what is missing, why it is believed missing, and what
//! the user can do about it. Every error enum of this crate has one variant that carries this type.

use std::fmt;

/// Says that this machine lacks something, why, and how to get it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unsupported {
    /// The capability that is missing, as a noun: "cgroup v2", "tracefs".
    pub what: String,
    /// What was tried and what the kernel answered.
    pub why: String,
    /// An instruction to the user.
    pub remedy: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this machine cannot do {}: {} ({})", self.what, self.why, self.remedy)
    }
}

impl Unsupported {
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), remedy: remedy.into() }
    }
}

//! What rules decide about a message: the words between the rule files and the rest of record and replay.

use std::fmt;
use std::sync::Arc;

use reel_lang::hir::{Abort, NoiseId, Path, Tolerance};
use reel_lang::value::Value;

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// `checkout.rr:12`, or `stdlib http.rr:3` for a default.
    pub place: Arc<str>,
    /// The action as it is written: `ignore(body.updated_at)`.
    pub text: Arc<str>,
    /// Whether it is one of reel's defaults.
    pub is_default: bool,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.text, self.place)
    }
}

/// An action of a rule, counted over the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId(pub u32);

/// What a match rule says of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Relax {
    Ignore,
    Like {
        class: NoiseId,
        name: Arc<str>,
    },
    Within(Tolerance),
    Unordered,
    Optional,
    /// The recorded value was redacted: any value, but always the same one.
    Secret,
}

impl Relax {
    /// Whether it says what the value must be, so that an `ignore` of the same path gives way.
    pub fn is_requirement(&self) -> bool {
        matches!(self, Relax::Like { .. } | Relax::Within(_) | Relax::Unordered)
    }
}

/// A match rule that applies to a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Relaxation {
    pub id: ActionId,
    pub relax: Relax,
    pub path: Path,
    pub origin: Origin,
}

/// A `require` that a replayed message does not meet.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmet {
    pub why: String,
    pub origin: Origin,
}

/// What capture rules say of an exchange.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capture {
    pub record: bool,
    pub redact: Vec<Path>,
    pub tags: Vec<String>,
    /// Keep one of so many.
    pub sample: Option<u32>,
    /// Keep at most so many bytes of a message.
    pub limit_bytes: Option<u64>,
}

/// Which of several recorded calls with equal keys answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reuse {
    /// Each answers once, in recorded order.
    #[default]
    Once,
    /// They answer in turn, over and over.
    Cycle,
    /// The last one answers every time.
    Latest,
}

/// How a call is answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Answer {
    /// From the recording.
    #[default]
    Recorded,
    /// With these fields of a response.
    Respond(Vec<(String, Value)>),
    Abort(Abort),
    /// By the real dependency.
    Passthrough,
}

/// What mock rules say of a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mocking {
    /// The fields that choose the recorded call; by default every request field that no match rule relaxes.
    pub key: Option<Vec<Path>>,
    pub answer: Answer,
    pub delay_ns: u64,
    pub reuse: Reuse,
    /// The action that decided on the answer or its reuse; absent where each recorded call answers once.
    pub decided: Option<(ActionId, Origin)>,
}

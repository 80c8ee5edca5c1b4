//! What a replay came to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use reel_protocols::Message;

use super::host::Ended;
use crate::exit::Exit;
use crate::matching::{ByRule, Difference, Use};
use crate::mock::{Effects, Mock};
use crate::recording::{MockId, TestId};
use crate::rules::{Origin, Unmet};

/// What came back for a test's request.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// What was recorded, but for these places.
    Compared(Vec<Difference>),
    /// Nothing that could be compared: why.
    Failed(String),
    /// The test was not run: why.
    NotRun(String),
}

/// What the app answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub interim: Vec<Message>,
    pub response: Option<Message>,
}

/// One test.
#[derive(Clone)]
pub struct TestOutcome {
    pub id: TestId,
    /// The operation, for people.
    pub title: String,
    /// The file, relative to the recording.
    pub file: String,
    pub reply: Reply,
    /// The answer, where it is not the recorded one.
    pub answer: Option<Box<Answer>>,
    pub unmet: Vec<Unmet>,
    /// What its calls came to; one and the same for all whose calls were as recorded.
    pub effects: Arc<Effects>,
}

impl TestOutcome {
    /// Whether the test passed.
    pub fn is_passed(&self) -> bool {
        self.reply == Reply::Compared(Vec::new()) && self.unmet.is_empty() && self.effects.is_clean()
    }
}

/// A recorded call that one of several tests should have made, or the start-up, and none did.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    pub mock: MockId,
    pub destination: SocketAddr,
    pub title: String,
    /// None for a call of the start-up.
    pub owners: Vec<TestId>,
}

/// A whole replay.
#[derive(Clone, Default)]
pub struct Run {
    pub dir: PathBuf,
    pub clock: String,
    pub tests: Vec<TestOutcome>,
    /// Calls while no test was running that were not recorded.
    pub apart: Effects,
    /// What fails at the level of the set.
    pub left_over: Vec<Left>,
    /// The rules that let a difference pass.
    pub relaxed: Vec<Use>,
    /// The user's rules whose path matched nothing.
    pub unmatched: Vec<Origin>,
    /// The mock rules that answered without the recording.
    pub by_rule: Vec<ByRule>,
    /// Each alias, and whether the app connected to what it speaks of.
    pub aliases: Vec<(String, bool)>,
    /// How many calls of the background were made again while no test was running, or not at all.
    pub loose: u64,
    /// Each `ignore` that gave way to a requirement of the same path.
    pub gave_way: Vec<(Origin, Origin)>,
    /// How many redacted values were only held to be the same each time.
    pub secrets: u64,
    /// What was sent in place of recorded values, from where to where, and how often.
    pub flowed: Vec<(String, u64)>,
    /// What was sent as recorded though it came from an earlier exchange, and why.
    pub unflowed: Vec<String>,
    /// How often a value of this replay stood for the recorded one, in calls, answers and comparisons.
    pub renamed: u64,
    /// What the app sent over UDP and was refused: how often, by port.
    pub refused_datagrams: BTreeMap<i64, u64>,
    /// What ended the run before its last test was done, or the app with a complaint after it.
    pub ended: Option<Ended>,
}

impl Run {
    /// Takes what the mock tells of the calls that belong to no test, and of the rules.
    pub(super) fn take_account(&mut self, mock: &mut Mock) {
        self.apart = mock.apart();
        self.aliases = mock.aliases().used().collect();
        let usage = &mock.ledger().usage;
        self.relaxed = usage.relaxed().cloned().collect();
        self.unmatched = usage.unmatched().cloned().collect();
        self.by_rule = usage.by_rule().cloned().collect();
        self.loose = usage.apart();
        self.gave_way = usage.gave_way().cloned().collect();
        self.secrets = usage.secrets();
        self.renamed = usage.renamed();
    }

    /// How many tests passed.
    pub fn passed(&self) -> usize {
        self.tests.iter().filter(|test| test.is_passed()).count()
    }

    /// How many tests failed or were not run.
    pub fn failed(&self) -> usize {
        self.tests.len() - self.passed()
    }

    /// Whether the last test was run, and passed.
    pub fn is_last_passed(&self) -> bool {
        self.tests.last().is_some_and(TestOutcome::is_passed)
    }

    /// Whether the set as a whole is as recorded.
    pub fn is_set_clean(&self) -> bool {
        self.left_over.is_empty() && self.apart.is_clean()
    }

    /// The exit code that this result asks for.
    pub fn exit(&self) -> Exit {
        let mut causes = Vec::new();
        if self.tests.is_empty() {
            causes.push(Exit::Usage);
        }
        match self.ended {
            Some(Ended::Interrupted) => causes.push(Exit::Interrupted),
            Some(Ended::Exited(_)) => causes.push(Exit::App),
            None => {}
        }
        if self.failed() > 0 || !self.is_set_clean() {
            causes.push(Exit::TestFailed);
        }
        Exit::worst(&causes)
    }
}

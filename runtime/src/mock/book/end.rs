//! What is to be said of the recorded calls when all tests have run: which were left over, and what rules let go.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{Account, Book};
use crate::matching::Usage;
use crate::mock::Entry;
use crate::recording::{MockOutline, Scope, TestId};
use crate::rules::Reuse;

/// A call that one of several tests should have made, or the start-up, and none did.
pub struct LeftOver {
    pub entry: Arc<Entry>,
    pub owners: Vec<TestId>,
}

impl Book {
    /// How many calls of the start-up were not made.
    pub fn outstanding_start(&self) -> usize {
        self.startup.iter().filter(|index| self.is_open(**index)).count()
    }

    /// The calls that belong to one of several tests, all of which ran, and that none of them made; and those of the start-up
    /// that nobody made.
    pub fn left_over(&mut self, ran: &[TestId]) -> Vec<LeftOver> {
        let ran: HashSet<_> = ran.iter().copied().collect();
        let shared = |index: usize, outline: &MockOutline| {
            let account = self.account(index);
            let nobodys = outline.scope == Scope::Startup || outline.scope == Scope::Test && !account.is_certain;
            nobodys && !account.is_used
        };
        let calls = self.calls.clone();
        let open = calls.outlines().iter().enumerate().filter(|(index, outline)| shared(*index, outline));
        let mut open: BTreeMap<usize, Vec<TestId>> = open.map(|(index, _)| (index, Vec::new())).collect();
        for test in calls.tests() {
            for index in calls.effects(test).iter().filter_map(|effect| self.position(effect.call)) {
                open.entry(index).and_modify(|owners| owners.push(test));
            }
        }
        let mut left = Vec::new();
        for (index, owners) in open.into_iter().filter(|(_, owners)| owners.iter().all(|owner| ran.contains(owner))) {
            let Some(entry) = self.entry(index) else { continue };
            if self.is_open(index) {
                left.push(LeftOver { entry, owners });
            }
        }
        left
    }

    /// Notes what rules let go of the calls of the tests that ran: those that they answer themselves, and those that need not be
    /// made.
    pub fn account_for(&self, ran: &[TestId], usage: &mut Usage) {
        let of_tests =
            ran.iter().flat_map(|test| self.calls.effects(*test)).filter_map(|effect| self.position(effect.call));
        let outlines = self.calls.outlines().iter().enumerate();
        let of_none = outlines.filter(|(_, outline)| outline.scope != Scope::Test).map(|(index, _)| index);
        let due: BTreeSet<usize> = of_tests.chain(of_none).collect();
        let mut made = self.turns.clone();
        for index in due {
            let Account { ruling: Some(ruling), is_used, .. } = self.account(index) else { continue };
            let by = ruling.decided.and_then(|id| Some((id, self.deciders.get(&id)?.clone())));
            match (by, ruling.key) {
                (Some(by), _) if ruling.by_rule => usage.answers(&by).consumed += 1,
                (Some(by), Some(key)) if ruling.reuse != Reuse::Once => {
                    match made.get_mut(&key).filter(|made| **made > 0) {
                        Some(made) => *made -= 1,
                        None => usage.reuses(&by, 1),
                    }
                }
                _ => {
                    let is_background = self.outline(index).is_some_and(|call| call.scope == Scope::Background);
                    usage.stands_apart(u64::from(is_background && !is_used));
                }
            }
        }
    }
}

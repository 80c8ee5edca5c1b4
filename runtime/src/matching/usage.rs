//! Which rules had a say in a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::{ActionId, Origin, Relaxation};

/// What one action of a rule did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub origin: Origin,
    /// How often its path led to a place in a message.
    pub met: u64,
    /// How often a difference passed because of it.
    pub relaxed: u64,
}

/// What the rules of a run did.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    uses: BTreeMap<ActionId, Use>,
    gave_way: BTreeSet<(Origin, Origin)>,
    secrets: u64,
}

/// Something to note, so that a trial can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    Met(usize),
    Relaxed(usize),
    /// The first, an `ignore`, gave way to the second.
    GaveWay(usize, usize),
    Secret,
}

impl Usage {
    /// Notes that a rule applied to a message, whether or not its path led anywhere.
    pub fn applies(&mut self, rule: &Relaxation) -> &mut Use {
        let fresh = || Use { origin: rule.origin.clone(), met: 0, relaxed: 0 };
        self.uses.entry(rule.id).or_insert_with(fresh)
    }

    pub(super) fn note(&mut self, rules: &[Relaxation], notes: &[Note]) {
        for rule in rules {
            self.applies(rule);
        }
        for note in notes {
            match *note {
                Note::Met(i) => self.each(rules, i, |used| used.met += 1),
                Note::Relaxed(i) => self.each(rules, i, |used| used.relaxed += 1),
                Note::Secret => self.secrets += 1,
                Note::GaveWay(ignore, by) => {
                    if let (Some(ignore), Some(by)) = (rules.get(ignore), rules.get(by)) {
                        self.gave_way.insert((ignore.origin.clone(), by.origin.clone()));
                    }
                }
            }
        }
    }

    fn each(&mut self, rules: &[Relaxation], index: usize, change: impl Fn(&mut Use)) {
        if let Some(rule) = rules.get(index) {
            change(self.applies(rule));
        }
    }

    /// Every rule that applied to a message, in the order of the program.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.uses.values()
    }

    /// The rules that let a difference pass.
    pub fn relaxed(&self) -> impl Iterator<Item = &Use> {
        self.uses().filter(|used| used.relaxed > 0)
    }

    /// The user's rules that applied to a message but whose path never led anywhere.
    pub fn unmatched(&self) -> impl Iterator<Item = &Use> {
        self.uses().filter(|used| used.met == 0 && !used.origin.is_default)
    }

    /// Each `ignore` that gave way to a requirement of the same path.
    pub fn gave_way(&self) -> impl Iterator<Item = &(Origin, Origin)> {
        self.gave_way.iter()
    }

    /// How many redacted values were only held to be the same each time.
    pub fn secrets(&self) -> u64 {
        self.secrets
    }
}

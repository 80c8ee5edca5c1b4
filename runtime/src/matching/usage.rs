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

/// What one mock rule that answers calls without the recording did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByRule {
    pub origin: Origin,
    /// How many calls it answered.
    pub calls: u64,
    /// For how many recorded calls, which nobody has to make any more.
    pub consumed: u64,
}

/// What the rules of a run did.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    uses: BTreeMap<ActionId, Use>,
    by_rule: BTreeMap<ActionId, ByRule>,
    apart: u64,
    gave_way: BTreeSet<(Origin, Origin)>,
    secrets: u64,
    renamed: u64,
}

/// Something to note, so that a trial can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    Met(usize),
    Relaxed(usize),
    /// The first, an `ignore`, gave way to the second.
    GaveWay(usize, usize),
    Secret,
    /// The recorded value is another one in this replay.
    Renamed,
}

impl Usage {
    /// Notes that a rule applied to a message, whether or not its path led anywhere.
    pub fn applies(&mut self, rule: &Relaxation) -> &mut Use {
        self.expect(rule.id, &rule.origin)
    }

    /// Expects that a rule meets something: one that never does is told.
    pub fn expect(&mut self, id: ActionId, origin: &Origin) -> &mut Use {
        self.uses.entry(id).or_insert_with(|| Use { origin: origin.clone(), met: 0, relaxed: 0 })
    }

    /// Notes that a mock rule let so many calls be answered otherwise than once each, in recorded order, or not be made.
    pub fn reuses(&mut self, (id, origin): &(ActionId, Origin), calls: u64) {
        let used = self.expect(*id, origin);
        used.met += 1;
        used.relaxed += calls;
    }

    /// What a mock rule that answers without the recording did.
    pub fn answers(&mut self, (id, origin): &(ActionId, Origin)) -> &mut ByRule {
        self.by_rule.entry(*id).or_insert_with(|| ByRule { origin: origin.clone(), calls: 0, consumed: 0 })
    }

    /// Notes calls of the background that were made again while no test was running, or not at all.
    pub fn stands_apart(&mut self, calls: u64) {
        self.apart += calls;
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
                Note::Renamed => self.renamed += 1,
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

    /// The user's rules whose path never led anywhere. An action that speaks of both messages counts as one.
    pub fn unmatched(&self) -> impl Iterator<Item = &Origin> {
        let mut met: BTreeMap<&Origin, u64> = BTreeMap::new();
        for used in self.uses().filter(|used| !used.origin.is_default) {
            *met.entry(&used.origin).or_default() += used.met;
        }
        met.into_iter().filter(|(_, met)| *met == 0).map(|(origin, _)| origin)
    }

    /// What the mock rules did that answer calls without the recording.
    pub fn by_rule(&self) -> impl Iterator<Item = &ByRule> {
        self.by_rule.values()
    }

    /// How many calls of the background were made again while no test was running, or not at all.
    pub fn apart(&self) -> u64 {
        self.apart
    }

    /// Each `ignore` that gave way to a requirement of the same path.
    pub fn gave_way(&self) -> impl Iterator<Item = &(Origin, Origin)> {
        self.gave_way.iter()
    }

    /// Notes that a message was read, or sent, with the values of this replay for the recorded ones.
    pub fn renames(&mut self) {
        self.renamed += 1;
    }

    /// How often a value of this replay stood for the recorded one.
    pub fn renamed(&self) -> u64 {
        self.renamed
    }

    /// How many redacted values were only held to be the same each time.
    pub fn secrets(&self) -> u64 {
        self.secrets
    }
}

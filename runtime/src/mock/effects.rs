//! What a test's calls were, against what they should have been.
//!
//! A call that was not recorded and a recorded call that was not made are shown as one *changed* call where they are alike.
//! That is for the reader alone: both fail the test all the same.

use std::net::SocketAddr;

use reel_lang::schema::Side;
use reel_protocols::{Message, Protocol};

use super::book::Book;
use super::entry::{Entry, call_relaxations};
use crate::matching::{Difference, Equality, Key, Matcher, Names, Usage, Way, similarity};
use crate::recording::MockId;
use crate::rules::{Rules, Unmet, View};

/// A call that a recorded one answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    pub mock: MockId,
    pub title: String,
    /// Where the call is not what was recorded, in fields that its key leaves out.
    pub differences: Vec<Difference>,
    /// The call, where it is not what was recorded.
    pub request: Option<Message>,
}

/// A recorded call that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub mock: MockId,
    pub destination: SocketAddr,
    /// The operation, for people.
    pub title: String,
}

/// A call that was not recorded.
#[derive(Clone)]
pub struct Miss {
    pub protocol: &'static dyn Protocol,
    pub destination: SocketAddr,
    /// The operation, for people.
    pub title: String,
    /// Absent where the app only connected, or sent what its protocol does not allow.
    pub request: Option<Message>,
    pub key: Option<Key>,
    /// What is wrong, where it is not that no recorded call has this key.
    pub reason: Option<String>,
}

/// A recorded call that was made once more than recorded.
#[derive(Clone)]
pub struct Repeated {
    pub mock: MockId,
    pub miss: Miss,
}

/// A recorded call that was not made, beside one like it that was.
#[derive(Clone)]
pub struct Changed {
    pub mock: MockId,
    /// What was recorded, for people.
    pub title: String,
    pub miss: Miss,
    pub differences: Vec<Difference>,
}

/// A call that does not meet a `require`, however it was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct UnmetCall {
    /// The operation and its destination, for people.
    pub call: String,
    pub unmet: Unmet,
}

/// A call that was made after one that it stood before when they were recorded, and that changes what it is answered, or the
/// other way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disordered {
    pub mock: MockId,
    pub title: String,
    pub overtook: MockId,
    pub overtook_title: String,
}

/// What the calls of a test came to.
#[derive(Clone, Default)]
pub struct Effects {
    /// In the order in which they were made.
    pub answered: Vec<Answered>,
    pub unmet: Vec<UnmetCall>,
    /// Recorded, but not made; without those shown as changed.
    pub missing: Vec<Missing>,
    /// Made, but not recorded; without those shown as changed or repeated.
    pub misses: Vec<Miss>,
    /// How many more were made that were not recorded: an app may try again for ever.
    pub more_misses: u64,
    pub repeated: Vec<Repeated>,
    pub changed: Vec<Changed>,
    pub disordered: Vec<Disordered>,
}

/// How many calls that were not recorded are kept of a test.
const MAX_MISSES: usize = 100;

/// From here on two calls are shown side by side, of 1000.
const ALIKE: u32 = 500;

impl Effects {
    /// Whether the test's calls are what they should be.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty()
            && self.misses.is_empty()
            && self.more_misses == 0
            && self.repeated.is_empty()
            && self.changed.is_empty()
            && self.disordered.is_empty()
            && self.unmet.is_empty()
            && self.answered.iter().all(|answered| answered.differences.is_empty())
    }

    /// Whether a call got an error in place of an answer: it explains whatever the test did after it.
    pub fn has_missed(&self) -> bool {
        !(self.changed.is_empty() && self.misses.is_empty() && self.repeated.is_empty())
    }

    /// Takes note of a call that was not recorded.
    pub(super) fn miss(&mut self, miss: Miss) {
        if self.misses.len() < MAX_MISSES {
            self.misses.push(miss);
        } else {
            self.more_misses += 1;
        }
    }

    /// Sorts what was missed and what is missing into what the reader wants to know.
    pub(super) fn settle(&mut self, book: &mut Book, missing: Vec<usize>, rules: &dyn Rules, names: &Names) {
        let mut missing = missing;
        for miss in std::mem::take(&mut self.misses) {
            let recorded = in_recorded_words(&miss, names);
            if let Some(entry) = miss.key.and_then(|key| book.used(key)) {
                self.repeated.push(Repeated { mock: entry.id.clone(), miss });
            } else if miss.reason.is_some() {
                self.misses.push(miss);
            } else if let Some(at) = nearest(book, &missing, recorded.as_ref().unwrap_or(&miss)) {
                let index = missing.remove(at);
                self.changed.extend(changed(book, index, recorded.unwrap_or(miss), rules));
            } else {
                self.misses.push(miss);
            }
        }
        let missing = missing.into_iter().filter_map(|index| book.entry(index)).map(|entry| Missing {
            mock: entry.id.clone(),
            destination: entry.exchange.destination.addr,
            title: entry.title.clone(),
        });
        self.missing = missing.collect();
    }
}

/// The place in `missing` of the call that is most like the missed one, if one is like it at all.
fn nearest(book: &mut Book, missing: &[usize], miss: &Miss) -> Option<usize> {
    let request = miss.request.as_ref()?;
    let mut alike = |index: usize| {
        let entry = book.entry(index)?;
        let comparable = entry.exchange.protocol == miss.protocol.schema().protocol
            && entry.exchange.destination.addr == miss.destination;
        let recorded = entry.exchange.request.as_ref().filter(|_| comparable)?;
        Some(similarity(entry.protocol.schema(), recorded, request))
    };
    let scores = missing.iter().enumerate().filter_map(|(at, index)| Some((alike(*index)?, at)));
    let best = scores.max_by_key(|(score, at)| (*score, std::cmp::Reverse(*at)))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// A call with recorded values in place of those of this replay, which are no change; none where it has none.
fn in_recorded_words(miss: &Miss, names: &Names) -> Option<Miss> {
    let request = names.message(Way::ToRecording, miss.protocol, miss.request.as_ref()?)?;
    Some(Miss { request: Some(request), ..miss.clone() })
}

fn changed(book: &mut Book, index: usize, miss: Miss, rules: &dyn Rules) -> Option<Changed> {
    let entry = book.entry(index)?;
    let differences = differences(book, &entry, &miss, rules);
    Some(Changed { mock: entry.id.clone(), title: entry.title.clone(), miss, differences })
}

/// Compares two requests for display: what rules relax is no difference, and what a run remembers is left alone.
fn differences(book: &Book, entry: &Entry, miss: &Miss, rules: &dyn Rules) -> Vec<Difference> {
    let (Some(recorded), Some(replayed)) = (&entry.exchange.request, &miss.request) else { return Vec::new() };
    let schema = miss.protocol.schema();
    let view = View::of_call(miss.protocol, miss.destination, replayed);
    let relaxations = call_relaxations(&view, rules, book.secrets(&schema.protocol));
    let (mut equality, mut usage) = (Equality::default(), Usage::default());
    let mut matcher = Matcher { classes: rules, equality: &mut equality, usage: &mut usage };
    matcher.compare(schema, Side::Request, recorded, replayed, &relaxations)
}

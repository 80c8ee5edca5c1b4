//! The recorded calls, found by key, and the account of which have answered.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

use reel_lang::hir::{Path, Step};
use reel_lang::schema::{FieldId, Side, conn};
use reel_lang::span::Span;
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use super::entry::Entry;
use crate::matching::Key;
use crate::recording::{Cue, Ending, MockId, Recording, Scope, TestId, is_secret};
use crate::rules::{ActionId, Origin, Relax, Relaxation, Reuse, Rules};

/// Every recorded call.
#[derive(Default)]
pub struct Book {
    /// In the order of the recording, by protocol.
    entries: Vec<Entry>,
    by_key: HashMap<Key, Vec<usize>>,
    by_id: HashMap<MockId, usize>,
    by_owner: HashMap<TestId, Vec<usize>>,
    /// The framed protocols spoken with a server, and whether any other was.
    spoken: HashMap<SocketAddr, Spoken>,
    /// The opaque runs that a server was sent.
    runs: HashMap<SocketAddr, Vec<usize>>,
    /// What a server says first, and connections that it refused.
    greetings: HashMap<SocketAddr, Vec<usize>>,
    /// What a server says after an exchange, unasked.
    pushes: HashMap<MockId, Vec<usize>>,
    /// The places of redacted values in requests, by protocol.
    secrets: BTreeMap<String, Vec<Relaxation>>,
    /// How often each key was answered in turn.
    turns: HashMap<Key, usize>,
}

#[derive(Default)]
struct Spoken {
    protocols: Vec<&'static dyn Protocol>,
}

impl Book {
    /// Reads a recording's calls.
    ///
    /// # Errors
    /// What is wrong with a message, for a person.
    pub fn new(recording: &Recording, rules: &dyn Rules) -> Result<Self, String> {
        let mut book = Book { secrets: secret_places(recording), ..Book::default() };
        for mock in &recording.mocks {
            let secrets = book.secrets.get(&mock.exchange.protocol).map_or(&[][..], Vec::as_slice);
            let entry = Entry::new(mock, rules, secrets)?;
            book.add(entry);
        }
        for test in &recording.tests {
            for effect in &test.effects {
                if let Some(&index) = book.by_id.get(&effect.mock) {
                    let entry = &mut book.entries[index];
                    entry.owners.push(test.id);
                    entry.is_certain = effect.attribution.is_certain();
                    book.by_owner.entry(test.id).or_default().push(index);
                }
            }
        }
        Ok(book)
    }

    fn add(&mut self, entry: Entry) {
        let index = self.entries.len();
        let server = entry.exchange.destination.addr;
        if let Some(key) = entry.key {
            self.by_key.entry(key).or_default().push(index);
        }
        if entry.run.is_some() {
            self.runs.entry(server).or_default().push(index);
        }
        let spoken = self.spoken.entry(server).or_default();
        let name = &entry.protocol.schema().protocol;
        let speaks = entry.exchange.request.is_some() || entry.exchange.response.is_some();
        if speaks && spoken.protocols.iter().all(|known| known.schema().protocol != *name) {
            spoken.protocols.push(entry.protocol);
        }
        match &entry.cue {
            Some(Cue::Connect) => self.greetings.entry(server).or_default().push(index),
            Some(Cue::After(id)) => self.pushes.entry(id.clone()).or_default().push(index),
            None => {}
        }
        self.by_id.insert(entry.id.clone(), index);
        self.entries.push(entry);
    }

    /// The protocol that was spoken with a server, where it was one.
    pub fn protocol_of(&self, server: SocketAddr) -> Option<&'static dyn Protocol> {
        match self.spoken.get(&server)?.protocols.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// The places of redacted values in a protocol's requests.
    pub fn secrets(&self, protocol: &str) -> &[Relaxation] {
        self.secrets.get(protocol).map_or(&[], Vec::as_slice)
    }

    /// Takes the recorded call that answers, and marks it used.
    pub fn take(&mut self, key: Key, reuse: Reuse, test: Option<TestId>) -> Option<usize> {
        let indices = self.by_key.get(&key)?;
        let index = match reuse {
            Reuse::Latest => *indices.last()?,
            Reuse::Cycle => {
                let turn = self.turns.entry(key).or_default();
                let index = *indices.get(*turn % indices.len())?;
                *turn += 1;
                index
            }
            Reuse::Once => self.first_eligible(indices, test)?,
        };
        self.entries[index].is_used = true;
        Some(index)
    }

    /// The test's own calls first, then those that may be its own, then those that belong to no test.
    fn first_eligible(&self, indices: &[usize], test: Option<TestId>) -> Option<usize> {
        let rank = |index: usize| {
            let entry = &self.entries[index];
            match (entry.scope, entry.is_certain, entry.is_used) {
                (Scope::Test, true, _) => 0,
                (Scope::Test, false, _) => 1,
                (_, _, false) => 2,
                (_, _, true) => 3,
            }
        };
        let eligible = indices.iter().copied().filter(|index| self.entries[*index].is_eligible(test));
        eligible.min_by_key(|index| rank(*index))
    }

    /// The opaque runs that a server may be sent now.
    pub fn runs(&self, server: SocketAddr, test: Option<TestId>) -> impl Iterator<Item = &[u8]> {
        let indices = self.runs.get(&server).map_or(&[][..], Vec::as_slice);
        let entries = indices.iter().map(|index| &self.entries[*index]).filter(move |entry| entry.is_eligible(test));
        entries.filter_map(|entry| entry.run.as_deref())
    }

    /// Takes what a server does as soon as a connection is open. The flag says whether it ever does anything then.
    pub fn take_greeting(&mut self, server: SocketAddr, test: Option<TestId>) -> (Option<usize>, bool) {
        let indices = self.greetings.get(&server).cloned().unwrap_or_default();
        let speaks = indices.iter().any(|index| self.entries[*index].ending != Some(Ending::Refused));
        let taken = self.first_eligible(&indices, test);
        if let Some(index) = taken {
            self.entries[index].is_used = true;
        }
        (taken, speaks)
    }

    /// Takes what a server says unasked after an exchange.
    pub fn take_push(&mut self, after: usize) -> Option<usize> {
        let indices = self.pushes.get(&self.entries.get(after)?.id)?;
        let index = indices.iter().copied().find(|index| !self.entries[*index].is_used)?;
        self.entries[index].is_used = true;
        Some(index)
    }

    /// Marks every call of the same clause used where a rule answers it.
    pub fn use_up(&mut self, key: Key) {
        let indices = self.by_key.get(&key).cloned().unwrap_or_default();
        if let Some(index) = indices.into_iter().find(|index| !self.entries[*index].is_used) {
            self.entries[index].is_used = true;
        }
    }

    /// A recorded call.
    pub fn entry(&self, index: usize) -> &Entry {
        &self.entries[index]
    }

    /// Finds a recorded call.
    pub fn find(&self, id: &MockId) -> Option<&Entry> {
        self.by_id.get(id).and_then(|index| self.entries.get(*index))
    }

    /// The recorded calls, in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The used calls of a key.
    pub fn used(&self, key: Key) -> Option<&Entry> {
        let indices = self.by_key.get(&key)?;
        indices.iter().map(|index| &self.entries[*index]).find(|entry| entry.is_used)
    }

    /// The calls that surely belong to a test and were not made.
    pub fn missing(&self, test: TestId) -> Vec<usize> {
        let mine = self.by_owner.get(&test).map_or(&[][..], Vec::as_slice);
        mine.iter().copied().filter(|index| self.is_awaited(*index)).collect()
    }

    /// How many calls that surely belong to a test were not made.
    pub fn outstanding(&self, test: TestId) -> usize {
        let mine = self.by_owner.get(&test).map_or(&[][..], Vec::as_slice);
        mine.iter().filter(|index| self.is_awaited(**index)).count()
    }

    fn is_awaited(&self, index: usize) -> bool {
        let entry = &self.entries[index];
        entry.is_certain && !entry.is_used && !entry.is_free
    }

    /// The calls that belong to one of several tests, all of which ran, and that none of them made.
    pub fn left_over(&self, ran: &[TestId]) -> Vec<MockId> {
        let ran: HashSet<_> = ran.iter().collect();
        let open = |entry: &&Entry| {
            let shared = entry.scope == Scope::Test && !entry.is_certain;
            shared && !entry.is_used && !entry.is_free && entry.owners.iter().all(|owner| ran.contains(owner))
        };
        self.entries.iter().filter(open).map(|entry| entry.id.clone()).collect()
    }

    /// The recorded calls that a rule answered or may have answered without the recording.
    pub fn by_rule(&self) -> usize {
        self.entries.iter().filter(|entry| entry.by_rule).count()
    }
}

/// The action id of what no rule says: beyond every rule's own.
const SECRET: ActionId = ActionId(u32::MAX);

/// The places of redacted values in recorded requests, by protocol.
fn secret_places(recording: &Recording) -> BTreeMap<String, Vec<Relaxation>> {
    let mut places: BTreeMap<String, Vec<Relaxation>> = BTreeMap::new();
    for mock in &recording.mocks {
        if let Some(request) = &mock.exchange.request {
            let found = places.entry(mock.exchange.protocol.clone()).or_default();
            note_secrets(request, found);
        }
    }
    places
}

fn note_secrets(request: &Message, found: &mut Vec<Relaxation>) {
    for (slot, value) in (conn::COUNT..).zip(&request.fields) {
        let mut steps = Vec::new();
        walk(value, &mut steps, &mut |steps| {
            let path = Path { field: FieldId(slot), side: Side::Request, steps: steps.to_vec(), span: Span::default() };
            if found.iter().all(|known| known.path.field != path.field || known.path.steps != path.steps) {
                let origin = Origin { place: "redacted".into(), text: "secret".into(), is_default: true };
                found.push(Relaxation { id: SECRET, relax: Relax::Secret, path, origin });
            }
        });
    }
}

fn walk(value: &Value, steps: &mut Vec<Step>, found: &mut dyn FnMut(&[Step])) {
    match value.untagged() {
        Value::Str(text) if is_secret(text) => found(steps),
        Value::List(items) => {
            for (index, item) in (0..).zip(items) {
                steps.push(Step::Index(index));
                walk(item, steps, found);
                steps.pop();
            }
        }
        Value::Map(pairs) => {
            for (key, item) in pairs {
                if let Some(name) = key.as_str() {
                    steps.push(Step::Name(name.to_owned()));
                    walk(item, steps, found);
                    steps.pop();
                }
            }
        }
        _ => {}
    }
}

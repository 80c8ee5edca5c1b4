//! The recorded calls, found by key, and the account of which have answered.
//!
//! The recording may be larger than memory. What is kept of every call is its outline and a few words of account; its key and what
//! else the rules say of it are found out when it may answer for the first time: a test's calls when the test begins, those that
//! belong to no test at the start, and those of an operation whose answers are used again when it is called. Messages and
//! bytes are in a cache of limited size.

mod assign;
mod end;
mod order;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use reel_lang::hir::{Path, Step};
use reel_lang::schema::Side;
use reel_lang::span::Span;
use reel_protocols::Protocol;

pub use end::LeftOver;

use self::order::{Order, Seen};
use super::cache::Cache;
use super::calls::Calls;
use super::entry::{Entry, Ruling};
use crate::matching::{Key, operation};
use crate::recording::outline::{SecretPlace, SecretStep};
use crate::recording::{CallId, CueOutline, Ending, MockOutline, ProtocolId, Scope, TestId};
use crate::rules::{ActionId, Origin, Relax, Relaxation, Reuse, Rules, View};

/// How much of the messages of recorded calls is kept in memory.
pub const MAX_CACHED_LEN_BYTES: usize = 32 << 20;

/// Every recorded call.
pub struct Book {
    calls: Arc<dyn Calls>,
    rules: Arc<dyn Rules>,
    /// By the calls' order.
    accounts: Vec<Account>,
    cache: Cache<usize, Arc<Entry>>,
    /// The calls whose key is known.
    by_key: BTreeSet<(Key, usize)>,
    /// Those of them that belong to no test.
    of_none: BTreeSet<(Key, usize)>,
    /// The operations of which every call's key is known.
    surveyed: HashSet<Operation>,
    /// The test that runs, or ran last, and its calls, those with a key in their order.
    test: Option<TestId>,
    mine: HashSet<usize>,
    mine_by_key: HashMap<Key, Vec<usize>>,
    /// Whether a test is running.
    in_test: bool,
    /// The order of its calls.
    order: Order,
    /// Whether any call may answer, whichever test it belongs to.
    is_open: bool,
    /// The framed protocols spoken with a server, and whether any other was.
    spoken: HashMap<SocketAddr, Vec<ProtocolId>>,
    /// The opaque runs that a server was sent.
    runs: HashMap<SocketAddr, Vec<usize>>,
    /// What a server says first, and connections that it refused.
    greetings: HashMap<SocketAddr, Vec<usize>>,
    /// What a server says after an exchange, unasked.
    pushes: HashMap<CallId, Vec<usize>>,
    /// The places of redacted values in requests, by protocol.
    secrets: BTreeMap<&'static str, Vec<Relaxation>>,
    /// How often each key was answered of which rules let answers be used again.
    turns: HashMap<Key, usize>,
    /// The calls of the start-up.
    startup: Vec<usize>,
    /// The actions that decided on a call.
    deciders: BTreeMap<ActionId, Origin>,
    /// What was wrong with a call that had to be read.
    fault: Option<String>,
}

/// What is kept of every call.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    /// Absent until it is asked for.
    ruling: Option<Ruling>,
    /// Whether its only owner is certain.
    is_certain: bool,
    /// Whether it has answered.
    is_used: bool,
    /// The test that is charged with it, where one made it.
    user: Option<TestId>,
    /// Whether it was found out that nobody can be charged with another call in its place.
    is_stuck: bool,
}

/// Calls among which those with one key are: all of a server in one protocol, or those of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    pub server: SocketAddr,
    pub protocol: ProtocolId,
    /// Absent where a rule lets calls of different operations have one key.
    pub hash: Option<u64>,
}

impl Operation {
    fn has(&self, call: &MockOutline) -> bool {
        call.addr == self.server
            && call.id.protocol == self.protocol
            && self.hash.is_none_or(|hash| call.operation == Some(hash))
    }
}

/// The recorded call that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub index: usize,
    /// Whether a rule, or that no test is running, let it answer otherwise than once, in recorded order.
    pub is_strange: bool,
    /// A call that was made before this one, and after it when they were recorded.
    pub overtook: Option<usize>,
}

impl Book {
    /// Takes a recording's calls.
    ///
    /// # Errors
    /// What is wrong with a call that is needed from the start, for a person.
    pub fn new(calls: Arc<dyn Calls>, rules: Arc<dyn Rules>) -> Result<Self, String> {
        let mut book = Book {
            accounts: vec![Account::default(); calls.outlines().len()],
            cache: Cache::new(MAX_CACHED_LEN_BYTES),
            by_key: BTreeSet::new(),
            of_none: BTreeSet::new(),
            surveyed: HashSet::new(),
            test: None,
            mine: HashSet::new(),
            mine_by_key: HashMap::new(),
            in_test: false,
            order: Order::default(),
            is_open: false,
            spoken: HashMap::new(),
            runs: HashMap::new(),
            greetings: HashMap::new(),
            pushes: HashMap::new(),
            secrets: secrets(calls.secrets()),
            turns: HashMap::new(),
            startup: Vec::new(),
            deciders: BTreeMap::new(),
            fault: None,
            calls,
            rules,
        };
        let calls = book.calls.clone();
        for (index, outline) in calls.outlines().iter().enumerate() {
            book.list(index, outline);
        }
        for effect in calls.tests().flat_map(|test| calls.effects(test)) {
            if let Some(account) = book.position(effect.call).and_then(|index| book.accounts.get_mut(index)) {
                account.is_certain = effect.attribution.is_certain();
            }
        }
        for (index, outline) in calls.outlines().iter().enumerate() {
            if outline.scope != Scope::Test || outline.is_cut {
                book.load(index)?;
            }
        }
        Ok(book)
    }

    fn list(&mut self, index: usize, outline: &MockOutline) {
        let (server, protocol) = (outline.addr, outline.id.protocol);
        if outline.scope == Scope::Startup {
            self.startup.push(index);
        }
        if outline.has_request && !protocol.protocol().framed() {
            self.runs.entry(server).or_default().push(index);
        }
        if outline.has_request || outline.has_response {
            let spoken = self.spoken.entry(server).or_default();
            if !spoken.contains(&protocol) {
                spoken.push(protocol);
            }
        }
        match outline.cue {
            Some(CueOutline::Connect) => self.greetings.entry(server).or_default().push(index),
            Some(CueOutline::After(id)) => self.pushes.entry(id).or_default().push(index),
            None => {}
        }
    }

    fn position(&self, id: CallId) -> Option<usize> {
        self.calls.outlines().binary_search_by(|outline| outline.id.cmp(&id)).ok()
    }

    fn outline(&self, index: usize) -> Option<&MockOutline> {
        self.calls.outlines().get(index)
    }

    fn account(&self, index: usize) -> Account {
        self.accounts.get(index).copied().unwrap_or_default()
    }

    /// Starts a test: its calls may answer from now on.
    pub fn begin(&mut self, test: TestId) {
        let calls = self.calls.clone();
        self.in_test = true;
        self.test = Some(test);
        self.order.clear();
        self.mine.clear();
        self.mine_by_key.clear();
        for effect in calls.effects(test) {
            let Some(index) = self.position(effect.call) else { continue };
            self.prepare(index);
            self.mine.insert(index);
            if let Some(key) = self.account(index).ruling.and_then(|ruling| ruling.key) {
                self.mine_by_key.entry(key).or_default().push(index);
            }
        }
        self.put_in_order(test);
    }

    /// Finds out the order of a test's calls, where their protocols know of one.
    fn put_in_order(&mut self, test: TestId) {
        let calls = self.calls.clone();
        let ordered = calls.effects(test).iter().filter(|effect| effect.call.protocol.protocol().has_order());
        let ordered: Vec<_> = ordered.filter_map(|effect| Some((effect, self.position(effect.call)?))).collect();
        let mut shares: HashMap<u64, usize> = HashMap::new();
        for likeness in ordered.iter().filter_map(|(_, index)| self.likeness(*index)) {
            *shares.entry(likeness).or_default() += 1;
        }
        for (effect, index) in ordered {
            let Some(entry) = self.entry(index) else { continue };
            // Which of several like it a call is, where it may be another test's, is a choice, and has no order.
            let is_choice = !effect.attribution.is_certain()
                && self.likeness(index).and_then(|likeness| shares.get(&likeness)).is_none_or(|share| *share > 1);
            let connection = calls.connection(effect.call);
            self.order.put(index, &entry, Seen { attribution: effect.attribution, connection, is_choice });
        }
    }

    /// Lets every call answer from now on, once and in recorded order, whichever test it belongs to.
    pub fn open(&mut self) {
        self.is_open = true;
    }

    /// Whether it matters of which operation a call is, where answers are used like this.
    pub fn wants_operation(&self, reuse: Reuse) -> bool {
        self.is_open || reuse != Reuse::Once
    }

    /// Ends a test: what runs in the background may go on.
    pub fn end(&mut self) {
        self.in_test = false;
    }

    /// Finds out what the rules say of a call.
    fn prepare(&mut self, index: usize) {
        if self.account(index).ruling.is_none() {
            self.entry(index);
        }
    }

    /// A recorded call; none where it cannot be read, which [`Book::fault`] then tells.
    pub fn entry(&mut self, index: usize) -> Option<Arc<Entry>> {
        match self.load(index) {
            Ok(entry) => Some(entry),
            Err(reason) => {
                self.fault.get_or_insert(reason);
                None
            }
        }
    }

    /// What was wrong with a call that had to be read.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn load(&mut self, index: usize) -> Result<Arc<Entry>, String> {
        if let Some(entry) = self.cache.get(index) {
            return Ok(entry);
        }
        let outline = self.outline(index).ok_or("there is no such call")?;
        let is_of_test = outline.scope == Scope::Test;
        let mock = self.calls.read(outline)?;
        let ruling = match self.account(index).ruling {
            Some(ruling) => ruling,
            None => {
                let (ruling, decided) = Ruling::of(&mock, self.rules.as_ref(), self.secrets(&mock.id.protocol))?;
                self.deciders.extend(decided);
                let place = ruling.key.map(|key| (key, index));
                self.by_key.extend(place);
                self.of_none.extend(place.filter(|_| !is_of_test));
                if let Some(account) = self.accounts.get_mut(index) {
                    account.ruling = Some(ruling);
                }
                ruling
            }
        };
        let entry = Arc::new(Entry::new(mock, ruling)?);
        self.cache.put(index, entry.clone(), entry.len_bytes());
        Ok(entry)
    }

    /// The protocol that was spoken with a server, where it was one.
    pub fn protocol_of(&self, server: SocketAddr) -> Option<&'static dyn Protocol> {
        match self.spoken.get(&server)?.as_slice() {
            [only] => Some(only.protocol()),
            _ => None,
        }
    }

    /// The places of redacted values in a protocol's requests.
    pub fn secrets(&self, protocol: &str) -> &[Relaxation] {
        self.secrets.get(protocol).map_or(&[], Vec::as_slice)
    }

    /// Takes the recorded call that answers, and marks it used. Where [`Book::wants_operation`], `operation` says among which calls
    /// those with this key are.
    pub fn take(&mut self, key: Key, reuse: Reuse, operation: Option<Operation>) -> Option<Taken> {
        if let Some(operation) = operation {
            self.survey(operation);
        }
        if reuse == Reuse::Once {
            let indices = self.within_reach(key);
            let index = self.first_eligible(&indices)?;
            let is_strange = self.account(index).is_used;
            let overtook = self.order.overtook(index);
            self.order.make(index);
            self.mark_used(index);
            return Some(Taken { index, is_strange, overtook });
        }
        let indices: Vec<usize> = self.with_key(key).collect();
        let turn = self.turns.get(&key).copied().unwrap_or(0);
        let index = match reuse {
            Reuse::Cycle => *indices.get(turn.checked_rem(indices.len())?)?,
            _ => *indices.last()?,
        };
        let is_strange = indices.get(turn).is_none_or(|next| !self.answer_alike(*next, index));
        *self.turns.entry(key).or_default() += 1;
        self.mark_used(index);
        Some(Taken { index, is_strange, overtook: None })
    }

    /// Whether two calls have one answer.
    fn answer_alike(&mut self, one: usize, other: usize) -> bool {
        one == other
            || match (self.entry(one), self.entry(other)) {
                (Some(one), Some(other)) => one.answers_as(&other),
                _ => false,
            }
    }

    /// A call of the same operation as this one, whose answer describes what that is about.
    pub fn kin(&mut self, view: View<'_>) -> Option<usize> {
        let operation = Operation {
            server: view.addr,
            protocol: ProtocolId::of(&view.schema().protocol)?,
            hash: Some(operation(view.schema(), view.request?)),
        };
        let calls = self.calls.clone();
        let alike = calls.outlines().iter().enumerate().filter(|(_, call)| operation.has(call) && call.has_response);
        let mut first = None;
        for (index, _) in alike {
            let Some(entry) = self.entry(index) else { continue };
            if entry.exchange.response.as_ref().is_some_and(|response| entry.protocol.describes(response)) {
                return Some(index);
            }
            first.get_or_insert(index);
        }
        first
    }

    /// Whether a server was ever spoken to.
    pub fn knows(&self, server: SocketAddr) -> bool {
        self.spoken.contains_key(&server)
    }

    /// The servers that were ever spoken to, or refused a connection.
    pub fn servers(&self) -> HashSet<SocketAddr> {
        self.calls.outlines().iter().map(|outline| outline.addr).collect()
    }

    /// Whether a call with this key is known, of whichever test.
    pub fn has(&self, key: Key) -> bool {
        self.with_key(key).next().is_some()
    }

    /// Finds out the key of every call of an operation.
    fn survey(&mut self, operation: Operation) {
        if self.surveyed.insert(operation) {
            let calls = self.calls.clone();
            for (index, _) in calls.outlines().iter().enumerate().filter(|(_, call)| operation.has(call)) {
                self.prepare(index);
            }
        }
    }

    /// The calls with a key, in recorded order, as far as keys are known.
    fn with_key(&self, key: Key) -> impl Iterator<Item = usize> {
        self.by_key.range((key, 0)..=(key, usize::MAX)).map(|(_, index)| *index)
    }

    /// The calls with a key that may answer now, if nobody has made them: the test's own, in their order, then those of no test.
    fn within_reach(&self, key: Key) -> Vec<usize> {
        if self.is_open {
            return self.with_key(key).collect();
        }
        let mine = self.mine_by_key.get(&key).into_iter().flatten().copied();
        mine.chain(self.of_none.range((key, 0)..=(key, usize::MAX)).map(|(_, index)| *index)).collect()
    }

    fn mark_used(&mut self, index: usize) {
        let user = self.test.filter(|_| self.mine.contains(&index));
        if let Some(account) = self.accounts.get_mut(index) {
            account.is_used = true;
            account.user = user;
        }
    }

    /// Whether a call may answer now: once, but for one of the background while no test is running.
    fn is_eligible(&self, index: usize) -> bool {
        let is_used = self.account(index).is_used;
        match self.outline(index).map(|outline| outline.scope) {
            _ if self.is_open => !is_used,
            Some(Scope::Startup) => !is_used,
            Some(Scope::Background) => !is_used || !self.in_test,
            Some(Scope::Test) => !is_used && self.mine.contains(&index),
            None => false,
        }
    }

    fn is_of_no_test(&self, index: usize) -> bool {
        self.outline(index).is_some_and(|outline| outline.scope != Scope::Test)
    }

    /// The test's own calls first, then those that may be its own, also where another test must then be charged with another one, then
    /// those that belong to no test.
    fn first_eligible(&mut self, indices: &[usize]) -> Option<usize> {
        let found = self.first_unused(indices);
        let is_own = found.is_some_and(|index| self.is_open || !self.is_of_no_test(index));
        if is_own { found } else { self.free_up(indices).or(found) }
    }

    fn first_unused(&self, indices: &[usize]) -> Option<usize> {
        let rank = |index: usize| {
            let account = self.account(index);
            match (self.outline(index).map(|outline| outline.scope), account.is_certain, account.is_used) {
                _ if self.is_open => 0,
                (Some(Scope::Test), true, _) => 0,
                (Some(Scope::Test), false, _) => 1,
                (_, _, false) => 2,
                (_, _, true) => 3,
            }
        };
        indices
            .iter()
            .copied()
            .filter(|index| self.is_eligible(*index))
            .min_by_key(|index| (rank(*index), self.order.preference(*index)))
    }

    /// The calls whose opaque runs a server may be sent now.
    pub fn runs(&mut self, server: SocketAddr) -> Vec<Arc<Entry>> {
        let indices = self.runs.get(&server).cloned().unwrap_or_default();
        let eligible: Vec<usize> = indices.into_iter().filter(|index| self.is_eligible(*index)).collect();
        eligible.into_iter().filter_map(|index| self.entry(index)).collect()
    }

    /// Takes what a server does as soon as a connection is open. The flag says whether it ever does anything then.
    pub fn take_greeting(&mut self, server: SocketAddr) -> (Option<usize>, bool) {
        let indices = self.greetings.get(&server).cloned().unwrap_or_default();
        let ending = |index: &usize| self.outline(*index).and_then(|outline| outline.ending);
        let speaks = indices.iter().any(|index| ending(index) != Some(Ending::Refused));
        // It asks nothing of the server, and how many connections a pool opens is chance: one of no test may be heard again.
        let of_none = indices.iter().copied().find(|index| self.is_of_no_test(*index));
        let taken = self.first_eligible(&indices).or(of_none);
        if let Some(index) = taken {
            self.mark_used(index);
        }
        (taken, speaks)
    }

    /// Takes what a server says unasked after an exchange.
    pub fn take_push(&mut self, after: usize) -> Option<usize> {
        let indices = self.pushes.get(&self.outline(after)?.id)?;
        let index = indices.iter().copied().find(|index| !self.account(*index).is_used)?;
        self.mark_used(index);
        Some(index)
    }

    /// The first used call with a key.
    pub fn used(&mut self, key: Key) -> Option<Arc<Entry>> {
        let index = self.with_key(key).find(|index| self.account(*index).is_used)?;
        self.entry(index)
    }

    /// The calls that surely belong to the running test and were not made, in its order.
    pub fn missing(&self, test: TestId) -> Vec<usize> {
        let mine = self.calls.effects(test).iter().filter_map(|effect| self.position(effect.call));
        mine.filter(|index| self.is_awaited(*index)).collect()
    }

    /// How many calls that surely belong to the running test were not made.
    pub fn outstanding(&self) -> usize {
        self.mine.iter().filter(|index| self.is_awaited(**index)).count()
    }

    fn is_awaited(&self, index: usize) -> bool {
        let account = self.account(index);
        account.is_certain && self.is_open(index)
    }

    /// Whether a call was not made, and should be.
    fn is_open(&self, index: usize) -> bool {
        let account = self.account(index);
        let is_due = |ruling: Option<Ruling>| ruling.is_some_and(|ruling| !ruling.is_free());
        // What a server says after a call that need not be made need not be said.
        let follows = match self.outline(index).and_then(|outline| outline.cue) {
            Some(CueOutline::After(id)) => self.position(id).map(|index| self.account(index).ruling),
            _ => None,
        };
        !account.is_used && is_due(account.ruling) && follows.is_none_or(|ruling| ruling.is_none() || is_due(ruling))
    }
}

/// The action id of what no rule says: beyond every rule's own.
const SECRET: ActionId = ActionId(u32::MAX);

/// The places of redacted values as what may differ, by protocol.
fn secrets(places: &[SecretPlace]) -> BTreeMap<&'static str, Vec<Relaxation>> {
    let mut found: BTreeMap<&'static str, Vec<Relaxation>> = BTreeMap::new();
    let mut known: HashSet<_> = HashSet::new();
    for place in places.iter().filter(|place| known.insert((place.protocol, place.field(), &place.steps))) {
        let step = |step: &SecretStep| match step {
            SecretStep::Name(name) => Step::Name(name.to_string()),
            SecretStep::Index(index) => Step::Index(i64::from(*index)),
        };
        let steps = place.steps.iter().map(step).collect();
        let path = Path { field: place.field(), side: Side::Request, steps, span: Span::default() };
        let origin = Origin { place: "redacted".into(), text: "secret".into(), is_default: true };
        let secret = Relaxation { id: SECRET, relax: Relax::Secret, path, origin };
        found.entry(place.protocol.name()).or_default().push(secret);
    }
    found
}

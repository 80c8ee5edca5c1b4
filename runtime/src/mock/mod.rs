//! The mock side of a replay: every dependency of the app, answered from the recording.
//!
//! Sans-IO: [`Mock::handle`] takes what happened on a connection and gives what to do; time is an input. One thin layer
//! ([`server`]) owns the sockets. A call is answered by the first recorded call with its key that belongs to the running test
//! and has not answered yet; then the two are compared, and a difference is a changed effect. A call without one is a miss: it
//! gets the protocol's own error, its connection ends, and the test fails.

mod alias;
mod book;
mod cache;
mod calls;
mod connection;
mod effects;
mod entry;
mod opaque;
mod real;
pub mod server;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

pub use alias::Aliases;
pub use book::{Book, LeftOver, MAX_CACHED_LEN_BYTES};
pub use calls::Calls;
use connection::Connection;
pub use effects::{Answered, Changed, Disordered, Effects, Miss, Missing, Repeated, UnmetCall};
pub use entry::Entry;

use reel_protocols::{Message, Protocol};

use crate::flow::{Given, Spot};
use crate::matching::{Equality, Matcher, Usage, Way};
use crate::recording::{CallId, Owner, TestId};
use crate::rules::Rules;

/// A connection of the app to the mock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// What happened on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The app connected; it wanted this server.
    Opened(SocketAddr),
    Bytes(&'a [u8]),
    /// The app sends nothing more.
    HalfClosed,
    /// The connection is gone.
    Reset,
    /// The time that [`Command::SetTimer`] asked for has come.
    Timer,
    /// What the real server answered to [`Command::Ask`].
    Real(&'a [u8]),
    /// The real server sends nothing more, or was not reached.
    RealEnded,
}

/// What to do on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Send(Bytes),
    /// Close, after what was sent before.
    Close,
    /// Reset.
    Reset,
    /// Wake up at this time; a later one replaces it.
    SetTimer {
        at_ns: u64,
    },
    /// Send these bytes to the real server, on a connection that belongs to this one and is opened with the first; what comes back
    /// is told as [`Event::Real`].
    Ask {
        to: SocketAddr,
        bytes: Bytes,
    },
    /// Connect to the real server, send these bytes, and pass everything on from now on.
    Forward {
        to: SocketAddr,
        first: Bytes,
    },
}

/// What becomes of a call that the recording does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMiss {
    /// It gets the protocol's own error, and its connection ends.
    #[default]
    Fail,
    /// It goes to the real server.
    Pass,
}

/// What a run remembers over all its tests.
#[derive(Debug, Default)]
pub struct Ledger {
    pub equality: Equality,
    pub usage: Usage,
    /// How many calls recorded ones answered.
    pub answered: u64,
    /// How many calls, or connections, went to a real server because they were not recorded.
    pub passed: BTreeMap<SocketAddr, u64>,
    /// The calls whose requests have values that later tests send, with where these stand.
    pub wanted: HashMap<CallId, Vec<Spot>>,
    /// What the app sent there.
    pub given: Given,
}

/// All dependencies of the app.
pub struct Mock {
    rules: Arc<dyn Rules>,
    book: Book,
    ledger: Ledger,
    connections: HashMap<ConnId, Connection>,
    current: Option<TestId>,
    effects: Effects,
    /// What happened while no test was running.
    apart: Effects,
    aliases: Aliases,
    on_miss: OnMiss,
}

impl Mock {
    /// Makes the dependencies out of a recording's calls.
    pub fn new(rules: Arc<dyn Rules>, book: Book) -> Self {
        Mock {
            rules,
            book,
            ledger: Ledger::default(),
            connections: HashMap::new(),
            current: None,
            effects: Effects::default(),
            apart: Effects::default(),
            aliases: Aliases::default(),
            on_miss: OnMiss::default(),
        }
    }

    /// Lets every recorded call answer, whichever test it belongs to: for tests that are not the recording's own.
    pub fn for_any_test(mut self, on_miss: OnMiss) -> Self {
        self.book.open();
        self.on_miss = on_miss;
        self
    }

    /// Takes these addresses for recorded ones.
    pub fn with_aliases(mut self, aliases: Aliases) -> Self {
        self.aliases = aliases;
        self
    }

    /// The addresses that are taken for recorded ones.
    pub fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// Tells which addresses the recording has a server for, aliases included.
    pub fn servers(&self) -> impl FnMut(SocketAddr) -> bool + Send + use<> {
        let (mut aliases, servers) = (self.aliases.clone(), self.book.servers());
        move |asked| servers.contains(&aliases.recorded(asked))
    }

    /// Takes what happened on a connection, and says what to do there.
    pub fn handle(&mut self, now_ns: u64, conn: ConnId, event: Event<'_>) -> Vec<Command> {
        let mut out = VecDeque::new();
        if let Event::Opened(destination) = event {
            let recorded = self.aliases.recorded(destination);
            let protocol = self.book.protocol_of(recorded);
            self.connections.insert(conn, Connection::new(destination, recorded, protocol));
        }
        // Taken out for the time of the call, so that it and the rest can change together.
        let Some(mut connection) = self.connections.remove(&conn) else { return Vec::new() };
        connection.handle(self, now_ns, event, &mut out);
        if !connection.is_gone() {
            self.connections.insert(conn, connection);
        }
        out.into()
    }

    /// Starts a test: its effects are expected from now on.
    pub fn begin(&mut self, test: TestId) {
        self.no_test();
        self.ledger.equality.remember();
        self.current = Some(test);
        self.book.begin(test);
    }

    /// Belongs to no test, what happens from now on.
    pub fn no_test(&mut self) {
        let effects = std::mem::take(&mut self.effects);
        for miss in effects.misses {
            self.apart.miss(miss);
        }
        self.apart.more_misses += effects.more_misses;
        // Only calls that were not as recorded are told of; the others would fill the memory of a long run.
        let differing = effects.answered.into_iter().filter(|answered| !answered.differences.is_empty());
        self.apart.answered.extend(differing);
        self.apart.unmet.extend(effects.unmet);
        self.current = None;
        self.book.end();
    }

    /// How many calls of the running test are still to come; where none runs, of the start-up.
    pub fn outstanding(&self) -> usize {
        self.current.map_or_else(|| self.book.outstanding_start(), |_| self.book.outstanding())
    }

    /// Whether a call of the running test was not in the recording: waiting for the rest has no point.
    pub fn has_missed(&self) -> bool {
        !self.effects.misses.is_empty()
    }

    /// Ends the running test and says what it did.
    pub fn end(&mut self) -> Effects {
        let mut effects = std::mem::take(&mut self.effects);
        if let Some(test) = self.current {
            let missing = self.book.missing(test);
            effects.settle(&mut self.book, missing, self.rules.as_ref(), self.ledger.equality.names());
        }
        self.book.end();
        effects
    }

    /// What the app did while no test was running that was not in the recording.
    pub fn apart(&mut self) -> Effects {
        self.no_test();
        let mut effects = std::mem::take(&mut self.apart);
        effects.settle(&mut self.book, Vec::new(), self.rules.as_ref(), self.ledger.equality.names());
        effects
    }

    /// The recorded calls that none of their candidate tests made, once all of these were run.
    pub fn left_over(&mut self, ran: &[TestId]) -> Vec<LeftOver> {
        self.book.left_over(ran)
    }

    /// Notes in the ledger what rules let go of the calls of the tests that ran.
    pub fn account(&mut self, ran: &[TestId]) {
        self.book.account_for(ran, &mut self.ledger.usage);
    }

    /// What a run remembers, for the driver's own comparisons.
    pub fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// What is wrong with the recording, where a call could not be read: no result counts then.
    pub fn fault(&self) -> Option<String> {
        self.book.fault().map(str::to_owned)
    }
}

impl Ledger {
    /// Notes recorded values that are others in this replay.
    pub fn flowed(&mut self, pairs: Vec<(Vec<u8>, Vec<u8>)>) {
        for (recorded, replayed) in pairs {
            self.equality.flows(&recorded, &replayed);
        }
    }

    /// Takes the values out of a call that later tests send.
    fn give(&mut self, entry: &Entry, request: &Message) {
        let Some(id) = CallId::of(&entry.id).filter(|id| self.wanted.contains_key(id)) else { return };
        for spot in self.wanted.get(&id).cloned().unwrap_or_default() {
            let Some(now) = spot.read(entry.protocol, request) else { continue };
            let was = entry.exchange.request.as_ref().and_then(|request| spot.read(entry.protocol, request));
            self.flowed(was.map(|was| (was, now.clone())).into_iter().collect());
            self.given.insert((Owner::Mock(id), spot), now);
        }
    }

    /// The recorded request that a call stands for: with recorded values in place of those of this replay. None where it has none.
    fn recorded(&mut self, protocol: &dyn Protocol, request: &Message) -> Option<Message> {
        let recorded = self.equality.names().message(Way::ToRecording, protocol, request);
        recorded.inspect(|_| self.usage.renames())
    }

    /// A recorded call whose answer has the values of this replay; none where it is the recorded one.
    fn replayed(&mut self, entry: &Entry) -> Option<Result<Entry, String>> {
        let renamed = entry.renamed(self.equality.names())?;
        self.usage.renames();
        Some(renamed)
    }

    /// Compares with what the run remembers.
    pub fn matcher<'a>(&'a mut self, rules: &'a dyn Rules) -> Matcher<'a> {
        Matcher { classes: rules, equality: &mut self.equality, usage: &mut self.usage }
    }
}

#[cfg(test)]
mod tests;

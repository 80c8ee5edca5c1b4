//! What a recording holds, apart from how it is written: exchanges, tests, and what else is known of the run.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use reel_lang::schema::Direction;
use reel_protocols::Message;
use serde::{Deserialize, Serialize};

use crate::flow::Flow;

/// The server of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    pub addr: SocketAddr,
    /// The name that was given to it, if any.
    pub host: Option<String>,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{host} ({})", self.addr),
            None => write!(f, "{}", self.addr),
        }
    }
}

impl From<SocketAddr> for Destination {
    fn from(addr: SocketAddr) -> Self {
        Destination { addr, host: None }
    }
}

/// How an exchange ended, where it did not simply end with its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ending {
    /// The connection was refused: there is neither request nor response.
    Refused,
    /// The server reset the connection.
    Reset,
    /// The server closed the connection after the response, or instead of it.
    Closed,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Ending; 3] = [Ending::Refused, Ending::Reset, Ending::Closed];

    /// The word in recordings.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Refused => "refused",
            Ending::Reset => "reset",
            Ending::Closed => "closed",
        }
    }
}

/// A request with its response; one of them may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    pub protocol: String,
    pub direction: Direction,
    pub destination: Destination,
    /// Absent where the server spoke unasked: its greeting, a push.
    pub request: Option<Message>,
    /// Responses that came before the last one (HTTP 1xx).
    pub interim: Vec<Message>,
    pub response: Option<Message>,
    pub ending: Option<Ending>,
}

/// The name of a recorded outgoing exchange: `redis-0001`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MockId {
    pub protocol: String,
    /// From 1, by protocol.
    pub number: u32,
}

impl fmt::Display for MockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:04}", self.protocol, self.number)
    }
}

impl FromStr for MockId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected the id of a mock such as `redis-0001`, found `{text}`");
        let (protocol, number) = text.rsplit_once('-').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        let id = MockId { protocol: protocol.to_owned(), number };
        if id.to_string() == text { Ok(id) } else { Err(wrong()) }
    }
}

/// The number of a test, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TestId(pub u32);

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// Whom an outgoing exchange belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// A test names it among its effects.
    Test,
    /// It was made before the first test: it may repeat or be missing in replay.
    Startup,
    /// It was made while no request was open: it may repeat or be missing in replay.
    Background,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Test, Scope::Startup, Scope::Background];

    /// The word in recordings.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Test => "test",
            Scope::Startup => "startup",
            Scope::Background => "background",
        }
    }
}

/// When the server speaks an exchange that has no request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cue {
    /// As soon as the connection is open.
    Connect,
    /// After this exchange of the same connection.
    After(MockId),
}

/// A recorded outgoing exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Mock {
    pub id: MockId,
    pub scope: Scope,
    /// Present exactly where the exchange has no request.
    pub cue: Option<Cue>,
    pub exchange: Exchange,
    /// From `tag` in capture rules.
    pub tags: Vec<String>,
}

/// How surely an effect belongs to its test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Attribution {
    /// The thread that made the call had read the request, and requests stay on their threads in this app.
    Thread,
    /// Every other request that was open was waiting for an answer of its own, or was answered while this call was not, and requests do one
    /// thing at a time in this app.
    Socket,
    /// The call carries the trace id of the request, and of no other that was open.
    Trace,
    /// The call carries what a program made up, and no other request that was open can have known it.
    Value,
    /// No other request was open when the call began.
    Window,
    /// It belongs to this test or to another one that lists it as well.
    Candidate,
}

impl Attribution {
    /// Every attribution.
    pub const ALL: [Attribution; 6] = [
        Attribution::Thread,
        Attribution::Socket,
        Attribution::Trace,
        Attribution::Value,
        Attribution::Window,
        Attribution::Candidate,
    ];

    /// The word in recordings.
    pub fn name(self) -> &'static str {
        match self {
            Attribution::Thread => "thread",
            Attribution::Socket => "socket",
            Attribution::Trace => "trace",
            Attribution::Value => "value",
            Attribution::Window => "window",
            Attribution::Candidate => "candidate",
        }
    }

    /// Whether the effect is this test's and no other's.
    pub fn is_certain(self) -> bool {
        self != Attribution::Candidate
    }
}

/// An outgoing exchange that a test caused, or may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EffectRef {
    pub mock: MockId,
    pub attribution: Attribution,
}

/// An incoming exchange, and what it made the app do.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub id: TestId,
    /// The file's name without number and suffix: `get-orders`.
    pub slug: String,
    pub exchange: Exchange,
    /// In the order in which the calls began.
    pub effects: Vec<EffectRef>,
    /// What `tag("x")` of a capture rule says.
    pub tags: Vec<String>,
    /// The values that its request got from earlier exchanges.
    pub flows: Vec<Flow>,
}

/// Where and when an exchange happened: what differs between any two recordings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Circumstance {
    /// From the start of the recording to the first byte of the request.
    pub at_ns: u64,
    /// From there to the last byte of the response.
    pub latency_ns: Option<u64>,
    pub pid: u32,
    pub tid: u32,
    pub comm: String,
    /// The client's address.
    pub peer: Option<SocketAddr>,
    /// Counts the connections of the run; exchanges of one connection share it.
    pub connection: u32,
}

/// What was lost while recording: every counter must be zero for a recording to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Events that the kernel could not hand over.
    pub dropped_events: u64,
    /// Bytes of a stream that were not seen.
    pub missing_bytes: u64,
    /// Bytes that no decoder understood.
    pub undecoded_bytes: u64,
    /// Connections whose TLS could not be seen.
    pub encrypted_connections: u64,
}

impl Losses {
    /// The counters with their names in recordings.
    pub fn named(&self) -> [(&'static str, u64); 4] {
        [
            ("dropped_events", self.dropped_events),
            ("missing_bytes", self.missing_bytes),
            ("undecoded_bytes", self.undecoded_bytes),
            ("encrypted_connections", self.encrypted_connections),
        ]
    }

    /// Whether nothing was lost.
    pub fn is_none(&self) -> bool {
        self.named().iter().all(|(_, count)| *count == 0)
    }
}

/// What is known of the run as a whole: `recording.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// The version of the tool that wrote it.
    pub tool: String,
    /// The app's command line.
    pub command: Vec<String>,
    /// `real`, or how time was set.
    pub clock: String,
    /// The exit status of the app, where it ended by itself.
    pub app_exit: Option<i32>,
    pub losses: Losses,
    /// Names under which this recording's secrets are kept outside of it; absent where nothing was redacted.
    pub secrets: Option<SecretsRef>,
}

/// What a recording says of its secrets: never their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretsRef {
    /// Names the file in the user's state directory that keeps key and values.
    pub id: String,
    /// Each secret's name and token, sorted; the name is what `--secret NAME=ENV` takes.
    pub tokens: Vec<(String, String)>,
}

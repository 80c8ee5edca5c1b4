//! One connection, heard from the side: messages of both directions in, logical calls and what came of them out.
//!
//! A call is what a program asked for, not how its driver put it: a simple Query, an Execute with the text of its statement and its
//! parameters, a statement that is described and not run, the data of a COPY. The messages around them (Parse, Bind, Sync, their
//! acknowledgements, passwords) belong to no call and are passed over. What the server owes is a queue, in the order of the client's
//! messages (section 55.2.3); each of the server's messages must be what stands at its front.

mod asked;
mod replied;
mod server;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_lang::value::Value;

pub(super) use server::{Playing, function_value, unasked};

use super::fields::Described;
use super::outcome::Outcomes;
use super::slots::request;
use super::sql::{Status, statements};
use super::types::{self, Format};
use super::wire::{self, FLOW};
use super::{SCHEMA, text};
use crate::{Malformed, Message, Pairing};

/// The most messages that wait for the server, and the most statements and portals with a name.
pub const PENDING_MAX: usize = 65_536;

/// A statement: its text, and what is known of it so far.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) sql: Bytes,
    /// The parameters' types that the client named; zero where it left them open.
    pub(super) declared: Vec<u32>,
    /// Those that the server named.
    pub(super) params: OnceLock<Vec<u32>>,
    /// The columns that the server named; none where it returns no rows.
    pub(super) columns: OnceLock<Option<Vec<Described>>>,
}

impl Prepared {
    /// The type of a parameter: zero where nobody has named it.
    pub(super) fn param(&self, index: usize) -> u32 {
        let declared = self.declared.get(index).copied().filter(|id| *id != 0);
        declared.or_else(|| self.params.get().and_then(|ids| ids.get(index)).copied()).unwrap_or(0)
    }

    /// The parameters as values. A text whose type the client left open stays text, so that it is the same call whether or not the
    /// statement was described before.
    pub(super) fn values(&self, formats: &[u16], cells: &[Option<&[u8]>]) -> Value {
        if cells.is_empty() {
            return Value::Nil;
        }
        let value = |(index, cell): (usize, &Option<&[u8]>)| {
            let Some(bytes) = cell else { return Value::Null };
            let declared = self.declared.get(index).copied().unwrap_or(0);
            match Format::nth(formats, index) {
                Some(Format::Text) | None => types::decode(declared, Format::Text, bytes),
                Some(Format::Binary) => types::decode(self.param(index), Format::Binary, bytes),
            }
        };
        Value::List(cells.iter().enumerate().map(value).collect())
    }

    /// The parameters' types, by name; nil where none is known.
    pub(super) fn type_names(&self) -> Value {
        let count = self.declared.len().max(self.params.get().map_or(0, Vec::len));
        super::fields::type_names(&(0..count).map(|index| self.param(index)).collect::<Vec<_>>())
    }
}

/// A statement with parameters, ready to be run.
#[derive(Debug, Default)]
pub(super) struct Portal {
    pub(super) statement: Arc<Prepared>,
    pub(super) params: Value,
    /// The formats that rows are wanted in.
    pub(super) results: Vec<u16>,
    pub(super) columns: OnceLock<Option<Vec<Described>>>,
    /// Whether it has been run, so that the next Execute fetches more.
    pub(super) is_run: AtomicBool,
}

impl Portal {
    /// Takes note of its columns, which are those of its statement, however often that is bound again without a question for them.
    pub(super) fn describe(&self, columns: Option<Vec<Described>>) {
        let _ = self.statement.columns.set(columns.clone());
        let _ = self.columns.set(columns);
    }

    /// The columns, if somebody asked for them; within, none where there are no rows.
    pub(super) fn columns(&self) -> Option<Option<&[Described]>> {
        let known = self.columns.get().or_else(|| self.statement.columns.get());
        known.map(|columns| columns.as_deref())
    }
}

/// What the server owes for a message.
#[derive(Debug)]
enum Pending {
    /// A byte, for SSLRequest and GSSENCRequest.
    Encryption,
    Startup,
    Parse,
    Bind,
    Close,
    /// ParameterDescription and RowDescription, of a call.
    Describe(Arc<Prepared>),
    DescribePortal(Arc<Portal>),
    /// RowDescription, of a call.
    DescribeCursor,
    Execute(Arc<Portal>),
    /// Everything up to ReadyForQuery.
    Query(Bytes),
    Function,
    /// Nothing before the client has sent the data of a COPY; then what is within.
    CopyIn(Box<Pending>),
    /// ReadyForQuery; with a call that it answers, where a statement was prepared alone.
    Sync(bool),
}

impl Pending {
    /// Whether a call waits for it.
    fn is_call(&self) -> bool {
        matches!(
            self,
            Pending::Startup
                | Pending::Describe(_)
                | Pending::DescribeCursor
                | Pending::Execute(_)
                | Pending::Query(_)
                | Pending::Function
                | Pending::Sync(true)
        )
    }

    fn sql(&self) -> &[u8] {
        match self {
            Pending::Execute(portal) => &portal.statement.sql,
            Pending::Describe(statement) => &statement.sql,
            Pending::Query(sql) => sql,
            Pending::CopyIn(then) => then.sql(),
            _ => b"",
        }
    }
}

/// What a message is to the conversation.
#[derive(Debug)]
pub(super) enum Heard {
    /// Not whole yet, or not to be read before the other side has spoken.
    Incomplete,
    /// It belongs to no call.
    Skip,
    /// It belongs to the next call or response of its side.
    Part,
    Message(Message),
    /// A call or response that ends before this message.
    Before(Message),
    /// What follows is another protocol's.
    Leave,
}

/// A connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Whether the client's start-up was seen: from then on its messages have types.
    has_begun: bool,
    /// Whether the connection is a cancel request: nothing follows.
    is_cancel: bool,
    database: Bytes,
    user: Bytes,
    status: Status,
    pending: VecDeque<Pending>,
    statements: HashMap<Bytes, Arc<Prepared>>,
    portals: HashMap<Bytes, Arc<Portal>>,
    /// A statement that was prepared since the last Sync, and not yet described or run.
    prepared: Option<Arc<Prepared>>,
    /// The data of a COPY so far.
    data: Vec<u8>,
    outcomes: Outcomes,
    /// Whether the server passes over everything up to the next Sync.
    is_skipping: bool,
    /// How many calls it passed over, to be told before ReadyForQuery.
    skipped: usize,
    /// How long the parts of the unfinished call and response are.
    part_len: [u64; 2],
    /// What `pair` is to say of the message that was just given out.
    pairing: Option<Pairing>,
}

impl Session {
    /// Tells what the message that was given out last does.
    pub(super) fn pair(&mut self, message: &Message) -> Pairing {
        let by_itself = match message.side {
            Side::Request if message.field(request::OPERATION).as_bytes() == Some(b"cancel") => Pairing::OneWay,
            Side::Request => Pairing::Opens,
            Side::Response if !message.field(super::slots::response::CHANNEL).is_nil() => Pairing::Push,
            Side::Response => Pairing::Closes,
        };
        self.pairing.take().unwrap_or(by_itself)
    }

    /// The state that a call is made in: as the server last said, and as the calls before it will have left it.
    fn status_of_next(&self) -> Status {
        self.pending.iter().fold(self.status, |status, pending| match pending {
            Pending::Execute(_) | Pending::Query(_) | Pending::CopyIn(_) => {
                let sql = pending.sql();
                status.after(sql, statements(sql).count(), false)
            }
            _ => status,
        })
    }

    /// A call's message with what every call says.
    fn call(&self, operation: &'static str) -> Message {
        let mut message = Message::new(&SCHEMA, Side::Request);
        message.put(request::OPERATION, text(operation));
        let put = |message: &mut Message, field, value: &Bytes| {
            if !value.is_empty() {
                message.put(field, Value::Str(value.clone()));
            }
        };
        put(&mut message, request::DATABASE, &self.database);
        put(&mut message, request::USER, &self.user);
        message
    }

    fn call_in_state(&self, operation: &'static str, sql: &Bytes) -> Message {
        let mut message = self.call(operation);
        message.put(request::SQL, Value::Str(sql.clone()));
        message.put(request::STATE, text(self.status_of_next().name()));
        message
    }

    fn expect(&mut self, pending: Pending) -> Result<()> {
        if self.pending.len() >= PENDING_MAX {
            return Err(flow(format!("more than {PENDING_MAX} messages that the server has not answered")));
        }
        self.pending.push_back(pending);
        Ok(())
    }

    /// Counts a part of an unfinished message.
    fn part(&mut self, side: Side, len: usize) -> Heard {
        let [request, response] = &mut self.part_len;
        let sum = if side == Side::Request { request } else { response };
        *sum = sum.saturating_add(len as u64);
        Heard::Part
    }

    /// The length of a message that ends now, with its parts.
    fn whole_len(&mut self, side: Side, len: usize) -> u64 {
        let [request, response] = &mut self.part_len;
        let sum = std::mem::take(if side == Side::Request { request } else { response });
        sum.saturating_add(len as u64)
    }
}

fn flow(reason: impl Into<String>) -> Malformed {
    Malformed { offset: 0, reason: reason.into(), spec: FLOW }
}

type Result<T> = std::result::Result<T, Malformed>;

impl Session {
    /// Hears the client's next message, and how long it is.
    pub(super) fn request(&mut self, input: &[u8]) -> Result<(Heard, usize)> {
        if self.is_cancel {
            return Err(flow("a message after a cancel request"));
        }
        let read = if self.has_begun { wire::Frontend::next(input) } else { wire::Frontend::first(input) };
        let Some((message, len)) = read? else { return Ok((Heard::Incomplete, 0)) };
        let heard = self.asked(message, len)?;
        let len = if matches!(heard, Heard::Incomplete | Heard::Before(_)) { 0 } else { len };
        Ok((heard, len))
    }

    /// Hears the server's next message, and how long it is.
    pub(super) fn response(&mut self, input: &[u8], wants_rows: bool) -> Result<(Heard, usize)> {
        if let Some(Pending::Encryption) = self.pending.front() {
            return Ok((self.encryption(input)?, 1));
        }
        let Some((message, len)) = wire::Backend::next(input)? else { return Ok((Heard::Incomplete, 0)) };
        let heard = self.replied(message, len, wants_rows)?;
        let len = if matches!(heard, Heard::Incomplete | Heard::Before(_)) { 0 } else { len };
        Ok((heard, len))
    }

    /// Whether encryption is to follow (sections 55.2.10 and 55.2.11).
    fn encryption(&mut self, input: &[u8]) -> Result<Heard> {
        self.pending.pop_front();
        match input.first() {
            Some(b'N') => Ok(Heard::Skip),
            Some(b'S' | b'G') => Ok(Heard::Leave),
            _ => Err(flow("an answer to SSLRequest that is neither S, G nor N")),
        }
    }
}

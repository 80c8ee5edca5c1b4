//! The server's side, played from recorded answers.
//!
//! It hears the client through the very [`Session`] that the recording was made with, so a call is the same call in both; what the
//! session expects the server to send is what this sends. Acknowledgements it gives by itself, answers to calls come from outside. Any
//! client is let in: AuthenticationOk follows the start-up at once, whatever the recorded server asked for, since nobody here knows a
//! password. A portal's description waits for its Execute, whose answer has the columns.

use std::sync::Arc;

use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::super::SCHEMA;
use super::super::fields;
use super::super::slots::{request, response};
use super::super::sql::{Status, deallocated, statements};
use super::super::text;
use super::super::wire::Backend;
use super::super::write::{self, Wanted};
use super::{Heard, Pending, Prepared, Session};
use crate::{Malformed, Message, Recorded, Server, Step, Unencodable};

/// The process and the key that a client may cancel with: any, since a cancel request is matched by itself.
const PID: u32 = 1;
const KEY: [u8; 4] = [0; 4];

/// A server for one client.
#[derive(Debug, Default)]
pub(in super::super) struct Playing {
    session: Session,
    input: Vec<u8>,
    /// How much of the input was heard.
    heard: usize,
    out: Vec<u8>,
    /// What is said unasked before the next ReadyForQuery.
    pushes: Vec<u8>,
    /// What the next answer is for.
    awaited: Awaited,
    /// Whether something was said since the last ReadyForQuery.
    is_busy: bool,
    /// Whether the client waits for descriptions without running what they describe.
    must_describe: bool,
    /// Protocol 3.2, or options that only newer servers know.
    is_newer: bool,
    is_closed: bool,
}

/// What an answer is for.
#[derive(Debug, Default)]
enum Awaited {
    #[default]
    Nothing,
    /// The call at the front of the session's queue, or behind descriptions of its portal.
    Call,
    /// A call that the server passes over.
    Skipped,
    /// A portal that is described and not run.
    Description,
}

impl Server for Playing {
    fn hear(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    fn step(&mut self) -> Result<Step, Malformed> {
        loop {
            if let Some(step) = self.acknowledge() {
                return Ok(step);
            }
            // A server answers a cancel request by closing.
            if self.is_closed || self.session.is_cancel {
                return Ok(Step::Closed);
            }
            let input = self.input.get(self.heard..).unwrap_or_default();
            let kind = input.first().copied().filter(|_| self.session.has_begun);
            self.is_newer |= !self.session.has_begun
                && input
                    .get(4..8)
                    .is_some_and(|version| version > [0, 3, 0, 0].as_slice() && version < [0, 4, 0, 0].as_slice());
            let (heard, len) = self.session.request(input)?;
            self.heard = self.heard.saturating_add(len);
            match heard {
                Heard::Incomplete => {
                    self.input.drain(..self.heard.min(self.input.len()));
                    self.heard = 0;
                    return Ok(Step::Idle);
                }
                Heard::Message(message) | Heard::Before(message) => {
                    if !self.gives_up_statement() {
                        return Ok(self.ask(message));
                    }
                }
                Heard::Skip | Heard::Part | Heard::Leave => {
                    self.is_busy |= kind.is_some_and(|kind| b"PBDEC".contains(&kind));
                    self.must_describe |= matches!(kind, Some(b'S' | b'H'));
                    self.is_closed = kind == Some(b'X');
                }
            }
        }
    }

    fn answer(&mut self, recorded: Recorded<'_>) -> Result<(), Unencodable> {
        let answered = match std::mem::take(&mut self.awaited) {
            Awaited::Nothing | Awaited::Skipped => Ok(()),
            Awaited::Description => self.describe_portal(recorded),
            Awaited::Call => self.answer_call(recorded),
        };
        self.is_closed |= is_last(recorded.response);
        answered.map_err(|reason| Unencodable { field: "response".to_owned(), reason })
    }

    fn push(&mut self, message: &Message) -> Result<(), Unencodable> {
        let pushed = unasked(message).map_err(|reason| Unencodable { field: "response".to_owned(), reason })?;
        if self.is_busy {
            self.pushes.extend(pushed)
        } else {
            self.out.extend(pushed)
        }
        Ok(())
    }

    fn refuse(&mut self, reason: &str) {
        let reason: String = reason.chars().filter(|c| *c != '\0').collect();
        let fields = vec![
            (b'S', b"FATAL".as_slice()),
            (b'V', b"FATAL"),
            // system_error: the fault lies outside of the database.
            (b'C', b"58000"),
            (b'M', reason.as_bytes()),
        ];
        Backend::Error(fields).write(&mut self.out);
        self.is_closed = true;
    }

    fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

/// What a server says outside of any call.
pub(in super::super) fn unasked(message: &Message) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let text = |field, what: &str| match message.field(field) {
        Value::Nil => Ok(None),
        value => value.as_bytes().map(Some).ok_or_else(|| format!("{what} must be a text")),
    };
    let (channel, payload) = (text(response::CHANNEL, "a channel")?, text(response::PAYLOAD, "a payload")?);
    if let Some(channel) = channel {
        let payload = payload.unwrap_or_default();
        Backend::Notification { pid: PID, channel, payload }.write(&mut out);
    }
    write::notices(message, &mut out)?;
    write::parameters(message, &mut out)?;
    Ok(out)
}

impl Playing {
    /// Asks for the answer to a call.
    fn ask(&mut self, request: Message) -> Step {
        self.is_busy = true;
        self.awaited = if self.session.is_skipping { Awaited::Skipped } else { Awaited::Call };
        let kin = kin(&request);
        Step::Call { request: Box::new(request), kin }
    }

    /// Answers a DEALLOCATE of a statement that the driver prepared by messages, as a Close would be: the name is the driver's, and says
    /// nothing of what the program asked.
    fn gives_up_statement(&mut self) -> bool {
        let Some(Pending::Query(sql)) = self.session.pending.front() else { return false };
        let is_alone = self.session.pending.len() == 1 && self.session.status != Status::Failed;
        let Some(name) = deallocated(sql).filter(|_| is_alone) else { return false };
        if self.session.statements.remove(name.as_slice()).is_none() {
            return false;
        }
        self.session.pending.pop_front();
        Backend::CommandComplete(b"DEALLOCATE").write(&mut self.out);
        self.ready();
        true
    }

    /// Sends everything that needs no answer from outside, up to the first that does.
    fn acknowledge(&mut self) -> Option<Step> {
        loop {
            match self.session.pending.front() {
                Some(Pending::Encryption) => self.out.push(b'N'),
                Some(Pending::Parse) => Backend::ParseComplete.write(&mut self.out),
                Some(Pending::Bind) => Backend::BindComplete.write(&mut self.out),
                Some(Pending::Close) => Backend::CloseComplete.write(&mut self.out),
                Some(Pending::Sync(false)) => self.ready(),
                Some(Pending::DescribePortal(portal)) if self.must_describe => match portal.columns() {
                    Some(columns) => write::description(columns, &portal.results, &mut self.out),
                    None => {
                        let request = self.session.prepare(&portal.statement);
                        let step = self.ask(request);
                        self.awaited = Awaited::Description;
                        return Some(step);
                    }
                },
                _ => {
                    self.must_describe &= matches!(self.session.pending.front(), Some(Pending::DescribePortal(_)));
                    return None;
                }
            }
            self.session.pending.pop_front();
        }
    }

    fn ready(&mut self) {
        self.out.append(&mut self.pushes);
        write::ready(self.session.status, &mut self.out);
        self.is_busy = false;
        self.session.skipped = 0;
    }

    /// Describes a portal that is not run.
    fn describe_portal(&mut self, recorded: Recorded<'_>) -> Result<(), String> {
        let Some(Pending::DescribePortal(portal)) = self.session.pending.pop_front() else { return Ok(()) };
        if !recorded.response.field(response::ERROR).is_nil() {
            return self.fail(recorded.response);
        }
        let columns = fields::read_columns(recorded.response.field(response::COLUMNS))?;
        write::description(columns.as_deref(), &portal.results, &mut self.out);
        portal.describe(columns);
        Ok(())
    }

    /// Sends an error of the extended protocol, and passes over what follows up to Sync.
    fn fail(&mut self, response: &Message) -> Result<(), String> {
        write::notices(response, &mut self.out)?;
        write::error(response, &mut self.out)?;
        let is_before_sync = |pending: &Pending| !matches!(pending, Pending::Sync(_));
        while self.session.pending.front().is_some_and(is_before_sync) {
            self.session.pending.pop_front();
        }
        self.session.is_skipping = self.session.pending.is_empty();
        if self.session.status == Status::Transaction {
            self.session.status = Status::Failed;
        }
        Ok(())
    }

    fn answer_call(&mut self, recorded: Recorded<'_>) -> Result<(), String> {
        let response = recorded.response;
        let is_prepared = matches!(self.session.pending.back(), Some(Pending::Describe(_) | Pending::Sync(true)));
        if response.field(response::SKIPPED).as_int() == Some(1) && !is_prepared {
            return Err("when it was recorded the server passed over it, since a call before it had failed".to_owned());
        }
        // What stands before the call in the queue are descriptions of its own portal, and what they held up.
        while let Some(front) = self.session.pending.front() {
            match front {
                Pending::DescribePortal(portal) => {
                    if !response.field(response::ERROR).is_nil() && response.field(response::COLUMNS).is_nil() {
                        return self.fail(response);
                    }
                    let columns = fields::read_columns(response.field(response::COLUMNS))?;
                    write::description(columns.as_deref(), &portal.results, &mut self.out);
                    portal.describe(columns);
                }
                Pending::Parse => Backend::ParseComplete.write(&mut self.out),
                Pending::Bind => Backend::BindComplete.write(&mut self.out),
                Pending::Close => Backend::CloseComplete.write(&mut self.out),
                _ => break,
            }
            self.session.pending.pop_front();
        }
        match self.session.pending.pop_front() {
            Some(Pending::Startup) => self.let_in(response),
            Some(Pending::Describe(statement)) => self.describe(&statement, recorded),
            Some(Pending::DescribeCursor) => {
                if !response.field(response::ERROR).is_nil() {
                    return self.fail(response);
                }
                let columns = fields::read_columns(response.field(response::COLUMNS))?;
                write::description(columns.as_deref(), &[], &mut self.out);
                Ok(())
            }
            Some(Pending::Query(sql)) => self.give_all(sql, response),
            Some(Pending::Execute(portal)) => self.give(portal, response),
            Some(Pending::Function) => self.give_value(response),
            Some(Pending::Sync(_)) => {
                if !is_kin(recorded) {
                    write::notices(response, &mut self.out)?;
                    write::error(response, &mut self.out)?;
                }
                self.ready();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Answers a start-up.
    fn let_in(&mut self, response: &Message) -> Result<(), String> {
        write::notices(response, &mut self.out)?;
        if !response.field(response::ERROR).is_nil() {
            self.is_closed = true;
            return write::error(response, &mut self.out);
        }
        if self.is_newer {
            Backend::Negotiate { minor: 0, unknown: Vec::new() }.write(&mut self.out);
        }
        Backend::Authentication(0, b"").write(&mut self.out);
        write::parameters(response, &mut self.out)?;
        Backend::KeyData { pid: PID, key: &KEY }.write(&mut self.out);
        self.ready();
        Ok(())
    }

    /// Describes a statement.
    fn describe(&mut self, statement: &Arc<Prepared>, recorded: Recorded<'_>) -> Result<(), String> {
        let response = recorded.response;
        if !response.field(response::ERROR).is_nil() && (!is_kin(recorded) || is_of_parse(response)) {
            return self.fail(response);
        }
        let mut types = fields::read_types(response.field(response::PARAM_TYPES))?;
        if let (true, Some(request)) = (types.is_empty(), recorded.request) {
            types = fields::read_types(request.field(request::TYPES))?;
        }
        let columns = fields::read_columns(response.field(response::COLUMNS))?;
        Backend::ParameterDescription(types.clone()).write(&mut self.out);
        write::description(columns.as_deref(), &[], &mut self.out);
        let _ = statement.params.set(types);
        let _ = statement.columns.set(columns);
        Ok(())
    }

    /// Answers a simple query.
    fn give_all(&mut self, sql: bytes::Bytes, response: &Message) -> Result<(), String> {
        write::outcome(response, Wanted { is_described: true, formats: &[], is_brief: false }, &mut self.out)?;
        if write::is_copy_in(response) {
            self.session.pending.push_front(Pending::CopyIn(Box::new(Pending::Query(sql))));
            return Ok(());
        }
        let has_failed = !response.field(response::ERROR).is_nil();
        let status = self.session.status;
        self.session.status = status.after(&sql, write::succeeded(response), has_failed);
        write::parameters(response, &mut self.out)?;
        self.ready();
        Ok(())
    }

    /// Answers an Execute.
    fn give(&mut self, portal: Arc<super::Portal>, response: &Message) -> Result<(), String> {
        let known = fields::read_columns(response.field(response::COLUMNS))?;
        let has_failed = !response.field(response::ERROR).is_nil();
        if known.is_none() && response.field(response::ROWS).is_nil() && has_failed {
            return self.fail(response);
        }
        let wanted = Wanted { is_described: false, formats: &portal.results, is_brief: false };
        let before = self.out.len();
        if let Err(reason) = write::outcome(response, wanted, &mut self.out) {
            self.out.truncate(before);
            return Err(reason);
        }
        write::parameters(response, &mut self.out)?;
        if has_failed {
            let mut quiet = Vec::new();
            std::mem::swap(&mut quiet, &mut self.out);
            let failed = self.fail(response);
            self.out = quiet;
            return failed;
        }
        if write::is_copy_in(response) {
            self.session.pending.push_front(Pending::CopyIn(Box::new(Pending::Execute(portal))));
            return Ok(());
        }
        if statements(&portal.statement.sql).next().is_some() && response.field(response::SUSPENDED).as_int() != Some(1)
        {
            self.session.status = self.session.status.after(&portal.statement.sql, 1, false);
        }
        Ok(())
    }

    fn give_value(&mut self, response: &Message) -> Result<(), String> {
        write::notices(response, &mut self.out)?;
        if response.field(response::ERROR).is_nil() {
            Backend::FunctionResult(function_value(response.field(response::VALUE))?).write(&mut self.out);
        }
        write::error(response, &mut self.out)?;
        self.ready();
        Ok(())
    }
}

/// What a function call gave, as it is sent.
pub(in super::super) fn function_value(value: &Value) -> Result<Option<&[u8]>, &'static str> {
    match value {
        Value::Null | Value::Nil => Ok(None),
        value => value.as_bytes().map(Some).ok_or("the value of a function call must be a text"),
    }
}

/// Whether an answer is that of a call that ran the statement, where the client only prepares it.
fn is_kin(recorded: Recorded<'_>) -> bool {
    recorded.request.is_some_and(|request| request.field(request::OPERATION).as_bytes() == Some(b"query"))
}

/// Whether a statement cannot even be prepared: class 42, a syntax error or an access rule violation.
fn is_of_parse(response: &Message) -> bool {
    response.field(response::SQLSTATE).as_bytes().is_some_and(|code| code.starts_with(b"42"))
}

/// Whether the server ends the session with this answer.
fn is_last(response: &Message) -> bool {
    let severity = response.field(response::ERROR).entry("severity").and_then(Value::as_bytes);
    matches!(severity, Some(b"FATAL" | b"PANIC"))
}

/// A call whose answer describes the same statement: one that ran it.
fn kin(request: &Message) -> Option<Box<Message>> {
    if request.field(request::OPERATION).as_bytes() != Some(b"prepare") {
        return None;
    }
    let mut kin = Message::new(&SCHEMA, Side::Request);
    kin.put(request::OPERATION, text("query"));
    kin.put(request::SQL, request.field(request::SQL).clone());
    Some(Box::new(kin))
}

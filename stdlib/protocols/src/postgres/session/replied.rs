//! The server's messages.

use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::super::SCHEMA;
use super::super::fields::{Described, report};
use super::super::outcome::Outcomes;
use super::super::slots::response;
use super::super::sql::Status;
use super::super::types::{self, Format};
use super::super::wire::{Backend, Column};
use super::{Heard, Pending, Prepared, Result, Session, flow};
use crate::{Malformed, Message, Pairing};

impl Session {
    pub(super) fn replied(&mut self, message: Backend<'_>, len: usize, wants_rows: bool) -> Result<Heard> {
        // What may come at any time (section 55.2.7).
        match &message {
            Backend::Notification { channel, payload, .. } => return Ok(self.notification(channel, payload, len)),
            Backend::Notice(fields) if self.pending.is_empty() => return Ok(self.notice(report(fields), len)),
            Backend::Notice(fields) => {
                self.outcomes.notice(report(fields));
                return Ok(self.part(Side::Response, len));
            }
            Backend::ParameterStatus(name, value) if self.pending.is_empty() => {
                self.outcomes.parameter(name, value);
                return Ok(self.unasked(len));
            }
            Backend::ParameterStatus(name, value) => {
                self.outcomes.parameter(name, value);
                return Ok(self.part(Side::Response, len));
            }
            _ => {}
        }
        match self.pending.front() {
            // The end of a session that the server ends of its own accord.
            None => match message {
                Backend::Error(fields) => Ok(self.notice(report(&fields), len)),
                _ => Err(flow("a message that answers nothing")),
            },
            Some(Pending::CopyIn(_)) => Ok(Heard::Incomplete),
            Some(Pending::Startup) => self.starting(message, len),
            Some(Pending::Query(_)) => self.querying(message, len, wants_rows),
            Some(Pending::Execute(_)) => self.executing(message, len, wants_rows),
            Some(_) => self.acknowledged(message, len),
        }
    }

    /// Closes the call at the front.
    fn close(&mut self, len: usize) -> Heard {
        self.pending.pop_front();
        let outcomes = std::mem::take(&mut self.outcomes);
        let len = self.whole_len(Side::Response, len);
        Heard::Message(outcomes.into_message(len))
    }

    fn notification(&mut self, channel: &[u8], payload: &[u8], len: usize) -> Heard {
        let mut message = Message::new(&SCHEMA, Side::Response);
        message.put(response::CHANNEL, Value::text(channel));
        message.put(response::PAYLOAD, Value::text(payload));
        message.wire_len = len as u64;
        self.pairing = Some(Pairing::Push);
        Heard::Message(message)
    }

    /// What the server says unasked.
    fn notice(&mut self, report: Value, len: usize) -> Heard {
        self.outcomes.notice(report);
        self.unasked(len)
    }

    /// Gives out what was said outside of any call.
    fn unasked(&mut self, len: usize) -> Heard {
        self.pairing = Some(Pairing::Push);
        let outcomes = std::mem::take(&mut self.outcomes);
        let whole_len = self.whole_len(Side::Response, len);
        let message = outcomes.into_message(whole_len);
        if len > 0 { Heard::Message(message) } else { Heard::Before(message) }
    }

    fn starting(&mut self, message: Backend<'_>, len: usize) -> Result<Heard> {
        match message {
            Backend::Authentication(method, _) => {
                if let Some(method) = method_name(method) {
                    self.outcomes.auth(method);
                }
            }
            Backend::KeyData { .. } | Backend::Negotiate { .. } => {}
            Backend::Error(fields) => {
                self.outcomes.fail(report(&fields));
                return Ok(self.close(len));
            }
            Backend::Ready(status) => {
                self.status = Status::of(status);
                return Ok(self.close(len));
            }
            _ => return Err(flow("a message that does not belong into a start-up")),
        }
        Ok(self.part(Side::Response, len))
    }

    /// A simple query: everything up to ReadyForQuery.
    fn querying(&mut self, message: Backend<'_>, len: usize, wants_rows: bool) -> Result<Heard> {
        match message {
            Backend::Error(fields) => {
                let is_last = is_fatal(&fields);
                self.outcomes.fail(report(&fields));
                if is_last {
                    return Ok(self.close(len));
                }
            }
            Backend::Ready(status) => {
                self.status = Status::of(status);
                return Ok(self.close(len));
            }
            Backend::CopyIn(copy) => {
                self.outcomes.copy(copy, true);
                return Ok(self.begin_copy(len));
            }
            Backend::CopyBoth(copy) => {
                self.outcomes.copy(copy, true);
                self.pairing = Some(Pairing::Upgrades);
                return Ok(self.close(len));
            }
            other => self.result(other, wants_rows)?,
        }
        Ok(self.part(Side::Response, len))
    }

    /// What a statement gives, however it was sent.
    fn result(&mut self, message: Backend<'_>, wants_rows: bool) -> Result<()> {
        match message {
            Backend::RowDescription(columns) => self.outcomes.describe(&columns),
            Backend::DataRow(cells) if wants_rows => self.outcomes.row(&cells),
            Backend::DataRow(_) => {}
            Backend::CommandComplete(tag) => self.outcomes.complete(tag),
            Backend::EmptyQuery => self.outcomes.complete(b""),
            Backend::CopyOut(copy) => self.outcomes.copy(copy, false),
            Backend::CopyData(bytes) if wants_rows => self.outcomes.copy_data(bytes),
            Backend::CopyData(_) | Backend::CopyDone => {}
            _ => return Err(flow("a message that does not belong to a query")),
        }
        Ok(())
    }

    /// From now on the client sends data, and then the rest of the call is answered.
    fn begin_copy(&mut self, len: usize) -> Heard {
        let Some(front) = self.pending.pop_front() else { return Heard::Skip };
        // The server passes over a Sync that was sent with the command.
        if let (Pending::Execute(_), Some(Pending::Sync(_))) = (&front, self.pending.front()) {
            self.pending.pop_front();
        }
        self.pending.push_front(Pending::CopyIn(Box::new(front)));
        let outcomes = std::mem::take(&mut self.outcomes);
        let len = self.whole_len(Side::Response, len);
        Heard::Message(outcomes.into_message(len))
    }

    /// One statement of the extended protocol.
    fn executing(&mut self, message: Backend<'_>, len: usize, wants_rows: bool) -> Result<Heard> {
        let Some(Pending::Execute(portal)) = self.pending.front() else { return Err(flow("no statement")) };
        let portal = portal.clone();
        match message {
            Backend::Error(fields) => return self.failed(report(&fields), len),
            Backend::CopyIn(copy) => {
                self.outcomes.copy(copy, true);
                return Ok(self.begin_copy(len));
            }
            Backend::PortalSuspended => {
                self.show_columns(&portal);
                self.outcomes.suspend();
                return Ok(self.close(len));
            }
            Backend::DataRow(_) | Backend::CommandComplete(_) | Backend::EmptyQuery => self.show_columns(&portal),
            _ => {}
        }
        let is_last = matches!(message, Backend::CommandComplete(_) | Backend::EmptyQuery);
        self.result(message, wants_rows)?;
        if is_last {
            self.status = self.status.after(&portal.statement.sql, 1, false);
            return Ok(self.close(len));
        }
        Ok(self.part(Side::Response, len))
    }

    /// Says what is known of a portal's columns before its first row.
    fn show_columns(&mut self, portal: &super::Portal) {
        if self.outcomes.is_fresh() {
            match portal.columns() {
                Some(columns) => self.outcomes.described(columns, &portal.results),
                None => self.outcomes.undescribed(&portal.results),
            }
        }
    }

    /// An error in the extended protocol: the server passes over everything up to the next Sync.
    fn failed(&mut self, report: Value, len: usize) -> Result<Heard> {
        if self.status == Status::Transaction {
            self.status = Status::Failed;
        }
        self.outcomes.fail(report);
        let mut is_answered = false;
        loop {
            match self.pending.front() {
                None => {
                    self.is_skipping = true;
                    break;
                }
                Some(Pending::Sync(true)) if !is_answered => {
                    is_answered = true;
                    // The call that it answers is told of now; ReadyForQuery is still to come.
                    if let Some(front) = self.pending.front_mut() {
                        *front = Pending::Sync(false);
                    }
                    break;
                }
                Some(Pending::Sync(_)) => break,
                Some(front) => {
                    if front.is_call() && std::mem::replace(&mut is_answered, true) {
                        self.skipped = self.skipped.saturating_add(1);
                    }
                    self.pending.pop_front();
                }
            }
        }
        if !is_answered {
            // No call was made yet that it could be the answer to; those that come before Sync are passed over.
            self.outcomes = Outcomes::default();
            return Ok(Heard::Skip);
        }
        let outcomes = std::mem::take(&mut self.outcomes);
        let len = self.whole_len(Side::Response, len);
        Ok(Heard::Message(outcomes.into_message(len)))
    }

    /// What acknowledges a message, or describes what it names.
    fn acknowledged(&mut self, message: Backend<'_>, len: usize) -> Result<Heard> {
        let Some(front) = self.pending.front() else { return Err(flow("nothing to acknowledge")) };
        let is_due = match (&message, front) {
            (Backend::ParseComplete, Pending::Parse)
            | (Backend::BindComplete, Pending::Bind)
            | (Backend::CloseComplete, Pending::Close) => true,
            (Backend::RowDescription(columns), Pending::DescribePortal(portal)) => {
                portal.describe(Some(described(columns)));
                true
            }
            (Backend::NoData, Pending::DescribePortal(portal)) => {
                portal.describe(None);
                true
            }
            _ => false,
        };
        if is_due {
            self.pending.pop_front();
            return Ok(Heard::Skip);
        }
        match (message, front) {
            (message, Pending::Function) => self.called(message, len),
            (Backend::Error(fields), _) => self.failed(report(&fields), len),
            (message, Pending::Describe(statement)) => {
                let statement = statement.clone();
                self.describing(message, &statement, len)
            }
            (Backend::RowDescription(columns), Pending::DescribeCursor) => {
                self.outcomes.prepared(Some(&described(&columns)));
                Ok(self.close(len))
            }
            (Backend::NoData, Pending::DescribeCursor) => {
                self.outcomes.prepared(None);
                Ok(self.close(len))
            }
            (Backend::Ready(status), Pending::Sync(is_call)) => {
                let is_call = *is_call;
                Ok(self.synchronised(status, is_call, len))
            }
            _ => Err(not_due()),
        }
    }

    /// What a function call gave.
    fn called(&mut self, message: Backend<'_>, len: usize) -> Result<Heard> {
        match message {
            Backend::Error(fields) => self.outcomes.fail(report(&fields)),
            Backend::FunctionResult(value) => {
                let value = value.map_or(Value::Null, |bytes| types::decode(0, Format::Binary, bytes));
                self.outcomes.value(value);
            }
            Backend::Ready(status) => {
                self.status = Status::of(status);
                return Ok(self.close(len));
            }
            _ => return Err(not_due()),
        }
        Ok(self.part(Side::Response, len))
    }

    /// The types of a statement's parameters, then its columns.
    fn describing(&mut self, message: Backend<'_>, statement: &Prepared, len: usize) -> Result<Heard> {
        let columns = match message {
            Backend::ParameterDescription(ids) => {
                let _ = statement.params.set(ids.clone());
                self.outcomes.param_types(&ids);
                return Ok(self.part(Side::Response, len));
            }
            Backend::RowDescription(columns) => Some(described(&columns)),
            Backend::NoData => None,
            _ => return Err(not_due()),
        };
        self.outcomes.prepared(columns.as_deref());
        let _ = statement.columns.set(columns);
        Ok(self.close(len))
    }

    /// ReadyForQuery, which may answer a call.
    fn synchronised(&mut self, status: u8, is_call: bool, len: usize) -> Heard {
        if !is_call && !self.outcomes.is_empty() {
            // Settings are told of at the end of a batch, when its calls are answered.
            return self.unasked(0);
        }
        if self.skipped > 0 {
            self.skipped = self.skipped.saturating_sub(1);
            return Heard::Before(Outcomes::skipped().into_message(0));
        }
        self.status = Status::of(status);
        if is_call {
            return self.close(len);
        }
        self.pending.pop_front();
        Heard::Skip
    }
}

fn not_due() -> Malformed {
    flow("a message that is not the one that is due")
}

/// Whether the server ends the session with an error, so that ReadyForQuery does not come (section 55.8).
fn is_fatal(fields: &[(u8, &[u8])]) -> bool {
    fields.iter().any(|(letter, text)| matches!(letter, b'S' | b'V') && matches!(*text, b"FATAL" | b"PANIC"))
}

fn described(columns: &[Column<'_>]) -> Vec<Described> {
    columns.iter().map(Described::of).collect()
}

/// The word for how a server asks for a password; none for the steps that follow (section 55.7, Authentication).
fn method_name(method: u32) -> Option<&'static str> {
    match method {
        0 | 8 | 11 | 12 => None,
        2 => Some("kerberos"),
        3 => Some("password"),
        5 => Some("md5"),
        7 => Some("gss"),
        9 => Some("sspi"),
        10 => Some("scram-sha-256"),
        _ => Some("other"),
    }
}

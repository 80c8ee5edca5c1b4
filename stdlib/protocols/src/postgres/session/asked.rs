//! The client's messages.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_lang::value::Value;

use super::super::slots::request;
use super::super::text;
use super::super::types::{self, Format};
use super::super::wire::{Frontend, Target};
use super::{Heard, PENDING_MAX, Pending, Portal, Prepared, Result, Session, flow};
use crate::{Message, Pairing};

impl Session {
    pub(super) fn asked(&mut self, message: Frontend<'_>, len: usize) -> Result<Heard> {
        if let Some(Pending::CopyIn(_)) = self.pending.front() {
            return self.asked_in_copy(&message, len);
        }
        match message {
            Frontend::Ssl | Frontend::Gss => self.expect(Pending::Encryption)?,
            Frontend::Cancel { .. } => return Ok(self.cancel(len)),
            Frontend::Startup { parameters, .. } => return self.startup(&parameters, len),
            Frontend::Password(_) | Frontend::Flush | Frontend::Terminate => {}
            Frontend::Query(sql) => return self.query(sql, len),
            Frontend::Parse { name, sql, types } => self.parse(name, sql, types)?,
            Frontend::Bind { portal, statement, formats, params, results } => {
                let statement = self.statements.get(statement).cloned().unwrap_or_default();
                let params = statement.values(&formats, &params);
                let bound =
                    Portal { statement, params, results, columns: OnceLock::new(), is_run: AtomicBool::new(false) };
                keep(&mut self.portals, portal, Arc::new(bound))?;
                self.owe(Pending::Bind)?;
            }
            Frontend::Describe(Target::Statement, name) => return self.describe(name, len),
            Frontend::Describe(Target::Portal, name) => match self.portals.get(name).cloned() {
                Some(portal) => self.owe(Pending::DescribePortal(portal))?,
                None => return self.describe_cursor(name, len),
            },
            Frontend::Execute { portal, rows_max } => return self.execute(portal, rows_max, len),
            Frontend::Close(target, name) => {
                match target {
                    Target::Statement => drop(self.statements.remove(name)),
                    Target::Portal => drop(self.portals.remove(name)),
                }
                self.owe(Pending::Close)?;
            }
            Frontend::Sync => return self.sync(len),
            // The server may not have answered the COPY yet; after a COPY that failed it passes over what is left of the data.
            Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_) => {
                let may_begin = self.pending.iter().any(|one| matches!(one, Pending::Query(_) | Pending::Execute(_)));
                return Ok(if may_begin { Heard::Incomplete } else { Heard::Skip });
            }
            Frontend::Function { id, formats, args, .. } => return self.function(id, &formats, &args, len),
        }
        Ok(Heard::Skip)
    }

    /// Expects an answer, unless the server passes over the message.
    fn owe(&mut self, pending: Pending) -> Result<()> {
        if self.is_skipping { Ok(()) } else { self.expect(pending) }
    }

    /// Opens a call, which the server may pass over.
    fn open(&mut self, mut message: Message, pending: Pending, len: usize) -> Result<Heard> {
        message.wire_len = self.whole_len(Side::Request, len);
        if self.is_skipping {
            self.skipped = self.skipped.saturating_add(1);
        } else {
            self.expect(pending)?;
        }
        Ok(Heard::Message(message))
    }

    fn cancel(&mut self, len: usize) -> Heard {
        self.is_cancel = true;
        let mut message = self.call("cancel");
        message.wire_len = self.whole_len(Side::Request, len);
        self.pairing = Some(Pairing::OneWay);
        Heard::Message(message)
    }

    fn startup(&mut self, parameters: &[(&[u8], &[u8])], len: usize) -> Result<Heard> {
        self.has_begun = true;
        let find = |wanted: &[u8]| parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        self.user = Bytes::copy_from_slice(find(b"user").unwrap_or_default());
        // The default is the user's name (section 55.7, StartupMessage).
        self.database =
            find(b"database").filter(|name| !name.is_empty()).map_or(self.user.clone(), Bytes::copy_from_slice);
        let mut message = self.call("startup");
        let others = parameters.iter().filter(|(name, _)| *name != b"user" && *name != b"database");
        let others: Vec<_> = others.map(|(name, value)| (Value::text(name), Value::text(value))).collect();
        if !others.is_empty() {
            message.put(request::OPTIONS, Value::Map(others));
        }
        self.open(message, Pending::Startup, len)
    }

    fn query(&mut self, sql: &[u8], len: usize) -> Result<Heard> {
        let sql = Bytes::copy_from_slice(sql);
        let mut message = self.call_in_state("query", &sql);
        message.put(request::MODE, text("simple"));
        // A simple query ends the unnamed statement and portal (section 55.2.3).
        self.statements.remove(b"".as_slice());
        self.portals.remove(b"".as_slice());
        self.open(message, Pending::Query(sql), len)
    }

    fn parse(&mut self, name: &[u8], sql: &[u8], declared: Vec<u32>) -> Result<()> {
        let statement = Prepared { sql: Bytes::copy_from_slice(sql), declared, ..Prepared::default() };
        let statement = Arc::new(statement);
        self.prepared = Some(statement.clone());
        keep(&mut self.statements, name, statement)?;
        self.owe(Pending::Parse)
    }

    fn describe(&mut self, name: &[u8], len: usize) -> Result<Heard> {
        let statement = self.statements.get(name).cloned().unwrap_or_default();
        self.prepared = None;
        let message = self.prepare(&statement);
        self.open(message, Pending::Describe(statement), len)
    }

    pub(super) fn prepare(&self, statement: &Prepared) -> Message {
        let mut message = self.call_in_state("prepare", &statement.sql);
        message.put(request::TYPES, super::super::fields::type_names(&statement.declared));
        message
    }

    /// A portal that SQL made: DECLARE.
    fn describe_cursor(&mut self, name: &[u8], len: usize) -> Result<Heard> {
        let mut message = self.call("describe");
        message.put(request::CURSOR, Value::text(name));
        message.put(request::STATE, text(self.status_of_next().name()));
        self.open(message, Pending::DescribeCursor, len)
    }

    fn execute(&mut self, name: &[u8], rows_max: u32, len: usize) -> Result<Heard> {
        let known = self.portals.get(name).cloned();
        let is_cursor = known.is_none();
        let portal = known.unwrap_or_default();
        self.prepared = None;
        let operation = if portal.is_run.swap(true, Ordering::Relaxed) || is_cursor { "fetch" } else { "query" };
        let mut message = self.call_in_state(operation, &portal.statement.sql);
        if is_cursor {
            message.put(request::CURSOR, Value::text(name));
        }
        message.put(request::PARAMS, portal.params.clone());
        message.put(request::TYPES, portal.statement.type_names());
        message.put(request::MODE, text("extended"));
        if rows_max > 0 {
            message.put(request::ROWS_MAX, Value::Int(rows_max.into()));
        }
        self.open(message, Pending::Execute(portal), len)
    }

    fn sync(&mut self, len: usize) -> Result<Heard> {
        self.is_skipping = false;
        match self.prepared.take() {
            Some(statement) => {
                let message = self.prepare(&statement);
                self.open(message, Pending::Sync(true), len)
            }
            None => {
                self.expect(Pending::Sync(false))?;
                Ok(Heard::Skip)
            }
        }
    }

    fn function(&mut self, id: u32, formats: &[u16], args: &[Option<&[u8]>], len: usize) -> Result<Heard> {
        let mut message = self.call("function");
        message.put(request::FUNCTION, Value::Int(id.into()));
        message.put(request::STATE, text(self.status_of_next().name()));
        let value = |(index, cell): (usize, &Option<&[u8]>)| match cell {
            None => Value::Null,
            Some(bytes) => types::decode(0, Format::nth(formats, index).unwrap_or(Format::Text), bytes),
        };
        message.put(request::PARAMS, Value::List(args.iter().enumerate().map(value).collect()));
        self.open(message, Pending::Function, len)
    }

    /// While the server waits for the data of a COPY (section 55.2.6).
    fn asked_in_copy(&mut self, message: &Frontend<'_>, len: usize) -> Result<Heard> {
        let (failure, is_now) = match message {
            Frontend::CopyData(bytes) => {
                self.data.extend_from_slice(bytes);
                return Ok(self.part(Side::Request, len));
            }
            // The server ignores these until the data has ended.
            Frontend::Flush | Frontend::Sync => return Ok(self.part(Side::Request, len)),
            Frontend::CopyDone => (None, true),
            Frontend::CopyFail(reason) => (Some(*reason), true),
            // Any other message ends it: the server fails the COPY.
            _ => (Some(b"abandoned".as_slice()), false),
        };
        let Some(Pending::CopyIn(then)) = self.pending.pop_front() else { return Err(flow("no COPY")) };
        let mut call = self.call("copy");
        call.put(request::SQL, Value::text(then.sql()));
        call.put(request::STATE, text(self.status.name()));
        call.put(request::DATA, Value::Str(std::mem::take(&mut self.data).into()));
        call.put(request::FAILURE, failure.map_or(Value::Nil, Value::text));
        call.wire_len = self.whole_len(Side::Request, if is_now { len } else { 0 });
        self.pending.push_front(*then);
        Ok(if is_now { Heard::Message(call) } else { Heard::Before(call) })
    }
}

/// Keeps a statement or a portal under its name.
fn keep<T>(named: &mut std::collections::HashMap<Bytes, T>, name: &[u8], value: T) -> Result<()> {
    if named.len() >= PENDING_MAX && !named.contains_key(name) {
        return Err(flow(format!("more than {PENDING_MAX} statements or portals")));
    }
    named.insert(Bytes::copy_from_slice(name), value);
    Ok(())
}

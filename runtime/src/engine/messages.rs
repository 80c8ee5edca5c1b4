//! Message probes: compiled clauses run over decoded exchanges.
//!
//! A clause's predicate and body are native functions over the flat record; what they print and count goes through [`Host`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reel_compiler::ir::{Inst, OutputId};
use reel_compiler::jit::{Native, Record};
use reel_compiler::lower::{NativeClause, NativeModule};
use reel_compiler::native::maps::Cell as NativeCell;
use reel_compiler::native::{Host, Maps};
use reel_lang::env::{AttachPoint, ProbeKind};
use reel_lang::hir::{self, Event, Header, MapId, MessageProbe};
use reel_lang::schema::{Schema, Side, conn};
use reel_lang::value::Value;
use reel_probes::catalog;
use reel_probes::programs::Transports;
use reel_protocols::conversation::{Config, Timed};
use reel_protocols::record::Conn;
use reel_protocols::{Demand, Message, Protocol, has_datagrams, protocols};

use super::clock::Clock;
use super::screen::Store;
use crate::capture::connections::Moment;
use crate::capture::conversations::Heard;
use crate::exit::{Exit, Failure};
use crate::output::decode::decode;
use crate::output::map::{Cell, Entry};

/// The message clauses of a program, compiled.
pub struct Messages {
    module: NativeModule,
    native: Native,
    probes: Vec<(MessageProbe, NativeClause)>,
    moments: Vec<(When, NativeClause)>,
    state: State,
}

/// When a clause runs that waits for no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Begin,
    End,
    Every(Duration),
}

impl When {
    fn of(point: &AttachPoint) -> When {
        match point.kind {
            ProbeKind::End => When::End,
            _ => catalog::period(point).map_or(When::Begin, When::Every),
        }
    }
}

/// What running clauses change.
struct State {
    maps: Maps,
    emitted: Vec<(usize, Vec<Value>)>,
    outputs: Vec<reel_compiler::ir::Output>,
    clock: Clock,
}

impl Messages {
    /// Compiles the message clauses of a program; none where it has none.
    ///
    /// # Errors
    /// A fault of ours: the checker has passed the program.
    pub fn compile(program: &hir::Program, module: NativeModule) -> Result<Option<Messages>, Failure> {
        let (mut probes, mut moments) = (Vec::new(), Vec::new());
        for clause in &module.clauses {
            match program.clauses.iter().find(|other| other.id == clause.clause).map(|found| &found.header) {
                Some(Header::Message(probe)) => probes.push((probe.clone(), clause.clone())),
                Some(Header::Kernel(points)) => {
                    moments.extend(points.iter().map(|point| (When::of(point), clause.clone())));
                }
                _ => {}
            }
        }
        if probes.is_empty() && moments.is_empty() {
            return Ok(None);
        }
        let clock = Clock::live();
        let native = Native::compile(&module.module)
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot make native code: {error}")))?;
        let state = State {
            maps: Maps::new(&module.module.maps),
            emitted: Vec::new(),
            outputs: module.module.outputs.clone(),
            clock,
        };
        Ok(Some(Messages { module, native, probes, moments, state }))
    }

    /// How many probes there are.
    pub fn count(&self) -> usize {
        self.probes.len() + self.moments.len()
    }

    /// Whether there is a clause on messages, and not only on moments.
    pub fn listens(&self) -> bool {
        !self.probes.is_empty()
    }

    /// What must be captured for them: datagrams only where a clause listens to a protocol of theirs.
    pub fn transports(&self) -> Transports {
        let wants = self.probes.iter().any(|(probe, _)| has_datagrams(&probe.protocol));
        if wants { Transports::TcpAndUdp } else { Transports::Tcp }
    }

    /// How conversations are decoded for these clauses: a field that none of them reads is left alone.
    pub fn config(&self) -> Arc<Config> {
        let wanted = |protocol: &'static dyn Protocol| {
            let of = self.probes.iter().filter(|(probe, _)| probe.protocol == protocol.schema().protocol);
            let functions = of.flat_map(|(_, clause)| clause.predicate.into_iter().chain(clause.body));
            (protocol, Demand(functions.fold(0, |mask, function| mask | self.fields_of(function))))
        };
        Arc::new(Config { protocols: protocols().iter().copied().map(wanted).collect(), ..Config::default() })
    }

    /// The fields that a function reads, a bit each; those beyond the 63rd are always decoded.
    fn fields_of(&self, function: u32) -> u64 {
        let blocks = self.module.module.functions.get(function as usize).map_or(&[][..], |found| &found.blocks);
        let insts = blocks.iter().flat_map(|block| &block.insts);
        insts.fold(0, |mask, (inst, _)| match inst {
            Inst::Field { field, .. } if field.0 < 64 => mask | 1 << field.0,
            _ => mask,
        })
    }

    /// Sets the time that clauses see.
    pub fn set_clock(&mut self, clock: Clock) {
        self.state.clock = clock;
    }

    /// The clauses that run natively besides those on messages, by their index.
    pub fn moments(&self) -> impl Iterator<Item = (usize, When)> + '_ {
        self.moments.iter().enumerate().map(|(index, (when, _))| (index, *when))
    }

    /// Runs one of [`Messages::moments`], at a time.
    pub fn moment(&mut self, index: usize, now_ns: u64) {
        if let Some((_, clause)) = self.moments.get(index) {
            self.state.clock.now_ns = now_ns;
            run(&self.native, clause, &Record::new(), &mut self.state);
        }
    }

    /// The outputs of the clauses.
    pub fn outputs(&self) -> &[reel_compiler::ir::Output] {
        &self.module.module.outputs
    }

    /// Runs every clause that an exchange concerns.
    pub fn exchange(&mut self, heard: &Heard, comm: &str) {
        let protocol = heard.exchange.protocol;
        let request = heard.exchange.request.as_ref();
        let response = heard.exchange.response.as_ref();
        for (probe, clause) in &self.probes {
            if probe.protocol != protocol.schema().protocol
                || probe.direction.is_some_and(|direction| direction != heard.ends.direction)
            {
                continue;
            }
            let (request, response) = match probe.event {
                Event::Request => (request, None),
                // A response knows what it answers.
                Event::Response | Event::Exchange => (request, response),
            };
            let is_whole = match probe.event {
                Event::Request => request.is_some(),
                Event::Response => response.is_some(),
                Event::Exchange => request.is_some() && response.is_some(),
            };
            let Some(last) = response.or(request).filter(|_| is_whole) else { continue };
            self.state.clock.now_ns = last.last_ns;
            let conn = conn_values(heard, probe.event, comm);
            let record = record(protocol.schema(), &conn, request.map(message), response.map(message));
            run(&self.native, clause, &record, &mut self.state);
        }
    }

    /// What the clauses have emitted since the last call.
    pub fn events(&mut self) -> Vec<(usize, Vec<Value>)> {
        std::mem::take(&mut self.state.emitted)
    }

    fn map_index(&self, id: MapId) -> Option<u32> {
        self.module.module.maps.iter().position(|def| def.script == Some(id)).map(|index| index as u32)
    }

    /// The entries of a script's map; none where no message clause has it.
    pub fn map(&self, id: MapId) -> Option<Vec<Entry>> {
        let index = self.map_index(id)?;
        let entry = |(key, cell): (&[Value], &NativeCell)| Entry {
            key: key.to_vec(),
            cell: match cell {
                NativeCell::Plain(value) => Cell::Value(value.clone()),
                NativeCell::Agg(state) => Cell::Agg(state.value()),
            },
        };
        Some(self.state.maps.entries(index).map(entry).collect())
    }

    /// Empties a map.
    pub fn clear(&mut self, id: MapId) {
        if let Some(index) = self.map_index(id) {
            self.state.maps.clear(index);
        }
    }

    /// Sets the values of a map to zero.
    pub fn zero(&mut self, id: MapId) {
        if let Some(index) = self.map_index(id) {
            self.state.maps.zero(index);
        }
    }
}

impl Store for Messages {
    fn entries(&self, id: MapId) -> io::Result<Option<Vec<Entry>>> {
        Ok(self.map(id))
    }

    fn clear(&mut self, id: MapId) -> io::Result<()> {
        Messages::clear(self, id);
        Ok(())
    }

    fn zero(&mut self, id: MapId) -> io::Result<()> {
        Messages::zero(self, id);
        Ok(())
    }
}

fn run(native: &Native, clause: &NativeClause, record: &Record<'_>, state: &mut State) {
    let holds = clause.predicate.is_none_or(|function| native.call(function as usize, record, state) != 0);
    if holds && let Some(body) = clause.body {
        native.call(body as usize, record, state);
    }
}

fn message(timed: &Timed<Moment>) -> &Message {
    &timed.message
}

/// The fields of a connection, as its own end of the exchange knows them when the event is there.
fn conn_values(heard: &Heard, event: Event, comm: &str) -> Conn {
    let exchange = &heard.exchange;
    let first = exchange.request.as_ref().or(exchange.response.as_ref());
    let latency = match (&exchange.request, &exchange.response) {
        (Some(request), Some(response)) if event != Event::Request => {
            Value::Duration(i64::try_from(response.last_ns.saturating_sub(request.first_ns)).unwrap_or(i64::MAX))
        }
        _ => Value::Nil,
    };
    let measured: &[_] = match event {
        Event::Request => &[&exchange.request],
        Event::Response => &[&exchange.response],
        Event::Exchange => &[&exchange.request, &exchange.response],
    };
    let size = measured.iter().copied().flatten().map(|timed| timed.message.wire_len).sum::<u64>();
    let mut conn = Conn::default();
    let address = |conn: &mut Conn, ip, port, address: SocketAddr| {
        conn.put(ip, Value::Ip(address.ip()));
        conn.put(port, Value::Int(i64::from(address.port())));
    };
    conn.put(conn::DIRECTION, heard.ends.direction.name().into());
    address(&mut conn, conn::ADDR, conn::PORT, heard.ends.server);
    address(&mut conn, conn::PEER_ADDR, conn::PEER_PORT, heard.ends.client);
    if let Some(first) = first {
        conn.put(conn::PID, Value::Int(i64::from(first.tag.task.tgid)));
        conn.put(conn::TID, Value::Int(i64::from(first.tag.task.tid)));
        conn.put(conn::TIME, Value::Time(i64::try_from(first.first_ns).unwrap_or(i64::MAX)));
    }
    conn.put(conn::COMM, comm.into());
    conn.put(conn::LATENCY, latency);
    conn.put(conn::SIZE, Value::from(size));
    conn
}

/// The flat record of an exchange, as native code takes it.
fn record<'a>(
    schema: &Schema,
    conn: &'a Conn,
    request: Option<&'a Message>,
    response: Option<&'a Message>,
) -> Record<'a> {
    let mut record = Record::new();
    for field in &schema.fields {
        let value = match field.side {
            None => conn.values.get(field.id.0 as usize),
            Some(Side::Request) => request.map(|message| message.field(field.id)),
            Some(Side::Response) => response.map(|message| message.field(field.id)),
        };
        match value {
            Some(value) => record.push(value),
            None => record.push_nil(),
        }
    }
    record
}

impl Host for State {
    fn maps(&mut self) -> &mut Maps {
        &mut self.maps
    }

    fn builtin(&mut self, name: &'static str) -> Value {
        match name {
            "nsecs" => Value::from(self.clock.now_ns),
            "elapsed" => Value::from(self.clock.elapsed_ns()),
            _ => Value::Nil,
        }
    }

    fn call(&mut self, name: &'static str, args: &[Value]) -> Value {
        match (name, args) {
            ("strftime", [Value::Str(format), time]) => {
                let ns = time.as_int().unwrap_or(0);
                Value::text(self.clock.date(&String::from_utf8_lossy(format), ns))
            }
            _ => Value::Nil,
        }
    }

    fn emit(&mut self, output: OutputId, args: &[Value]) {
        self.emitted.push((output.0 as usize, args.to_vec()));
    }

    fn emit_record(&mut self, output: OutputId, record: &[u8]) {
        let Some(found) = self.outputs.get(output.0 as usize) else { return };
        let args = found.args.iter().map(|arg| decode(arg, record)).collect();
        self.emitted.push((output.0 as usize, args));
    }

    fn action(&mut self, _: u32, _: &[Value]) {}
}

//! Message probes: compiled clauses run over decoded exchanges.
//!
//! A clause's predicate and body are native functions over the flat record; what they print and count goes through [`Host`].

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reel_compiler::ir::{Inst, OutputId};
use reel_compiler::jit::{Native, Record};
use reel_compiler::lower::{LOOP_CUT, MAX_ROUNDS, NativeClause, NativeModule};
use reel_compiler::native::maps::Cell as NativeCell;
use reel_compiler::native::shared::Shared;
use reel_compiler::native::{Host, Maps};
use reel_compiler::plan::{self, Filters};
use reel_lang::env::{AttachPoint, ProbeKind};
use reel_lang::hir::{self, Event, Header, MapId, MessageProbe};
use reel_lang::schema::conn;
use reel_lang::value::Value;
use reel_probes::catalog;
use reel_probes::programs::Transports;
use reel_protocols::conversation::Config;
use reel_protocols::{Demand, Protocol, has_datagrams, protocols};

use super::clock::Clock;
use super::names::FIRST_NATIVE_PROBE;
use super::occurrence::Occurrence;
use super::screen::Store;
use crate::exit::{Exit, Failure};
use crate::output::decode::{AsShown, decode};
use crate::output::map::{Cell, Entry};

/// The message clauses of a program, compiled.
pub struct Messages {
    module: NativeModule,
    native: Native,
    probes: Vec<Listening>,
    moments: Vec<Moment>,
    filters: Filters,
    state: State,
    /// The memory of the last record, for the next one: a message that no clause wants costs no allocation.
    record: Record<'static>,
    /// The last thread's name, which is mostly the next one's.
    comm: Value,
}

/// A clause that listens to messages.
struct Listening {
    probe: MessageProbe,
    clause: NativeClause,
    /// The fields that it reads.
    wanted: Demand,
}

/// A clause that waits for a time, or for an end of the run.
struct Moment {
    when: When,
    /// What `probe` shows.
    name: String,
    clause: NativeClause,
}

/// What clauses on messages want of a source; the rest need not be made.
#[derive(Clone, Default)]
pub struct Wants {
    /// How conversations are decoded, where they are.
    pub config: Arc<Config>,
    pub conversations: bool,
    pub open: bool,
    pub data: bool,
    pub close: bool,
    /// Whether a clause reads the cgroup.
    pub cgroup: bool,
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
    /// Which of [`Messages::names`] runs.
    fired: usize,
    /// How often a clause was ended since its loops had no end.
    cut_loops: u64,
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
                Some(Header::Message(probe)) => {
                    let functions = clause.predicate.into_iter().chain(clause.body);
                    let wanted = functions.fold(0, |mask, function| mask | fields_of(&module, function));
                    probes.push(Listening { probe: probe.clone(), clause: clause.clone(), wanted: Demand(wanted) });
                }
                Some(Header::Kernel(points)) => {
                    moments.extend(points.iter().map(|point| Moment {
                        when: When::of(point),
                        name: point.name.clone(),
                        clause: clause.clone(),
                    }));
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
            fired: 0,
            cut_loops: 0,
        };
        let record = Record::new();
        let filters = plan::heard(program);
        Ok(Some(Messages { module, native, probes, moments, filters, state, record, comm: Value::Nil }))
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
        let wants = self.probes.iter().any(|one| has_datagrams(&one.probe.protocol));
        if wants { Transports::TcpAndUdp } else { Transports::Tcp }
    }

    /// Which connections a clause can want.
    pub fn filters(&self) -> &Filters {
        &self.filters
    }

    /// How conversations are decoded for these clauses: a field that none of them reads is left alone.
    fn config(&self) -> Arc<Config> {
        let wanted = |protocol: &'static dyn Protocol| {
            let is_of = |probe: &MessageProbe| probe.event.is_message() && probe.protocol == protocol.schema().protocol;
            let of = self.probes.iter().filter(|one| is_of(&one.probe));
            (protocol, Demand(of.fold(0, |mask, one| mask | one.wanted.0)))
        };
        let tells_breaches = self.is_on(Event::Error);
        let protocols = protocols().iter().copied().map(wanted).collect();
        Arc::new(Config { protocols, tells_breaches, ..Config::default() })
    }

    /// What the clauses are on, and ask for.
    pub fn wants(&self) -> Wants {
        Wants {
            config: self.config(),
            conversations: self.is_on(Event::Error) || Event::MESSAGES.into_iter().any(|event| self.is_on(event)),
            open: self.is_on(Event::Open),
            data: self.is_on(Event::Data),
            close: self.is_on(Event::Close),
            cgroup: self.probes.iter().any(|one| one.wanted.wants(conn::CGROUP)),
        }
    }

    fn is_on(&self, event: Event) -> bool {
        self.probes.iter().any(|one| one.probe.event == event)
    }

    /// Sets the time that clauses see.
    pub fn set_clock(&mut self, clock: Clock) {
        self.state.clock = clock;
    }

    /// The clauses that run natively besides those on messages, by their index.
    pub fn moments(&self) -> impl Iterator<Item = (usize, When)> + '_ {
        self.moments.iter().enumerate().map(|(index, moment)| (index, moment.when))
    }

    /// What `probe` shows in each clause, from [`FIRST_NATIVE_PROBE`] on: the listening ones, then the moments.
    pub fn names(&self) -> Vec<String> {
        let listening = self.probes.iter().map(|one| one.probe.to_string());
        listening.chain(self.moments.iter().map(|moment| moment.name.clone())).collect()
    }

    /// Runs one of [`Messages::moments`], at a time.
    pub fn moment(&mut self, index: usize, now_ns: u64) {
        if let Some(Moment { clause, .. }) = self.moments.get(index) {
            self.state.clock.now_ns = now_ns;
            self.state.fired = self.probes.len() + index;
            run(&self.native, clause, &Record::new(), &mut self.state);
        }
    }

    /// The outputs of the clauses.
    pub fn outputs(&self) -> &[reel_compiler::ir::Output] {
        &self.module.module.outputs
    }

    /// Runs every clause that an occurrence concerns.
    pub fn hear(&mut self, occurrence: &Occurrence) {
        if self.comm.as_bytes() != Some(occurrence.comm.as_bytes()) {
            self.comm = occurrence.comm.as_str().into();
        }
        let mut record = std::mem::take(&mut self.record);
        for (index, Listening { probe, clause, wanted }) in self.probes.iter().enumerate() {
            let Some(seen) = occurrence.seen_by(probe, &self.comm) else { continue };
            self.state.clock.now_ns = seen.now_ns;
            self.state.fired = index;
            let filled = seen.record(record.reuse(), *wanted);
            run(&self.native, clause, &filled, &mut self.state);
            record = filled.reuse();
        }
        self.record = record;
    }

    /// What the clauses have emitted since the last call.
    pub fn events(&mut self) -> Vec<(usize, Vec<Value>)> {
        std::mem::take(&mut self.state.emitted)
    }

    fn map_index(&self, id: MapId) -> Option<u32> {
        self.module.module.maps.iter().position(|def| def.script == Some(id)).map(|index| index as u32)
    }

    /// Whether a message clause has a map.
    pub fn has_map(&self, id: MapId) -> bool {
        self.map_index(id).is_some()
    }

    /// Joins a map that kernel clauses have too with the kernel's side of it.
    pub fn share(&mut self, id: MapId, kernel: Shared) {
        if let Some(index) = self.map_index(id) {
            self.state.maps.share(index, kernel);
        }
    }

    /// The entries of a script's map, those of the kernel's side too; none where no message clause has it.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn map(&self, id: MapId) -> io::Result<Option<Vec<Entry>>> {
        let Some(index) = self.map_index(id) else { return Ok(None) };
        let entry = |(key, cell): (Vec<Value>, NativeCell)| Entry {
            key,
            cell: match cell {
                NativeCell::Plain(value) => Cell::Value(value),
                NativeCell::Agg(state) => Cell::Agg(state.value()),
            },
        };
        Ok(Some(self.state.maps.all_entries(index, &AsShown)?.into_iter().map(entry).collect()))
    }

    /// What clauses could not do, a sentence each, for people: maps that took no more, loops without an end.
    pub fn notes<'a>(&'a self, maps: &'a [hir::Map]) -> impl Iterator<Item = String> + 'a {
        let cut = (self.state.cut_loops > 0).then(|| {
            let times = self.state.cut_loops;
            format!(
                "a clause was ended {times} times since its loops made more than {MAX_ROUNDS} rounds for one message"
            )
        });
        let of_maps = maps.iter().filter_map(|map| Some((&map.name, self.map_index(map.id)?))).flat_map(|(name, index)| {
            let (full, unheld) = (self.state.maps.lost(index), self.state.maps.unheld(index));
            let full = (full > 0).then(|| format!("{name} was full: {full} updates of new keys are missing"));
            let unheld = (unheld > 0).then(|| {
                format!(
                    "{name} is shared with kernel probes: {unheld} updates had a key or a value that the kernel's side cannot hold (a \
                     text that is too long, or nil), and are missing"
                )
            });
            full.into_iter().chain(unheld)
        });
        cut.into_iter().chain(of_maps)
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
        self.map(id)
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

/// The fields that a function reads, a bit each; those beyond the 63rd are always decoded.
fn fields_of(module: &NativeModule, function: u32) -> u64 {
    let blocks = module.module.functions.get(function as usize).map_or(&[][..], |found| &found.blocks);
    let insts = blocks.iter().flat_map(|block| &block.insts);
    insts.fold(0, |mask, (inst, _)| match inst {
        Inst::Field { field, .. } if field.0 < 64 => mask | 1 << field.0,
        _ => mask,
    })
}

/// A number that nobody can tell in advance: the standard library seeds each hasher anew.
fn random() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}

fn run(native: &Native, clause: &NativeClause, record: &Record<'_>, state: &mut State) {
    let holds = clause.predicate.is_none_or(|function| native.call(function as usize, record, state) != 0);
    if holds && let Some(body) = clause.body {
        native.call(body as usize, record, state);
    }
}

impl Host for State {
    fn maps(&mut self) -> &mut Maps {
        &mut self.maps
    }

    fn builtin(&mut self, name: &'static str) -> Value {
        match name {
            "nsecs" => Value::from(self.clock.now_ns),
            "elapsed" => Value::from(self.clock.elapsed_ns()),
            "probe" => Value::from(FIRST_NATIVE_PROBE + self.fired as u64),
            "rand" => Value::Int(i64::from(random())),
            _ => Value::Nil,
        }
    }

    fn call(&mut self, name: &'static str, args: &[Value]) -> Value {
        match (name, args) {
            ("strftime", [Value::Str(format), time]) => {
                let ns = time.as_int().unwrap_or(0);
                Value::text(self.clock.date(&String::from_utf8_lossy(format), ns))
            }
            (LOOP_CUT, []) => {
                self.cut_loops += 1;
                Value::Nil
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

//! A kernel program at work: loaded, attached, its timers and its events.
//!
//! Dropping a session detaches everything. Nothing here prints; what the program emits goes to the caller as values.

use std::path::Path;
use std::time::{Duration, Instant};

use reel_compiler::bpf::{LOST_EVENTS, diagnose};
use reel_compiler::ir::{MapDef, Output};
use reel_compiler::lower::{EVENTS, START, native_shard};
use reel_lang::hir::MapId;
use reel_lang::span::SourceMap;
use reel_lang::value::Value;
use reel_probes::load::{LoadError, Loaded};
use reel_probes::maps::Map;
use reel_probes::ringbuf::RingReader;
use rustix::time::{ClockId, clock_gettime};

use super::attach::{self, Hook};
use super::compile::{Faults, Kernel};
use crate::exit::{Exit, Failure};
use crate::output::decode::decode;

/// The most points that one script attaches to; the syscalls of a wildcard count as one.
const MAX_POINTS: usize = 1024;
/// The name of the map that counts what had no room.
const LOST: &str = "lost";

/// A loaded program.
pub struct Session {
    kernel: Kernel,
    loaded: Loaded,
    ring: Option<RingReader>,
    begins: Vec<String>,
    ends: Vec<String>,
    timers: Vec<Timer>,
    attached: usize,
}

struct Timer {
    program: String,
    period: Duration,
    due: Instant,
}

impl Session {
    /// Puts a program into the kernel and attaches it.
    ///
    /// # Errors
    /// The script's fault, shown on the script, where the verifier refuses; else what this machine cannot do.
    pub fn start(kernel: Kernel, cgroup: Option<&Path>, sources: &SourceMap) -> Result<Session, Failure> {
        let loaded = Loaded::new(&kernel.object.elf).map_err(|error| failure(&kernel, error, sources))?;
        let ring = match loaded.map(EVENTS) {
            Ok(map) => Some(RingReader::new(map).map_err(|error| io_failure("read the event ring", &error))?),
            Err(_) => None,
        };
        let mut session =
            Session { kernel, loaded, ring, begins: Vec::new(), ends: Vec::new(), timers: Vec::new(), attached: 0 };
        session.set_start()?;
        session.attach(cgroup, sources)?;
        Ok(session)
    }

    /// Tells the program when it started, for `elapsed`.
    fn set_start(&self) -> Result<(), Failure> {
        let Ok(map) = self.loaded.map(START) else { return Ok(()) };
        let now = clock_gettime(ClockId::Monotonic);
        let now_ns = now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned();
        let key = vec![0; map.key_len_bytes()];
        map.update(&key, &now_ns.to_le_bytes()).map_err(|error| io_failure("set the time of start", &error))
    }

    fn attach(&mut self, cgroup: Option<&Path>, sources: &SourceMap) -> Result<(), Failure> {
        let programs = self.kernel.lowered.programs.clone();
        let points: usize = programs.iter().filter(|p| p.folded.is_none()).map(|p| p.attach.len()).sum();
        if points > MAX_POINTS {
            return Err(Failure::new(
                Exit::Usage,
                format!("the script attaches to {points} points, and the limit is {MAX_POINTS}"),
            )
            .remedy("name fewer of them: detaching a tracepoint takes the kernel some 0.1 seconds"));
        }
        for (index, program) in programs.iter().enumerate() {
            let name = attach::name(index, program);
            self.attached += program.attach.len();
            let hooks = attach::hooks(program, cgroup).map_err(|error| failure(&self.kernel, error, sources))?;
            for (hook, cookie) in hooks {
                match hook {
                    Hook::Begin => self.begins.push(name.clone()),
                    Hook::End => self.ends.push(name.clone()),
                    Hook::Interval(period) => {
                        self.timers.push(Timer { program: name.clone(), period, due: Instant::now() + period });
                    }
                    Hook::Kernel(at) => self
                        .loaded
                        .attach_with_cookie(&name, &at, cookie)
                        .map_err(|error| failure(&self.kernel, error, sources))?,
                }
            }
        }
        Ok(())
    }

    /// How many attach points there are, begin and end among them.
    pub fn attached(&self) -> usize {
        self.attached
    }

    /// Whether nothing but `begin` and `end` is there, so that there is nothing to wait for.
    pub fn is_over_after_begin(&self) -> bool {
        self.attached == self.begins.len() + self.ends.len()
    }

    /// Runs the `begin` clauses.
    ///
    /// # Errors
    /// As for [`Session::start`].
    pub fn begin(&mut self, sources: &SourceMap) -> Result<(), Failure> {
        let names = self.begins.clone();
        self.run_all(&names, sources)
    }

    /// Runs the `end` clauses.
    ///
    /// # Errors
    /// As for [`Session::start`].
    pub fn end(&mut self, sources: &SourceMap) -> Result<(), Failure> {
        let names = self.ends.clone();
        self.run_all(&names, sources)
    }

    /// Detaches everything that the kernel runs; maps stay readable, and `end` can run.
    pub fn detach(&mut self) {
        self.loaded.detach();
        self.timers.clear();
    }

    fn run_all(&mut self, names: &[String], sources: &SourceMap) -> Result<(), Failure> {
        for name in names {
            self.loaded.run_once(name).map_err(|error| failure(&self.kernel, error, sources))?;
        }
        Ok(())
    }

    /// Runs the timers that are due, and tells how long until the next is.
    ///
    /// # Errors
    /// As for [`Session::start`].
    pub fn tick(&mut self, sources: &SourceMap) -> Result<Option<Duration>, Failure> {
        let now = Instant::now();
        for timer in &mut self.timers {
            if timer.due <= now {
                // A timer that fell behind fires once and keeps its beat.
                let behind = now.duration_since(timer.due).as_nanos() / timer.period.as_nanos().max(1);
                timer.due += timer.period * u32::try_from(behind + 1).unwrap_or(u32::MAX);
                self.loaded.run_once(&timer.program).map_err(|error| failure(&self.kernel, error, sources))?;
            }
        }
        Ok(self.timers.iter().map(|timer| timer.due.saturating_duration_since(now)).min())
    }

    /// The reader of the program's records, if it emits any.
    pub fn ring(&self) -> Option<&RingReader> {
        self.ring.as_ref()
    }

    /// Takes every record that waits, as output and values.
    pub fn events(&mut self) -> Vec<(usize, Vec<Value>)> {
        let outputs = &self.kernel.lowered.module.outputs;
        let mut events = Vec::new();
        if let Some(ring) = &mut self.ring {
            ring.consume(|record| events.extend(parse(outputs, record)));
        }
        events
    }

    /// Takes every record that waits, as bytes.
    pub fn records(&mut self, mut each: impl FnMut(&[u8])) {
        if let Some(ring) = &mut self.ring {
            ring.consume(&mut each);
        }
    }

    /// The entries of a map by its name in the script, without `@`.
    pub fn map_named(&self, name: &str) -> Option<Vec<crate::output::map::Entry>> {
        let def = self.kernel.lowered.module.maps.iter().find(|def| def.script.is_some() && def.name == name)?;
        super::maps::entries(def, self.loaded.map(&def.name).ok()?).ok()
    }

    /// A map by its name in the script, without `@`, to be read by whoever needs it.
    pub fn kernel_map(&self, name: &str) -> Option<Map> {
        let def = self.kernel.lowered.module.maps.iter().find(|def| def.script.is_some() && def.name == name)?;
        self.loaded.map(&def.name).ok().cloned()
    }

    /// The descriptors that keep the program attached, for a guardian to hold.
    pub fn links(&self) -> Vec<std::os::fd::BorrowedFd<'_>> {
        self.loaded.link_fds()
    }

    /// The outputs of the program, by index.
    pub fn outputs(&self) -> &[Output] {
        &self.kernel.lowered.module.outputs
    }

    /// The names of the attach points that `probe` stands for.
    pub fn probe_names(&self) -> &[String] {
        &self.kernel.lowered.probe_names
    }

    /// The kernel's map of a script's map.
    pub fn map(&self, id: MapId) -> Option<(&MapDef, &Map)> {
        let def = self.kernel.lowered.module.maps.iter().find(|def| def.script == Some(id))?;
        self.loaded.map(&def.name).ok().map(|map| (def, map))
    }

    /// The map in which message clauses keep their shard of an aggregation, where kernel clauses read it.
    pub fn native_shard(&self, def: &MapDef) -> Option<&Map> {
        self.loaded.map(&native_shard(&def.name)).ok()
    }

    /// How many records had no room in the ring.
    pub fn lost_events(&self) -> u64 {
        let key = LOST_EVENTS.to_le_bytes();
        let shards = self.loaded.map(LOST).ok().and_then(|map| map.lookup(&key).ok().flatten()).unwrap_or_default();
        shards.iter().filter_map(|bytes| Some(u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?))).sum()
    }
}

/// Reads the head of a record and its arguments.
pub fn parse(outputs: &[Output], record: &[u8]) -> Option<(usize, Vec<Value>)> {
    let index = u32::from_le_bytes(record.get(..4)?.try_into().ok()?) as usize;
    let output = outputs.get(index)?;
    Some((index, output.args.iter().map(|arg| decode(arg, record)).collect()))
}

/// What a refusal by the kernel is to the user: the script's fault shown on the script, or this machine's limit.
pub fn failure(kernel: &Kernel, error: LoadError, sources: &SourceMap) -> Failure {
    match error {
        LoadError::Unsupported(unsupported) => {
            Failure::new(Exit::Machine, format!("{}: {}", unsupported.what, unsupported.why)).remedy(unsupported.remedy)
        }
        LoadError::Rejected(rejection) => {
            let mut diagnostics = reel_lang::diagnostic::Diagnostics::new();
            diagnostics.push(diagnose(&kernel.object, &rejection.program, &rejection.log));
            Faults(diagnostics).failure(sources)
        }
        LoadError::NoTarget(what) => Failure::new(Exit::Usage, format!("{what} does not exist on this machine"))
            .remedy("list what there is in /sys/kernel/tracing/available_events, or check the spelling"),
        other => Failure::new(Exit::Machine, other.to_string()),
    }
}

fn io_failure(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("cannot {what}: {error}"))
}

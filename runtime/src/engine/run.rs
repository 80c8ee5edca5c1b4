//! The loop of a tracing script: events, timers, signals, and the end of the command that it watches.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use reel_lang::diagnostic::Diagnostics;
use reel_lang::hir::{self, MapId};
use reel_lang::span::SourceMap;
use reel_lang::value::Value;
use reel_probes::cgroup::Cgroup;
use reel_probes::guard::Guard;
use reel_probes::spawn::{App, Spawn};
use rustix::event::{PollFd, PollFlags, poll};

use super::names::ProgramNames;
use super::printer::{Effect, Printer};
use super::session::Session;
use super::signals::{Signal, Signals};
use super::{compile, maps};
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::output::map::{Cut, Table};

/// A program to run and how to show what it says.
pub struct Request<'a> {
    pub sources: &'a SourceMap,
    pub program: hir::Program,
    pub warnings: Diagnostics,
    pub kernel: compile::Kernel,
    pub command: Option<String>,
    pub out: Box<dyn Write>,
    pub format: Format,
    pub is_quiet: bool,
}

/// A command started in a cgroup of its own; gone, with all it started, when this is dropped.
struct Watched {
    app: App,
    cgroup: Option<Cgroup>,
    guard: Option<Guard>,
}

impl Watched {
    fn start(command: &str) -> Result<Watched, Failure> {
        let cgroup = Cgroup::create().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
        let guard = Guard::start(&cgroup, &[])
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot start the guardian: {error}")))?;
        let app = Spawn::new(&["/bin/sh", "-c", &format!("exec {command}")])
            .and_then(|mut spawn| spawn.start(&cgroup))
            .map_err(|error| Failure::new(Exit::App, error.to_string()))?;
        Ok(Watched { app, cgroup: Some(cgroup), guard: Some(guard) })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(cgroup) = self.cgroup.take() {
            let _ = cgroup.kill();
            let _ = cgroup.wait_empty(None);
            let _ = self.app.wait(None);
            let _ = cgroup.remove();
        }
        if let Some(guard) = self.guard.take() {
            let _ = guard.dismiss();
        }
    }
}

/// Runs a program until it exits, its command ends, or a signal comes.
///
/// # Errors
/// What this machine cannot do, or the script's fault where the kernel refuses it.
pub fn run(request: Request<'_>) -> Result<Exit, Failure> {
    compile::eprint_all(&request.warnings, request.sources);
    let mut signals = Signals::take().map_err(|error| output_failure(&error))?;
    let session = Session::start(request.kernel, None, request.sources)?;
    let names = ProgramNames::new(session.probe_names().to_vec());
    let printer = Printer::new(request.out, request.format, Box::new(names), session.outputs());
    let mut run = Run { session, printer, program: request.program, sources: request.sources, exit: None };
    run.session.begin(request.sources)?;
    if !request.is_quiet {
        run.printer.attached(run.session.attached()).map_err(|error| output_failure(&error))?;
    }
    notify_attached();
    run.take_events()?;
    let mut watched = request.command.as_deref().map(Watched::start).transpose()?;
    if !run.session.is_over_after_begin() {
        run.wait(&mut signals, &mut watched)?;
    }
    run.finish()
}

/// Tells a test engine that waits for it that every probe is attached.
fn notify_attached() {
    if std::env::var_os("__BPFTRACE_NOTIFY_PROBES_ATTACHED").is_some() {
        println!("__BPFTRACE_NOTIFY_PROBES_ATTACHED");
    }
}

struct Run<'a> {
    session: Session,
    printer: Printer,
    program: hir::Program,
    sources: &'a SourceMap,
    /// What `exit()` said.
    exit: Option<Exit>,
}

impl Run<'_> {
    /// Waits and works until something ends the run.
    fn wait(&mut self, signals: &mut Signals, watched: &mut Option<Watched>) -> Result<(), Failure> {
        while self.exit.is_none() {
            let timeout = self.session.tick(self.sources)?;
            self.take_events()?;
            if self.exit.is_some() {
                break;
            }
            self.sleep(timeout, signals, watched.as_ref())?;
            self.take_events()?;
            if signals.next().is_some_and(|signal| matches!(signal, Signal::Interrupt | Signal::Terminate)) {
                break;
            }
            if let Some(watched) = watched
                && watched.app.wait(Some(Duration::ZERO)).ok().flatten().is_some()
            {
                self.take_events()?;
                break;
            }
        }
        Ok(())
    }

    /// Sleeps until an event, a signal, the command's end, or the timeout.
    fn sleep(
        &mut self,
        timeout: Option<Duration>,
        signals: &Signals,
        watched: Option<&Watched>,
    ) -> Result<(), Failure> {
        let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
        for fd in signals.fds() {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        if let Some(watched) = watched {
            fds.push(PollFd::from_borrowed_fd(watched.app.exit_fd(), PollFlags::IN));
        }
        if let Some(ring) = self.session.ring() {
            fds.push(PollFd::from_borrowed_fd(ring.as_fd(), PollFlags::IN));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(output_failure(&error.into())),
        }
        if let Some(ring) = self.session.ring() {
            ring.wait(Duration::ZERO).map_err(|error| output_failure(&error))?;
        }
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), Failure> {
        let events = self.session.events();
        for (index, args) in events {
            if self.exit.is_some() {
                break;
            }
            self.emit(index, args).map_err(|error| output_failure(&error))?;
        }
        self.printer.flush().map_err(|error| output_failure(&error))
    }

    fn emit(&mut self, index: usize, args: Vec<Value>) -> io::Result<()> {
        let output = self.session.outputs()[index].clone();
        match self.printer.emit(index, &output, args)? {
            Effect::None => Ok(()),
            Effect::Exit(code) => {
                self.exit = Some(Exit::Code(code));
                Ok(())
            }
            Effect::PrintMap(map, cut) => self.print_map(map, cut),
            Effect::ClearMap(map) => self.session.map(map).map_or(Ok(()), |(_, map)| map.clear()),
            Effect::ZeroMap(map) => self.session.map(map).map_or(Ok(()), |(_, map)| maps::zero(map)),
        }
    }

    fn print_map(&mut self, id: MapId, cut: Cut) -> io::Result<()> {
        let Some(map) = self.program.maps.iter().find(|map| map.id == id) else { return Ok(()) };
        let Some((def, kernel)) = self.session.map(id) else { return Ok(()) };
        let entries = maps::entries(def, kernel)?;
        self.printer.map(Table { name: &map.name, keys: &map.keys, value: &map.value, entries }, cut)
    }

    /// Detaches, runs `end`, prints the maps, and tells what was lost.
    fn finish(mut self) -> Result<Exit, Failure> {
        self.session.detach();
        let asked = self.exit.take();
        self.session.end(self.sources)?;
        self.take_events()?;
        if self.program.config.print_maps_on_exit {
            self.print_maps().map_err(|error| output_failure(&error))?;
        }
        let lost = self.session.lost_events();
        if lost > 0 {
            self.printer.lost(lost).map_err(|error| output_failure(&error))?;
        }
        self.printer.flush().map_err(|error| output_failure(&error))?;
        Ok(asked.or(self.exit).unwrap_or(Exit::Passed))
    }

    /// Every map that is not empty, a blank line before each.
    fn print_maps(&mut self) -> io::Result<()> {
        let ids: Vec<MapId> = self.program.maps.iter().map(|map| map.id).collect();
        let mut printed = false;
        for id in ids {
            let is_empty = self.session.map(id).is_none_or(|(_, map)| map.keys().is_ok_and(|keys| keys.is_empty()));
            if !is_empty {
                self.printer.blank()?;
                self.print_map(id, Cut::default())?;
                printed = true;
            }
        }
        if printed { self.printer.blank() } else { Ok(()) }
    }
}

fn output_failure(error: &io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("cannot go on: {error}"))
}

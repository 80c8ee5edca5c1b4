//! The loop of a script: kernel events, messages, timers, signals, and the end of the command that it watches.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use reel_lang::diagnostic::Diagnostics;
use reel_lang::hir::{self, MapId};
use reel_lang::span::SourceMap;
use reel_lang::value::Value;
use reel_probes::ringbuf::POLL_INTERVAL;
use rustix::event::{PollFd, PollFlags, poll};

use super::live::Live;
use super::messages::Messages;
use super::names::ProgramNames;
use super::printer::{Effect, Outputs, Printer};
use super::session::Session;
use super::signals::Signals;
use super::{compile, maps};
use crate::app::{App, Home, Output};
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::output::map::{Cut, Table};

/// A program to run and how to show what it says.
pub struct Request<'a> {
    pub sources: &'a SourceMap,
    pub program: hir::Program,
    pub warnings: Diagnostics,
    pub kernel: compile::Kernel,
    /// The message clauses, where there are any: they need a command to listen to.
    pub messages: Option<Messages>,
    pub command: Option<String>,
    pub out: Box<dyn Write>,
    pub format: Format,
    pub is_quiet: bool,
}

/// Runs a program until it exits, its command ends, or a signal comes.
///
/// # Errors
/// What this machine cannot do, or the script's fault where the kernel refuses it.
pub fn run(request: Request<'_>) -> Result<Exit, Failure> {
    compile::eprint_all(&request.warnings, request.sources);
    if request.messages.is_some() && request.command.is_none() {
        return Err(Failure::new(Exit::Usage, "message probes need traffic to listen to")
            .remedy("name a command with -c: reel -e '...' -c ./server"));
    }
    let mut signals = Signals::take().map_err(|error| cannot("take over signals", &error))?;
    let session = Session::start(request.kernel, None, request.sources)?;
    let names = ProgramNames::new(session.probe_names().to_vec());
    let outputs = [
        Outputs::of(session.outputs()),
        Outputs::of(request.messages.as_ref().map_or(&[], |messages| messages.outputs())),
    ];
    let printer = Printer::new(request.out, request.format, Box::new(names));
    let sources = request.sources;
    let mut run = Run { session, live: None, outputs, printer, program: request.program, sources, exit: None };
    run.session.begin(sources)?;
    let count = run.session.attached() + request.messages.as_ref().map_or(0, Messages::count);
    let home = request.command.as_ref().map(|_| Home::make(Output::Own)).transpose()?;
    if let (Some(messages), Some(home)) = (request.messages, &home) {
        run.live = Some(Live::start(home.cgroup(), messages)?);
    }
    if !request.is_quiet {
        run.printer.attached(count).map_err(|error| cannot("write", &error))?;
    }
    notify_attached();
    run.take_events()?;
    let mut app = match (home, &request.command) {
        (Some(home), Some(command)) => Some(home.start(&shell(command), &[], &[])?),
        _ => None,
    };
    if !run.session.is_over_after_begin() || app.is_some() {
        run.wait(&mut signals, &mut app)?;
    }
    drop(app);
    run.finish()
}

/// A command line as the shell runs it, without a shell between.
fn shell(command: &str) -> [OsString; 3] {
    ["/bin/sh".into(), "-c".into(), format!("exec {command}").into()]
}

/// Tells a test engine that waits for it that every probe is attached.
fn notify_attached() {
    if std::env::var_os("__BPFTRACE_NOTIFY_PROBES_ATTACHED").is_some() {
        println!("__BPFTRACE_NOTIFY_PROBES_ATTACHED");
    }
}

/// The halves of a program, as indices of their outputs.
const KERNEL: usize = 0;
const NATIVE: usize = 1;

struct Run<'a> {
    session: Session,
    live: Option<Live>,
    outputs: [Outputs; 2],
    printer: Printer,
    program: hir::Program,
    sources: &'a SourceMap,
    /// What `exit()` said.
    exit: Option<Exit>,
}

impl Run<'_> {
    /// Waits and works until something ends the run.
    fn wait(&mut self, signals: &mut Signals, app: &mut Option<App>) -> Result<(), Failure> {
        while self.exit.is_none() {
            let timeout = self.session.tick(self.sources)?;
            self.take_events()?;
            if self.exit.is_some() {
                break;
            }
            self.sleep(timeout, signals, app.as_ref())?;
            self.take_events()?;
            if let Some(signal) = signals.take_next() {
                if let Some(app) = app {
                    app.signal(signal.number());
                    app.stop();
                }
                break;
            }
            if app.as_mut().is_some_and(|app| app.exited().is_some()) {
                break;
            }
        }
        Ok(())
    }

    /// Sleeps until an event, a signal, the command's end, or the timeout.
    fn sleep(&self, timeout: Option<Duration>, signals: &Signals, app: Option<&App>) -> Result<(), Failure> {
        // The capture program does not wake its reader for each event: that is what makes it cheap.
        let polled = self.live.as_ref().map(|_| POLL_INTERVAL);
        let timeout = [timeout, polled].into_iter().flatten().min().and_then(|timeout| timeout.try_into().ok());
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
        for fd in signals.fds() {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        if let Some(app) = app {
            fds.push(PollFd::from_borrowed_fd(app.exit_fd(), PollFlags::IN));
        }
        if let Some(ring) = self.session.ring() {
            fds.push(PollFd::from_borrowed_fd(ring.as_fd(), PollFlags::IN));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(cannot("wait", &error.into())),
        }
        if let Some(ring) = self.session.ring() {
            ring.wait(Duration::ZERO).map_err(|error| cannot("wait", &error))?;
        }
        Ok(())
    }

    /// Prints what both halves have emitted.
    fn take_events(&mut self) -> Result<(), Failure> {
        let kernel = self.session.events();
        self.emit_all(KERNEL, kernel)?;
        if let Some(live) = &mut self.live {
            live.take();
            let native = live.messages.events();
            self.emit_all(NATIVE, native)?;
        }
        self.printer.flush().map_err(|error| cannot("write", &error))
    }

    fn emit_all(&mut self, half: usize, events: Vec<(usize, Vec<Value>)>) -> Result<(), Failure> {
        for (index, args) in events {
            if self.exit.is_some() {
                break;
            }
            self.emit(half, index, args).map_err(|error| cannot("write", &error))?;
        }
        Ok(())
    }

    fn emit(&mut self, half: usize, index: usize, args: Vec<Value>) -> io::Result<()> {
        match self.printer.emit(&self.outputs[half], index, args)? {
            Effect::None => {}
            Effect::Exit(code) => self.exit = Some(Exit::Code(code)),
            Effect::PrintMap(map, cut) => self.print_map(map, cut)?,
            Effect::ClearMap(id) => {
                self.session.map(id).map_or(Ok(()), |(_, map)| map.clear())?;
                if let Some(live) = &mut self.live {
                    live.messages.clear(id);
                }
            }
            Effect::ZeroMap(id) => {
                self.session.map(id).map_or(Ok(()), |(_, map)| maps::zero(map))?;
                if let Some(live) = &mut self.live {
                    live.messages.zero(id);
                }
            }
        }
        Ok(())
    }

    fn print_map(&mut self, id: MapId, cut: Cut) -> io::Result<()> {
        let Some(map) = self.program.maps.iter().find(|map| map.id == id) else { return Ok(()) };
        let entries = match (self.session.map(id), self.live.as_ref().and_then(|live| live.messages.map(id))) {
            (_, Some(entries)) => entries,
            (Some((def, kernel)), None) => maps::entries(def, kernel)?,
            (None, None) => return Ok(()),
        };
        self.printer.map(Table { name: &map.name, keys: &map.keys, value: &map.value, entries }, cut)
    }

    /// Detaches, runs `end`, prints the maps, and tells what was lost.
    fn finish(mut self) -> Result<Exit, Failure> {
        if let Some(live) = &mut self.live {
            live.finish();
        }
        self.session.detach();
        let asked = self.exit.take();
        self.take_events()?;
        self.session.end(self.sources)?;
        self.take_events()?;
        if self.program.config.print_maps_on_exit {
            self.print_maps().map_err(|error| cannot("write", &error))?;
        }
        let lost = self.session.lost_events() + self.live.as_ref().map_or(0, Live::lost);
        if lost > 0 {
            self.printer.lost(lost).map_err(|error| cannot("write", &error))?;
        }
        self.printer.flush().map_err(|error| cannot("write", &error))?;
        Ok(asked.or(self.exit).unwrap_or(Exit::Passed))
    }

    /// Every map that is not empty, a blank line before each.
    fn print_maps(&mut self) -> io::Result<()> {
        let ids: Vec<MapId> = self.program.maps.iter().map(|map| map.id).collect();
        let mut printed = false;
        for id in ids {
            if !self.is_empty(id) {
                self.printer.blank()?;
                self.print_map(id, Cut::default())?;
                printed = true;
            }
        }
        if printed { self.printer.blank() } else { Ok(()) }
    }

    fn is_empty(&self, id: MapId) -> bool {
        let kernel = self.session.map(id).is_none_or(|(_, map)| map.keys().is_ok_and(|keys| keys.is_empty()));
        let native = self.live.as_ref().and_then(|live| live.messages.map(id)).is_none_or(|entries| entries.is_empty());
        kernel && native
    }
}

/// A reader that has gone (`| head`) ends the run without a word.
fn cannot(what: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(Exit::Passed, ""),
        _ => Failure::new(Exit::Machine, format!("cannot {what}: {error}")),
    }
}

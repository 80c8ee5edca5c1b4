//! The loop of a live script: kernel events, messages, timers, signals, and the end of the command or process that it watches.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use reel_compiler::native::shared::Shared;
use reel_lang::diagnostic::Diagnostics;
use reel_lang::hir::{self, MapId};
use reel_lang::span::SourceMap;
use reel_probes::ringbuf::POLL_INTERVAL;
use rustix::event::{PollFd, PollFlags, poll};

use super::live::Live;
use super::messages::Messages;
use super::names::ProgramNames;
use super::printer::Printer;
use super::screen::{KERNEL, NATIVE, Screen, Store, cannot};
use super::session::Session;
use super::signals::Signals;
use super::source::Source;
use super::{compile, maps};
use crate::app::{App, Home, Output};
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::output::frame::Size;
use crate::output::map::{Cut, Entry};

/// A program to run and how to show what it says.
pub struct Request<'a> {
    pub sources: &'a SourceMap,
    pub program: hir::Program,
    pub warnings: Diagnostics,
    pub kernel: compile::Kernel,
    /// The message clauses, where there are any.
    pub messages: Option<Messages>,
    /// What they listen to, live.
    pub source: Source,
    pub out: Box<dyn Write>,
    pub format: Format,
    /// The terminal that `out` is, if it is one.
    pub terminal: Option<Size>,
    pub is_quiet: bool,
}

/// Runs a program until it exits, its command ends, or a signal comes.
///
/// # Errors
/// What this machine cannot do, or the script's fault where the kernel refuses it.
pub fn run(request: Request<'_>) -> Result<Exit, Failure> {
    compile::eprint_all(&request.warnings, request.sources);
    let watched = request.source.ended()?;
    if let Some(option) = request.source.narrowing().filter(|_| has_kernel_events(&request.program)) {
        eprintln!(
            "reel: warning: {option} narrows messages only; kernel probes see the whole machine: write a predicate, such as /pid == 1/"
        );
    }
    let mut signals = Signals::take().map_err(|error| cannot("take over signals", &error))?;
    let Request { sources, program, kernel, messages, source, out, format, .. } = request;
    let command = match &source {
        Source::Command(command) => Some(command),
        _ => None,
    };
    let home = command.map(|_| Home::make(Output::Own)).transpose()?;
    let is_ours_alone = home.is_none();
    let listen = |messages| match &home {
        Some(home) => Live::start(home.cgroup(), messages),
        None => source.watch(messages),
    };
    let mut run =
        Run::start(sources, program, kernel, messages, Shown { out, errors: Box::new(io::stderr()), format }, listen)?;
    if run.halves.live.is_some() && source == Source::Machine {
        eprintln!("{WHOLE_MACHINE}");
    }
    if let Some(size) = request.terminal {
        run.screen.printer.on_terminal(size, is_ours_alone);
    }
    if !request.is_quiet {
        run.screen.attached(run.probes)?;
    }
    notify_attached();
    run.take_events()?;
    let mut app = match (home, command) {
        (Some(home), Some(command)) => Some(home.start(&shell(command), &[], &[])?),
        _ => None,
    };
    if !run.is_over() || app.is_some() {
        run.wait(&mut signals, &mut app, watched.as_ref())?;
    }
    drop(app);
    run.finish()
}

/// Whether a program has a probe that others than reel make fire.
fn has_kernel_events(program: &hir::Program) -> bool {
    let is_own = |name: &str| ["begin", "end", "interval"].contains(&name.split(':').next().unwrap_or_default());
    program.clauses.iter().any(|clause| match &clause.header {
        hir::Header::Kernel(points) => points.iter().any(|point| !is_own(&point.name)),
        _ => false,
    })
}

/// What listening to everybody means.
pub const WHOLE_MACHINE: &str = "reel: listening to the whole machine, but for reel itself; a connection within the machine is seen from \
     both of its ends, once `in` and once `out`; -c, -p and --cgroup listen to less";

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

/// Where output goes, and in which format.
pub struct Shown {
    pub out: Box<dyn Write>,
    /// Where `errorf` and `warnf` go in text.
    pub errors: Box<dyn Write>,
    pub format: Format,
}

/// A program at work: both halves, and what they print.
pub struct Run<'a> {
    halves: Halves,
    screen: Screen,
    sources: &'a SourceMap,
    /// How many attach points and message probes there are.
    probes: usize,
}

/// The two halves of a program at work.
struct Halves {
    session: Session,
    live: Option<Live>,
}

impl Store for Halves {
    fn entries(&self, id: MapId) -> io::Result<Option<Vec<Entry>>> {
        // Of a map that both halves have, the native one knows the kernel's side too.
        let native = self.live.as_ref().map(|live| live.messages.map(id)).transpose()?.flatten();
        match (native, self.session.map(id)) {
            (Some(entries), _) => Ok(Some(entries)),
            (None, Some((def, kernel))) => maps::entries(def, kernel).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn clear(&mut self, id: MapId) -> io::Result<()> {
        if let Some(live) = &mut self.live {
            live.messages.clear(id);
        }
        self.session.map(id).map_or(Ok(()), |(_, map)| map.clear())
    }

    fn zero(&mut self, id: MapId) -> io::Result<()> {
        if let Some(live) = &mut self.live {
            live.messages.zero(id);
        }
        self.session.map(id).map_or(Ok(()), |(_, map)| maps::zero(map))
    }

    fn is_empty(&self, id: MapId) -> bool {
        let kernel = self.session.map(id).is_none_or(|(_, map)| map.keys().is_ok_and(|keys| keys.is_empty()));
        let entries = self.live.as_ref().and_then(|live| live.messages.map(id).ok().flatten());
        kernel && entries.is_none_or(|entries| entries.is_empty())
    }
}

impl<'a> Run<'a> {
    /// Attaches a program and runs `begin`; `listen` says what message clauses listen to.
    ///
    /// # Errors
    /// What this machine cannot do, or the script's fault where the kernel refuses it.
    pub fn start(
        sources: &'a SourceMap,
        program: hir::Program,
        kernel: compile::Kernel,
        messages: Option<Messages>,
        shown: Shown,
        listen: impl FnOnce(Messages) -> Result<Live, Failure>,
    ) -> Result<Self, Failure> {
        let mut session = Session::start(kernel, None, sources)?;
        let native_names = messages.as_ref().map_or_else(Vec::new, Messages::names);
        let names = ProgramNames::new(session.probe_names().to_vec(), native_names);
        let native = messages.as_ref().map_or(&[][..], |messages| messages.outputs());
        let printer = Printer::new(shown.out, shown.errors, shown.format, Box::new(names));
        let screen = Screen::new(printer, program, sources, session.outputs(), native);
        session.begin(sources)?;
        let messages = messages.map(|messages| joined(messages, &session, screen.maps()));
        let probes = session.attached() + messages.as_ref().map_or(0, Messages::count);
        let live = messages.map(listen).transpose()?;
        Ok(Run { halves: Halves { session, live }, screen, sources, probes })
    }

    /// How many attach points and message probes there are.
    pub fn probes(&self) -> usize {
        self.probes
    }

    /// Whether there is nothing to wait for: `exit()` was called, or nothing but `begin` and `end` is there.
    pub fn is_over(&self) -> bool {
        self.screen.exit.is_some() || self.halves.live.is_none() && self.halves.session.is_over_after_begin()
    }

    /// Runs the timers that are due, prints what was emitted, and sleeps until there is more, at the latest until one of `fds`
    /// can be read.
    ///
    /// # Errors
    /// As for [`Run::start`], and the output's.
    pub fn step(&mut self, fds: &[BorrowedFd<'_>]) -> Result<(), Failure> {
        let timeout = self.halves.session.tick(self.sources)?;
        self.take_events()?;
        if self.screen.exit.is_none() {
            self.sleep(timeout, fds)?;
            self.take_events()?;
        }
        Ok(())
    }

    /// The maps of the program.
    pub fn maps(&self) -> &[hir::Map] {
        self.screen.maps()
    }

    /// How many entries a map has, and the map as it would be printed; none where no clause has it.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn map_text(&self, id: MapId, cut: Cut) -> io::Result<Option<(usize, String)>> {
        self.screen.map_text(id, cut, &self.halves)
    }

    /// Removes every entry of a map.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn clear_map(&mut self, id: MapId) -> io::Result<()> {
        self.halves.clear(id)
    }

    /// Waits and works until something ends the run; `watched` becomes readable when the process of `-p` ends.
    fn wait(&mut self, signals: &mut Signals, app: &mut Option<App>, watched: Option<&OwnedFd>) -> Result<(), Failure> {
        while self.screen.exit.is_none() {
            let mut fds = signals.fds().to_vec();
            fds.extend(app.as_ref().map(App::exit_fd));
            fds.extend(watched.map(|watched| watched.as_fd()));
            self.step(&fds)?;
            if self.screen.exit.is_some() {
                break;
            }
            if let Some(signal) = signals.take_next() {
                if let Some(app) = app {
                    app.signal(signal.number());
                    app.stop();
                }
                break;
            }
            if app.as_mut().is_some_and(|app| app.exited().is_some()) || watched.is_some_and(is_readable) {
                break;
            }
        }
        Ok(())
    }

    /// Sleeps until an event, until one of `fds` can be read, or until the timeout.
    fn sleep(&self, timeout: Option<Duration>, fds: &[BorrowedFd<'_>]) -> Result<(), Failure> {
        // The capture program does not wake its reader for each event: that is what makes it cheap.
        let polled = self.halves.live.as_ref().map(|_| POLL_INTERVAL);
        let timeout = [timeout, polled].into_iter().flatten().min().and_then(|timeout| timeout.try_into().ok());
        let ring = self.halves.session.ring().map(|ring| ring.as_fd());
        let waits = fds.iter().copied().chain(ring);
        let mut fds: Vec<PollFd<'_>> = waits.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(cannot("wait", &error.into())),
        }
        if let Some(ring) = self.halves.session.ring() {
            ring.wait(Duration::ZERO).map_err(|error| cannot("wait", &error))?;
        }
        Ok(())
    }

    /// Prints what both halves have emitted.
    ///
    /// # Errors
    /// The output's.
    pub fn take_events(&mut self) -> Result<(), Failure> {
        let kernel = self.halves.session.events();
        self.screen.emit_all(KERNEL, kernel, &mut self.halves)?;
        if let Some(live) = &mut self.halves.live {
            live.take();
            let native = live.messages.events();
            self.screen.emit_all(NATIVE, native, &mut self.halves)?;
        }
        self.screen.flush()
    }

    /// Detaches, runs `end`, prints the maps, and tells what was lost.
    ///
    /// # Errors
    /// As for [`Run::start`], and the output's.
    pub fn finish(&mut self) -> Result<Exit, Failure> {
        if let Some(live) = &mut self.halves.live {
            live.finish();
            let notes = live.notes().into_iter().chain(live.messages.notes(self.screen.maps()));
            notes.for_each(|note| eprintln!("reel: {note}"));
        }
        self.halves.session.detach();
        let asked = self.screen.exit.take();
        self.take_events()?;
        self.halves.session.end(self.sources)?;
        self.take_events()?;
        let lost = self.halves.session.lost_events() + self.halves.live.as_ref().map_or(0, Live::lost);
        self.screen.finish(lost, &self.halves)?;
        Ok(asked.or(self.screen.exit).unwrap_or(Exit::Passed))
    }
}

/// Joins the maps that both halves have.
fn joined(mut messages: Messages, session: &Session, maps: &[hir::Map]) -> Messages {
    for id in maps.iter().map(|map| map.id) {
        if let Some((def, map)) = session.map(id).filter(|_| messages.has_map(id)) {
            let shard = session.native_shard(def).map(maps::InKernel::handle);
            messages.share(id, Shared::new(def.clone(), maps::InKernel::handle(map), shard));
        }
    }
    messages
}

fn is_readable(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

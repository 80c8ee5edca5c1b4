//! The loop of a live script: kernel events, messages, timers, signals, and the end of the command or process that it watches.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

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
use crate::output::map::Entry;

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
    pub is_quiet: bool,
}

/// Runs a program until it exits, its command ends, or a signal comes.
///
/// # Errors
/// What this machine cannot do, or the script's fault where the kernel refuses it.
pub fn run(request: Request<'_>) -> Result<Exit, Failure> {
    compile::eprint_all(&request.warnings, request.sources);
    let watched = request.source.ended()?;
    let mut signals = Signals::take().map_err(|error| cannot("take over signals", &error))?;
    let session = Session::start(request.kernel, None, request.sources)?;
    let names = ProgramNames::new(session.probe_names().to_vec());
    let native = request.messages.as_ref().map_or(&[][..], |messages| messages.outputs());
    let printer = Printer::new(request.out, request.format, Box::new(names));
    let screen = Screen::new(printer, request.program, session.outputs(), native);
    let sources = request.sources;
    let mut run = Run { halves: Halves { session, live: None }, screen, sources, watched };
    run.halves.session.begin(sources)?;
    let count = run.halves.session.attached() + request.messages.as_ref().map_or(0, Messages::count);
    let command = match &request.source {
        Source::Command(command) => Some(command),
        _ => None,
    };
    let home = command.map(|_| Home::make(Output::Own)).transpose()?;
    run.halves.live = match (request.messages, &home) {
        (None, _) => None,
        (Some(messages), Some(home)) => Some(Live::start(home.cgroup(), messages)?),
        (Some(messages), None) => Some(request.source.watch(messages)?),
    };
    if run.halves.live.is_some() && request.source == Source::Machine {
        eprintln!("{WHOLE_MACHINE}");
    }
    if !request.is_quiet {
        run.screen.attached(count)?;
    }
    notify_attached();
    run.take_events()?;
    let mut app = match (home, command) {
        (Some(home), Some(command)) => Some(home.start(&shell(command), &[], &[])?),
        _ => None,
    };
    if !run.halves.session.is_over_after_begin() || run.halves.live.is_some() || app.is_some() {
        run.wait(&mut signals, &mut app)?;
    }
    drop(app);
    run.finish()
}

/// What listening to everybody means.
const WHOLE_MACHINE: &str = "reel: listening to the whole machine, but for reel itself; a connection within the machine is seen from \
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

struct Run<'a> {
    halves: Halves,
    screen: Screen,
    sources: &'a SourceMap,
    /// Becomes readable when the process of `-p` ends.
    watched: Option<OwnedFd>,
}

/// The two halves of a program at work.
struct Halves {
    session: Session,
    live: Option<Live>,
}

impl Store for Halves {
    fn entries(&self, id: MapId) -> io::Result<Option<Vec<Entry>>> {
        match (self.live.as_ref().and_then(|live| live.messages.map(id)), self.session.map(id)) {
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
        let native = self.live.as_ref().and_then(|live| live.messages.map(id)).is_none_or(|entries| entries.is_empty());
        kernel && native
    }
}

impl Run<'_> {
    /// Waits and works until something ends the run.
    fn wait(&mut self, signals: &mut Signals, app: &mut Option<App>) -> Result<(), Failure> {
        while self.screen.exit.is_none() {
            let timeout = self.halves.session.tick(self.sources)?;
            self.take_events()?;
            if self.screen.exit.is_some() {
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
            if app.as_mut().is_some_and(|app| app.exited().is_some()) || self.is_watched_over() {
                self.take_events()?;
                break;
            }
        }
        Ok(())
    }

    /// Whether the process of `-p` has ended.
    fn is_watched_over(&self) -> bool {
        let Some(watched) = &self.watched else { return false };
        let mut fds = [PollFd::new(watched, PollFlags::IN)];
        poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Sleeps until an event, a signal, the command's end, or the timeout.
    fn sleep(&self, timeout: Option<Duration>, signals: &Signals, app: Option<&App>) -> Result<(), Failure> {
        // The capture program does not wake its reader for each event: that is what makes it cheap.
        let polled = self.halves.live.as_ref().map(|_| POLL_INTERVAL);
        let timeout = [timeout, polled].into_iter().flatten().min().and_then(|timeout| timeout.try_into().ok());
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
        for fd in signals.fds() {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        if let Some(app) = app {
            fds.push(PollFd::from_borrowed_fd(app.exit_fd(), PollFlags::IN));
        }
        if let Some(watched) = &self.watched {
            fds.push(PollFd::new(watched, PollFlags::IN));
        }
        if let Some(ring) = self.halves.session.ring() {
            fds.push(PollFd::from_borrowed_fd(ring.as_fd(), PollFlags::IN));
        }
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
    fn take_events(&mut self) -> Result<(), Failure> {
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
    fn finish(mut self) -> Result<Exit, Failure> {
        if let Some(live) = &mut self.halves.live {
            live.finish();
            live.notes().into_iter().for_each(|note| eprintln!("reel: {note}"));
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

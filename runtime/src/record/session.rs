//! A recording from start to end: the app in its cgroup, the capture, the command that drives it, and what is written.
//!
//! The recording's folder exists from the first moment and says that it is not complete; it says so no more only when everything
//! is written. The loop waits for batches of events, signals, and the ends of the app and of the driver.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, after, select};
use reel_probes::event::Task;
use reel_protocols::conversation::Config;
use rustix::time::{ClockId, clock_gettime};

use super::collector::Collector;
use super::compose::{self, Selection, Written};
use super::summary::Summary;
use super::watch::{self, Ended};
use crate::app::{App, Home, Output};
use crate::capture::connections::{Connections, Moment, NOBODY};
use crate::capture::kernel::{Capture, Settings};
use crate::capture::names;
use crate::capture::reader::{Batch, Reader};
use crate::clock;
use crate::engine::signals::Signal;
use crate::exit::{Exit, Failure};
use crate::recording::{About, Closing, Losses, Writer};

/// What to record, and where to.
pub struct Request {
    pub command: Vec<OsString>,
    pub output: PathBuf,
    /// A shell command that is started as soon as the app listens; its end ends the recording.
    pub drive: Option<String>,
    pub listen_timeout: Duration,
    /// What the exchanges may take in memory, in bytes: at this size the recording ends.
    pub memory_len_bytes: usize,
    pub capture: Settings,
}

/// Records until the driver, the app or a signal ends it.
///
/// # Errors
/// The app's, the machine's or the disk's; the exit says which.
pub fn record(request: &Request, selection: &mut dyn Selection) -> Result<(Exit, Option<ExitStatus>), Failure> {
    crate::app::privileged()?;
    let signals = watch::signals()?;
    let mut writer = Writer::create(&request.output, about(request)).map_err(Failure::from)?;
    let (reason, app_exit, mut state) = match observe(request, signals) {
        Ok(observed) => observed,
        Err(failure) => {
            writer.abandon();
            return Err(failure);
        }
    };
    let losses = state.losses();
    let (selection_started, started_ns) = (state.start_ns, state.started_ns);
    let left_out = state.connections.left_out();
    let (collected, totals, comms) = state.finish();
    let summary = Summary::of(&collected, totals, left_out);
    let comm = |tid: u32| comms.get(&tid).cloned().unwrap_or_default();
    let written =
        compose::compose(collected, selection_started, &comm, selection, &mut writer).map_err(Failure::from)?;
    let secrets = selection.secrets().map_err(Failure::from)?;
    let started_ns = Some(started_ns);
    let closing = Closing { started_ns, losses, app_exit: app_exit.and_then(|status| status.code()), secrets };
    writer.finish(closing).map_err(Failure::from)?;
    let exit = verdict(&reason, &written, &losses);
    summary.print(&request.output, &written, &losses);
    reason.explain()?;
    if written.tests == 0 {
        return Err(Failure::new(Exit::Usage, "no request to the app was recorded")
            .remedy("use the app while it is being recorded, or name a client with --drive"));
    }
    Ok((exit, app_exit))
}

/// Runs the app under the capture until something ends it.
fn observe(request: &Request, signals: Receiver<Signal>) -> Result<(Reason, Option<ExitStatus>, State), Failure> {
    let home = Home::make(Output::Own)?;
    let capture = Capture::start(home.cgroup(), &request.capture)?;
    for (better, why) in &capture.choice.passed_over {
        anstream::eprintln!("reel: note: reading traffic through {}, not through {better}: {why}", capture.choice.rung);
    }
    let reader = Reader::start(capture)?;
    let app = home.start(&request.command, &[], &[])?;
    let app_ended = watch::fd(app.exit_fd_owned().map_err(|error| machine("watch the app", &error))?)?;
    let mut state = State::new();
    let mut session = Session { request, app, app_ended, reader, signals, driver: None };
    let reason = session.run(&mut state)?;
    let app_exit = session.close(&reason, &mut state)?;
    Ok((reason, app_exit, state))
}

fn about(request: &Request) -> About {
    About {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        command: request.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        clock: "real".to_owned(),
        ..About::default()
    }
}

fn verdict(reason: &Reason, written: &Written, losses: &Losses) -> Exit {
    let mut causes = Vec::new();
    if matches!(reason, Reason::DriverFailed(_)) || written.tests == 0 {
        causes.push(Exit::Usage);
    }
    if !losses.is_none() || matches!(reason, Reason::Full(_)) {
        causes.push(Exit::Recording);
    }
    Exit::worst(&causes)
}

/// Why a recording ended.
enum Reason {
    Signal(Signal),
    AppEnded,
    DriverEnded,
    DriverFailed(ExitStatus),
    /// The memory that exchanges may take is taken: so many bytes.
    Full(usize),
}

impl Reason {
    /// A driver that failed, or too much traffic, is told last, when everything is written.
    fn explain(&self) -> Result<(), Failure> {
        match self {
            Reason::Full(limit) => {
                let limit = format!("the recording has ended: what it holds in memory has reached {} MiB", limit >> 20);
                Err(Failure::new(Exit::Recording, limit).remedy(
                    "the recording is complete up to there; give it more with --memory-mib, or leave connections out with a capture rule on their address or port",
                ))
            }
            Reason::DriverFailed(status) => {
                Err(Failure::new(Exit::Usage, format!("the command of --drive failed: {status}"))
                    .remedy("the recording is complete up to there"))
            }
            _ => Ok(()),
        }
    }
}

struct Session<'a> {
    request: &'a Request,
    app: App,
    app_ended: Receiver<Ended>,
    reader: Reader,
    signals: Receiver<Signal>,
    driver: Option<Child>,
}

impl Session<'_> {
    /// Works until something ends the recording.
    fn run(&mut self, state: &mut State) -> Result<Reason, Failure> {
        let deadline = after(self.request.listen_timeout);
        let mut driver_ended = crossbeam_channel::never();
        let batches = self.reader.batches().clone();
        let mut listening = false;
        loop {
            let patience = if listening { crossbeam_channel::never() } else { deadline.clone() };
            select! {
                recv(batches) -> batch => {
                    if let Ok(batch) = batch { state.take(&batch) }
                    if state.collector.len_bytes() > self.request.memory_len_bytes {
                        return Ok(Reason::Full(self.request.memory_len_bytes));
                    }
                    if !listening && let Some(address) = state.listener() {
                        listening = true;
                        driver_ended = self.drive(address)?;
                    }
                }
                recv(self.signals) -> signal => {
                    if let Ok(signal) = signal { return Ok(Reason::Signal(signal)) }
                }
                recv(driver_ended) -> _ => return self.driver_result(),
                recv(self.app_ended) -> _ => return self.app_result(state),
                recv(patience) -> _ => return Err(self.never_listened()),
            }
        }
    }

    /// Starts the driver, outside of the app's cgroup.
    fn drive(&mut self, address: SocketAddr) -> Result<Receiver<Ended>, Failure> {
        let Some(command) = &self.request.drive else {
            if anstream::stderr().is_terminal() {
                eprintln!("reel: recording; the app listens on {address}; Ctrl-C ends it");
            }
            return Ok(crossbeam_channel::never());
        };
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).env("REEL_APP", address.to_string());
        let child = shell
            .spawn()
            .map_err(|error| Failure::new(Exit::Usage, format!("cannot start the command of --drive: {error}")))?;
        let ended = watch::process(child.id())?;
        self.driver = Some(child);
        Ok(ended)
    }

    fn driver_result(&mut self) -> Result<Reason, Failure> {
        let status = self.driver.as_mut().map(Child::wait).transpose();
        match status.map_err(|error| machine("wait for the command of --drive", &error))? {
            Some(status) if !status.success() => Ok(Reason::DriverFailed(status)),
            _ => Ok(Reason::DriverEnded),
        }
    }

    /// An app that ends by itself after it has listened ends the recording; before, it failed.
    fn app_result(&mut self, state: &mut State) -> Result<Reason, Failure> {
        while let Ok(batch) = self.reader.batches().try_recv() {
            state.take(&batch);
        }
        if state.listener().is_some() {
            return Ok(Reason::AppEnded);
        }
        let how = self.app.exited().map_or_else(|| "it ended".to_owned(), |status| status.to_string());
        Err(Failure::new(Exit::App, format!("the app ended before it listened on any port: {how}"))
            .remedy("run the command by itself to see why; its own output is above"))
    }

    fn never_listened(&self) -> Failure {
        let seconds = self.request.listen_timeout.as_secs();
        Failure::new(Exit::App, format!("the app listened on no TCP port within {seconds} seconds"))
            .remedy("give it more time with --listen-timeout, or check that it is a TCP server")
    }

    /// Ends the app and the driver, and takes every event that is left.
    fn close(mut self, reason: &Reason, state: &mut State) -> Result<Option<ExitStatus>, Failure> {
        state.collector.over(monotonic_ns());
        if let Some(driver) = &mut self.driver
            && matches!(reason, Reason::Signal(_) | Reason::AppEnded | Reason::Full(_))
        {
            let _ = driver.kill();
            let _ = driver.wait();
        }
        let ended_by_itself = self.app.exited();
        if let Reason::Signal(signal) = reason {
            self.app.signal(signal.number());
        }
        if ended_by_itself.is_none() && !matches!(reason, Reason::Signal(_)) {
            self.app.signal(Signal::Terminate.number());
        }
        let stopped = ended_by_itself.or_else(|| self.stop_app(state));
        let Session { app, reader, .. } = self;
        state.lost_records = reader.finish(|batch| state.take(&batch));
        drop(app);
        Ok(ended_by_itself.or(stopped))
    }

    /// Waits for the app, which has been told to end, and meanwhile keeps the events moving; then ends what is left of it.
    fn stop_app(&mut self, state: &mut State) -> Option<ExitStatus> {
        let deadline = Instant::now() + crate::app::GRACE;
        let batches = self.reader.batches().clone();
        loop {
            select! {
                recv(batches) -> batch => if let Ok(batch) = batch { state.take(&batch) },
                recv(self.app_ended) -> _ => break,
                default(deadline.saturating_duration_since(Instant::now())) => break,
            }
        }
        self.app.stop()
    }
}

/// What is known so far.
struct State {
    start_ns: u64,
    /// The same instant, by the time of day.
    started_ns: i64,
    connections: Connections,
    collector: Collector,
    /// The names of threads, read when one is first seen: later it may be gone.
    comms: HashMap<u32, String>,
    lost_records: u64,
    bad_records: u64,
}

impl State {
    fn new() -> State {
        State {
            start_ns: monotonic_ns(),
            started_ns: clock::real_ns(),
            connections: Connections::default(),
            collector: Collector::new(Arc::new(Config::default())),
            comms: HashMap::new(),
            lost_records: 0,
            bad_records: 0,
        }
    }

    fn take(&mut self, batch: &Batch) {
        self.bad_records += batch.events(|event| {
            remember(&mut self.comms, event.task());
            self.connections.event(event, &mut self.collector);
        });
    }

    fn listener(&self) -> Option<SocketAddr> {
        self.collector.first_listener()
    }

    fn losses(&mut self) -> Losses {
        self.connections.finish(Moment { time_ns: 0, task: NOBODY }, &mut self.collector);
        let losses = self.connections.losses();
        Losses {
            dropped_events: self.lost_records + self.bad_records,
            missing_bytes: losses.missing_bytes + losses.unknown_socket_bytes,
            undecoded_bytes: self.collector.undecoded_bytes(),
            encrypted_connections: self.collector.encrypted_count(),
        }
    }

    fn finish(self) -> (super::collector::Collected, crate::capture::connections::Totals, HashMap<u32, String>) {
        (self.collector.finish(), self.connections.totals(), self.comms)
    }
}

/// The clock of the kernel's events.
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

fn remember(comms: &mut HashMap<u32, String>, task: Task) {
    comms.entry(task.tid).or_insert_with(|| names::comm(task));
}

fn machine(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("cannot {what}: {error}"))
}

//! A query: clauses that were entered, at work on a thread of their own.
//!
//! The prompt sends orders and waits for the answers; what the query prints goes to the screen. Every query ends in the same way,
//! whoever ends it: it detaches, prints its maps, and leaves them as text to whoever asks later.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use reel_lang::hir;
use reel_lang::span::SourceMap;
use reel_probes::cgroup::Cgroup;
use rustix::event::{EventfdFlags, eventfd};

use super::screen::{Screen, ScreenWriter};
use crate::cli::Format;
use crate::engine::compile::Kernel;
use crate::engine::live::Live;
use crate::engine::messages::Messages;
use crate::engine::past::{self, Captured, Past, Recorded};
use crate::engine::run::{Run, Shown};
use crate::engine::source::Source;
use crate::exit::{Exit, Failure};
use crate::output::map::Cut;

/// Clauses, compiled.
pub struct Compiled {
    pub sources: SourceMap,
    pub program: hir::Program,
    /// None over messages of the past.
    pub kernel: Option<Kernel>,
    pub messages: Option<Messages>,
}

/// What message clauses are about.
pub enum From {
    /// The commands of `:run`.
    Cgroup(Arc<Cgroup>),
    Source(Source),
}

/// A map and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// With the `@`.
    pub name: String,
    pub count: usize,
    /// As it is printed.
    pub text: String,
}

/// What a query tells, once each and in this order; the second alone where it fails before.
#[derive(Debug)]
pub enum Notice {
    /// All is attached: so many probes. Nothing follows soon unless `is_over`.
    Attached { probes: usize, is_over: bool },
    /// All is detached.
    Ended(Result<Left, Failure>),
}

/// What is left of a query that has ended.
#[derive(Debug)]
pub struct Left {
    pub maps: Vec<Held>,
    /// What its `exit()` said.
    pub exit: Exit,
}

enum Order {
    Stop,
    /// The maps with this name, or all, each cut.
    Maps(Option<String>, Cut, Sender<Result<Vec<Held>, Failure>>),
    /// Empties the map with this name, or all; the answer is how many.
    Clear(Option<String>, Sender<Result<usize, Failure>>),
}

/// A query, seen from the prompt.
pub struct Query {
    orders: Sender<Order>,
    wake: Arc<OwnedFd>,
    pub notices: Receiver<Notice>,
    thread: Option<JoinHandle<()>>,
}

impl Query {
    /// Attaches clauses on a new thread, those on messages to a source.
    ///
    /// # Errors
    /// The kernel's answer where there can be no more threads. What is wrong with the clauses is a notice.
    pub fn start(compiled: Compiled, from: From, screen: Arc<Screen>) -> Result<Query, Failure> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|e| cannot(&e.into()))?);
        let (orders, taken) = unbounded();
        let (tell, notices) = unbounded();
        let work = Work { orders: taken, wake: wake.clone(), tell };
        let thread = std::thread::Builder::new().name("query".to_owned());
        let thread = thread.spawn(move || {
            let ended = work.run(compiled, from, screen);
            let _ = work.tell.send(Notice::Ended(ended));
        });
        Ok(Query { orders, wake, notices, thread: Some(thread.map_err(|error| cannot(&error))?) })
    }

    /// Asks the query to end; [`Notice::Ended`] says when it has.
    pub fn stop(&self) {
        self.order(Order::Stop);
    }

    /// What is in the map with this name, or in all; nothing where the query ends at this moment.
    ///
    /// # Errors
    /// A map cannot be read.
    pub fn maps(&self, name: Option<&str>, cut: Cut) -> Result<Vec<Held>, Failure> {
        let (answer, answers) = bounded(1);
        self.order(Order::Maps(name.map(str::to_owned), cut, answer));
        answers.recv().unwrap_or(Ok(Vec::new()))
    }

    /// Empties the map with this name, or all, and tells how many.
    ///
    /// # Errors
    /// A map cannot be emptied.
    pub fn clear(&self, name: Option<&str>) -> Result<usize, Failure> {
        let (answer, answers) = bounded(1);
        self.order(Order::Clear(name.map(str::to_owned), answer));
        answers.recv().unwrap_or(Ok(0))
    }

    fn order(&self, order: Order) {
        // A query that has ended takes no orders, and drops the answer's channel.
        if self.orders.send(order).is_ok() {
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
    }
}

impl Drop for Query {
    /// Nothing of a query outlives it.
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The side of the thread.
struct Work {
    orders: Receiver<Order>,
    wake: Arc<OwnedFd>,
    tell: Sender<Notice>,
}

impl Work {
    fn run(&self, compiled: Compiled, from: From, screen: Arc<Screen>) -> Result<Left, Failure> {
        let Compiled { sources, program, kernel, messages } = compiled;
        // A line that is edited is not written over.
        let errors = Box::new(ScreenWriter::new(screen.clone()));
        let shown = Shown { out: Box::new(ScreenWriter::new(screen)), errors, format: Format::Text };
        match (kernel, messages) {
            (Some(kernel), messages) => {
                let listen = |messages| match &from {
                    From::Cgroup(cgroup) => Live::start(cgroup, messages),
                    From::Source(source) => source.watch(messages),
                };
                self.live(Run::start(&sources, program, kernel, messages, shown, listen)?)
            }
            (None, Some(messages)) => self.past(past::Request { sources: &sources, program, messages, shown }, &from),
            (None, None) => Ok(Left { maps: Vec::new(), exit: Exit::Passed }),
        }
    }

    fn live(&self, mut run: Run<'_>) -> Result<Left, Failure> {
        run.take_events()?;
        let _ = self.tell.send(Notice::Attached { probes: run.probes(), is_over: run.is_over() });
        while !run.is_over() && !self.obey(&mut run)? {
            run.step(&[self.wake.as_fd()])?;
        }
        let exit = run.finish()?;
        Ok(Left { maps: held(&run, None, Cut::default())?, exit })
    }

    /// Runs to the end of what is over, or until it is stopped; who asked waits for it.
    fn past(&self, request: past::Request<'_>, from: &From) -> Result<Left, Failure> {
        let mut past: Box<dyn Past> = match from {
            From::Source(Source::Recording(dir)) => Box::new(Recorded::open(dir)?),
            From::Source(Source::Packets(file, hosts)) => {
                Box::new(Captured::open(file, hosts, request.messages.wants(), Vec::new())?)
            }
            _ => return Ok(Left { maps: Vec::new(), exit: Exit::Passed }),
        };
        let mut run = past::Run::start(request, &mut *past)?;
        let _ = self.tell.send(Notice::Attached { probes: run.probes(), is_over: true });
        let exit = run.go(&mut *past, &mut || matches!(self.orders.try_recv(), Ok(Order::Stop)))?;
        let text = |id| run.map_text(id, Cut::default());
        Ok(Left { maps: all_held(run.maps().iter(), text)?, exit })
    }

    /// Does what was ordered since the last call, and tells whether to end.
    fn obey(&self, run: &mut Run<'_>) -> Result<bool, Failure> {
        let mut count = [0; 8];
        let _ = rustix::io::read(&*self.wake, &mut count);
        while let Ok(order) = self.orders.try_recv() {
            // What has happened by now is in the answer.
            run.take_events()?;
            match order {
                Order::Stop => return Ok(true),
                // The prompt waits for each answer.
                Order::Maps(name, cut, answer) => drop(answer.send(held(run, name.as_deref(), cut))),
                Order::Clear(name, answer) => drop(answer.send(clear(run, name.as_deref()))),
            }
        }
        Ok(false)
    }
}

fn is_asked(map: &hir::Map, name: Option<&str>) -> bool {
    name.is_none_or(|name| name == map.name)
}

fn held(run: &Run<'_>, name: Option<&str>, cut: Cut) -> Result<Vec<Held>, Failure> {
    all_held(run.maps().iter().filter(|map| is_asked(map, name)), |id| run.map_text(id, cut))
}

fn all_held<'a>(
    maps: impl Iterator<Item = &'a hir::Map>,
    text: impl Fn(hir::MapId) -> std::io::Result<Option<(usize, String)>>,
) -> Result<Vec<Held>, Failure> {
    let mut found = Vec::new();
    for map in maps {
        if let Some((count, text)) = text(map.id).map_err(|error| cannot(&error))? {
            found.push(Held { name: map.name.clone(), count, text });
        }
    }
    Ok(found)
}

fn clear(run: &mut Run<'_>, name: Option<&str>) -> Result<usize, Failure> {
    let ids: Vec<_> = run.maps().iter().filter(|map| is_asked(map, name)).map(|map| map.id).collect();
    for id in &ids {
        run.clear_map(*id).map_err(|error| cannot(&error))?;
    }
    Ok(ids.len())
}

fn cannot(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Machine, format!("the query cannot run: {error}"))
}

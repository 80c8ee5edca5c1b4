//! Message probes over live traffic, of a command or of processes that run already: the capture program's events, decoded, run through the clauses.

use std::collections::HashMap;

use reel_probes::cgroup::Cgroup;
use reel_probes::event::Event;
use reel_probes::programs::Whose;
use reel_probes::sockets::{self, Socket};

use super::listener::Listener;
use super::messages::Messages;
use crate::capture::connections::{Connections, Moment, NOBODY};
use crate::capture::joining::Joined;
use crate::capture::kernel::{Capture, Settings};
use crate::capture::names::{self, Cgroups};
use crate::exit::Failure;

/// The most threads whose names are remembered; beyond it they are asked for again.
const MAX_COMMS: usize = 65_536;

/// A capture whose exchanges run through message clauses.
pub struct Live {
    capture: Capture,
    connections: Connections,
    listener: Listener,
    threads: Threads,
    pub messages: Messages,
    bad_records: u64,
}

/// How traffic is captured for message clauses: what no clause can want stays in the kernel.
fn settings(whose: Whose, messages: &Messages) -> Settings {
    let (transports, filters) = (messages.transports(), messages.filters().clone());
    Settings { whose, transports, filters, ..Settings::default() }
}

/// What is known of the threads that hold the conversations.
struct Threads {
    known: HashMap<u32, (String, Option<u64>)>,
    /// Where a clause reads the cgroup.
    cgroups: Option<Cgroups>,
}

impl Live {
    /// Starts to capture the sockets of a cgroup.
    ///
    /// # Errors
    /// What this machine cannot do.
    pub fn start(cgroup: &Cgroup, messages: Messages) -> Result<Live, Failure> {
        let capture = Capture::start(cgroup, &settings(Whose::App, &messages))?;
        Ok(Live::of(capture, Connections::default(), messages))
    }

    /// Starts to capture what processes exchange that run already. Connections that are open are those of the network namespace of
    /// a process, or of reel's own.
    ///
    /// # Errors
    /// What this machine cannot do.
    pub fn watch(whose: Whose, namespace_of: Option<u32>, messages: Messages) -> Result<Live, Failure> {
        let capture = Capture::watch(&settings(whose, &messages))?;
        // Asked once the capture is at work: what opens from now on, it sees.
        let mut open = sockets::tcp(namespace_of).unwrap_or_else(|error| {
            eprintln!("reel: warning: connections that are open already cannot be listed, and are left out: {error}");
            Vec::new()
        });
        let filters = messages.filters();
        let is_unwanted = |socket: &mut Socket| !socket.is_listening && !filters.may_want(socket.local, socket.remote);
        let unwanted = open.extract_if(.., is_unwanted).map(|socket| socket.cookie).collect();
        Ok(Live::of(capture, Connections::of_others(&open, unwanted), messages))
    }

    fn of(capture: Capture, connections: Connections, messages: Messages) -> Live {
        let wants = messages.wants();
        let cgroups = wants.cgroup.then(Cgroups::default);
        let listener = Listener::new(wants);
        let threads = Threads { known: HashMap::new(), cgroups };
        Live { capture, connections, listener, threads, messages, bad_records: 0 }
    }

    /// Takes every event that waits, and runs the clauses.
    pub fn take(&mut self) {
        let Live { capture, connections, listener, threads, bad_records, .. } = self;
        capture.records(|record| match Event::parse(record) {
            Ok(event) => {
                threads.remember(&event);
                connections.event(&event, listener);
            }
            Err(_) => *bad_records += 1,
        });
        capture.leave_out(&connections.newly_unwanted());
        self.run();
    }

    /// Ends every connection: nothing more will come.
    pub fn finish(&mut self) {
        self.capture.stop();
        self.take();
        self.connections.finish(Moment { time_ns: 0, task: NOBODY }, &mut self.listener);
        self.run();
    }

    fn run(&mut self) {
        while let Some(mut occurrence) = self.listener.next_occurrence() {
            let tid = occurrence.moment().task.tid;
            if let Some((comm, cgroup)) = self.threads.known.get(&tid) {
                occurrence.comm.clone_from(comm);
                occurrence.cgroup = *cgroup;
            }
            self.messages.hear(&occurrence);
        }
    }

    /// What was not whole, a sentence each, for people.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.listener.notes();
        notes.extend(self.connections.left_out().told("clause"));
        notes.extend(self.joined());
        notes
    }

    /// What became of connections that were open before.
    fn joined(&self) -> Option<String> {
        let Joined { connections, picked_up, skipped_bytes } = self.connections.joined();
        let untold = connections - picked_up;
        (connections > 0).then(|| {
            format!(
                "{connections} of the connections that were open before were used: {picked_up} picked up at a request after \
                 {skipped_bytes} bytes, {untold} could not be told"
            )
        })
    }

    /// Records and bytes that were lost.
    pub fn lost(&self) -> u64 {
        self.capture.lost_records() + self.bad_records
    }
}

impl Threads {
    fn remember(&mut self, event: &Event<'_>) {
        let task = event.task();
        if self.known.len() >= MAX_COMMS {
            self.known.clear();
        }
        let Threads { known, cgroups } = self;
        known.entry(task.tid).or_insert_with(|| (names::comm(task), cgroups.as_mut().and_then(|all| all.of(task))));
    }
}

//! What runs, numbered in the order in which it was started: queries, and commands that make traffic for them.
//!
//! The numbers are never used twice. What a query left in its maps stays until another one has a map of that name.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crossbeam_channel::{Receiver, never, select};

use super::query::{Compiled, From, Held, Left, Notice, Query};
use super::screen::Screen;
use super::traffic::{Command, Traffic};
use crate::engine::source::Source;
use crate::exit::{Exit, Failure};
use crate::output::map::Cut;

/// The most that may run at once.
const MAX_JOBS: usize = 32;

/// All that runs.
pub struct Jobs {
    screen: Arc<Screen>,
    /// Ctrl-C while no line is edited.
    interrupts: Receiver<()>,
    jobs: BTreeMap<u32, Job>,
    next: u32,
    /// What ended queries left, by the map's name.
    left: BTreeMap<String, Held>,
    /// How what has ended did, all taken together.
    exit: Exit,
    /// The last: its cgroup may go only when nothing listens to it.
    traffic: Traffic,
}

struct Job {
    text: String,
    /// The maps of a query.
    maps: Vec<String>,
    work: Work,
}

enum Work {
    Query(Query),
    Command(Command),
}

impl Jobs {
    /// Nothing runs yet.
    pub fn new(screen: Arc<Screen>, interrupts: Receiver<()>) -> Self {
        let traffic = Traffic::default();
        Jobs { screen, interrupts, jobs: BTreeMap::new(), next: 1, left: BTreeMap::new(), exit: Exit::Passed, traffic }
    }

    /// Attaches a query to a source, and returns when it runs or has ended, as it has over the past; Ctrl-C ends it.
    ///
    /// # Errors
    /// What is wrong with it: then it does not run.
    pub fn query(&mut self, text: &str, compiled: Compiled, source: &Source) -> Result<(), Failure> {
        self.has_room()?;
        let listens = compiled.messages.is_some() && matches!(source, Source::Command(_));
        let from = if listens { From::Cgroup(self.traffic.cgroup()?) } else { From::Source(source.clone()) };
        let maps = compiled.program.maps.iter().map(|map| map.name.clone()).collect();
        let query = Query::start(compiled, from, self.screen.clone())?;
        loop {
            select! {
                recv(query.notices) -> notice => match notice {
                    Ok(Notice::Attached { is_over: true, .. }) => {}
                    Ok(Notice::Attached { probes, .. }) => {
                        let noun = if probes == 1 { "probe" } else { "probes" };
                        let hint = if listens && !self.has_commands() { "; `:run COMMAND` gives it traffic" } else { "" };
                        let id = self.add(text, maps, Work::Query(query));
                        self.screen.show(&format!("[{id}] Attached {probes} {noun}{hint}\n"));
                        return Ok(());
                    }
                    Ok(Notice::Ended(ended)) => return ended.map(|left| self.keep(left)),
                    Err(_) => return Err(Failure::new(Exit::Machine, "the query came to nothing")),
                },
                recv(self.interrupts) -> _ => query.stop(),
            }
        }
    }

    /// Starts a command.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub fn run(&mut self, text: &str) -> Result<(), Failure> {
        self.has_room()?;
        let command = self.traffic.run(text, self.screen.clone())?;
        let id = self.add(&format!(":run {text}"), Vec::new(), Work::Command(command));
        self.screen.show(&format!("[{id}] running {text}\n"));
        Ok(())
    }

    fn has_room(&self) -> Result<(), Failure> {
        if self.jobs.len() < MAX_JOBS {
            return Ok(());
        }
        Err(Failure::new(Exit::Usage, format!("{MAX_JOBS} clauses and commands run already"))
            .remedy("end one of them: `:list` shows their numbers, `:stop N` ends one"))
    }

    fn add(&mut self, text: &str, maps: Vec<String>, work: Work) -> u32 {
        let id = self.next;
        self.next += 1;
        self.jobs.insert(id, Job { text: text.trim().to_owned(), maps, work });
        id
    }

    fn has_commands(&self) -> bool {
        self.jobs.values().any(|job| matches!(job.work, Work::Command(_)))
    }

    /// How what has ended did: the worst of it.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    fn keep(&mut self, left: Left) {
        self.exit = self.exit.or_worse(left.exit);
        self.left.extend(left.maps.into_iter().map(|held| (held.name.clone(), held)));
    }

    /// Forgets what has ended by itself, and says so.
    pub fn reap(&mut self) {
        let ids: Vec<u32> = self.jobs.keys().copied().collect();
        for id in ids {
            let how = match self.jobs.get(&id).map(|job| &job.work) {
                Some(Work::Query(query)) => query.notices.try_recv().ok().map(End::Query),
                Some(Work::Command(command)) => command.ended.try_recv().ok().map(End::Command),
                None => None,
            };
            if let Some(how) = how {
                self.ended(id, how);
            }
        }
    }

    fn ended(&mut self, id: u32, how: End) {
        self.jobs.remove(&id);
        match how {
            End::Query(Notice::Ended(Ok(left))) => {
                self.keep(left);
                self.screen.show(&format!("[{id}] ended\n"));
            }
            End::Query(Notice::Ended(Err(failure))) => self.failed(id, &failure),
            End::Query(Notice::Attached { .. }) => {}
            End::Command(how) => self.screen.show(&format!("[{id}] {how}\n")),
        }
    }

    /// Ends a query or a command, and returns when it has ended.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn stop(&mut self, id: u32) -> Result<(), Failure> {
        let Some(job) = self.jobs.remove(&id) else {
            return Err(Failure::new(Exit::Usage, format!("nothing runs as {id}"))
                .remedy("`:list` shows what runs, each with its number"));
        };
        match job.work {
            Work::Query(query) => {
                query.stop();
                match query.notices.recv() {
                    Ok(Notice::Ended(Err(failure))) => return Err(failure),
                    Ok(Notice::Ended(Ok(left))) => self.keep(left),
                    _ => {}
                }
            }
            Work::Command(command) => command.stop(),
        }
        self.screen.show(&format!("[{id}] stopped\n"));
        Ok(())
    }

    /// The newest query, else the newest command.
    pub fn newest(&self) -> Option<u32> {
        let newest = |is_query: bool| {
            self.jobs.iter().rev().find(|(_, job)| matches!(job.work, Work::Query(_)) == is_query).map(|(id, _)| *id)
        };
        newest(true).or_else(|| newest(false))
    }

    /// Waits until every command has ended, or where none runs every query; Ctrl-C ends the waiting, and tells so.
    pub fn wait(&mut self) -> bool {
        let waits_for_commands = self.has_commands();
        loop {
            let next = self.jobs.iter().find(|(_, job)| matches!(job.work, Work::Command(_)) == waits_for_commands);
            let Some((&id, job)) = next else { return true };
            let (nothing, nobody) = (never(), never());
            let (notices, ended) = match &job.work {
                Work::Query(query) => (&query.notices, &nobody),
                Work::Command(command) => (&nothing, &command.ended),
            };
            let how = select! {
                recv(notices) -> notice => notice.ok().map(End::Query),
                recv(ended) -> how => how.ok().map(End::Command),
                recv(self.interrupts) -> _ => return false,
            };
            match how {
                Some(how) => self.ended(id, how),
                None => drop(self.jobs.remove(&id)),
            }
        }
    }

    /// Whether Ctrl-C came while nobody waited for it.
    pub fn was_interrupted(&self) -> bool {
        self.interrupts.try_iter().count() > 0
    }

    /// What runs, a line each.
    pub fn list(&self) -> String {
        let mut out = String::new();
        for (id, job) in &self.jobs {
            let _ = writeln!(out, "[{id}] {}", job.text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        if out.is_empty() { "nothing runs\n".to_owned() } else { out }
    }

    /// The names of all maps, with `@`.
    pub fn map_names(&self) -> Vec<String> {
        self.jobs.values().flat_map(|job| job.maps.iter().cloned()).chain(self.left.keys().cloned()).collect()
    }

    /// The texts of the queries that run.
    pub fn queries(&self) -> Vec<(u32, &str)> {
        let is_query = |job: &&Job| matches!(job.work, Work::Query(_));
        self.jobs.iter().filter(|(_, job)| is_query(job)).map(|(id, job)| (*id, job.text.as_str())).collect()
    }

    /// The maps with this name, or all: those of running queries with their numbers, then what ended ones have left.
    ///
    /// # Errors
    /// A map cannot be read.
    pub fn maps(&self, name: Option<&str>, cut: Cut) -> Result<Vec<(Option<u32>, Held)>, Failure> {
        let mut found = Vec::new();
        for (id, job) in &self.jobs {
            if let Work::Query(query) = &job.work {
                found.extend(query.maps(name, cut)?.into_iter().map(|held| (Some(*id), held)));
            }
        }
        let is_shown = |held: &&Held| {
            name.is_none_or(|name| name == held.name) && !found.iter().any(|(_, other)| other.name == held.name)
        };
        let left: Vec<_> = self.left.values().filter(is_shown).map(|held| (None, held.clone())).collect();
        found.extend(left);
        Ok(found)
    }

    /// Empties the maps with this name, or all, and forgets what was left in them; tells how many there were.
    ///
    /// # Errors
    /// A map cannot be emptied.
    pub fn clear(&mut self, name: Option<&str>) -> Result<usize, Failure> {
        let mut count = 0;
        for job in self.jobs.values() {
            if let Work::Query(query) = &job.work {
                count += query.clear(name)?;
            }
        }
        let before = self.left.len();
        self.left.retain(|other, _| name.is_some_and(|name| name != other));
        Ok(count + before - self.left.len())
    }

    /// Ends everything, the newest first, queries before the commands that they listen to.
    pub fn stop_all(&mut self) {
        while let Some(id) = self.newest() {
            if let Err(failure) = self.stop(id) {
                self.failed(id, &failure);
            }
        }
    }

    fn failed(&mut self, id: u32, failure: &Failure) {
        self.exit = self.exit.or_worse(failure.exit);
        self.screen.show(&format!("[{id}] failed: {failure}\n"));
    }
}

enum End {
    Query(Notice),
    Command(String),
}

//! A run over messages of the past: a recording, or a packet file.
//!
//! Nothing is attached and nothing needs privilege: `begin`, `end` and `interval` run natively with the message clauses. Time is the
//! messages': an interval fires when the messages have gone past it, each beat at its own time, before the message that comes after.

mod ahead;
mod packets;
mod recording;
mod timers;

use std::collections::VecDeque;
use std::io;

use reel_lang::hir::{self, MapId};
use reel_lang::span::SourceMap;

use super::clock::Clock;
use super::messages::{Messages, When};
use super::names::ProgramNames;
use super::occurrence::Occurrence;
use super::printer::Printer;
use super::run::Shown;
use super::screen::{NATIVE, Screen};
use crate::exit::{Exit, Failure};
use crate::output::map::Cut;
use timers::Timers;

pub use packets::Captured;
pub use recording::Recorded;

/// How many steps are taken between two looks at signals.
const STEPS_BETWEEN_SIGNALS: u32 = 256;

/// Messages that are over, in the order of their time.
pub trait Past {
    /// The time of the first of them; what is still written is waited for.
    ///
    /// # Errors
    /// The source's.
    fn clock(&mut self) -> Result<Clock, Failure>;

    /// Goes on to the next moment, adds what has happened by then, and tells its time; none at the end.
    ///
    /// # Errors
    /// What the source has become unreadable for.
    fn step(&mut self, told: &mut VecDeque<Occurrence>) -> Result<Option<u64>, Failure>;

    /// Whether it ends by itself when the run is to end: a pipe is read on until it is empty.
    fn ends_itself(&self) -> bool {
        false
    }

    /// Whether the next step would wait for somebody.
    fn is_idle(&self) -> bool {
        false
    }

    /// What was not whole, a sentence each, for people.
    fn notes(&self) -> Vec<String>;
}

/// A program to run over the past.
pub struct Request<'a> {
    pub sources: &'a SourceMap,
    pub program: hir::Program,
    pub messages: Messages,
    pub shown: Shown,
}

/// A program at work over the past, and what it prints.
pub struct Run {
    messages: Messages,
    screen: Screen,
    timers: Timers,
    clock: Clock,
    /// Whether something was printed that nobody has seen yet.
    is_unseen: bool,
}

impl Run {
    /// Starts a program where its source begins.
    ///
    /// # Errors
    /// The source's.
    pub fn start(request: Request<'_>, past: &mut dyn Past) -> Result<Run, Failure> {
        let Request { sources, program, mut messages, shown } = request;
        let clock = past.clock()?;
        messages.set_clock(clock);
        let names = ProgramNames::new(Vec::new(), messages.names());
        let printer = Printer::new(shown.out, shown.errors, shown.format, Box::new(names));
        let screen = Screen::new(printer, program, sources, &[], messages.outputs());
        let timers = Timers::new(&messages, clock.start_ns);
        Ok(Run { messages, screen, timers, clock, is_unseen: false })
    }

    /// Says how many probes there are.
    ///
    /// # Errors
    /// The output's.
    pub fn attached(&mut self) -> Result<(), Failure> {
        self.screen.attached(self.messages.count())
    }

    /// How many probes there are.
    pub fn probes(&self) -> usize {
        self.messages.count()
    }

    /// Runs to the end of the source, or until `stop` says so now and then.
    ///
    /// # Errors
    /// The source's, once everything before its damage was shown; or the output's.
    pub fn go(&mut self, past: &mut dyn Past, stop: &mut dyn FnMut() -> bool) -> Result<Exit, Failure> {
        self.moments(When::Begin)?;
        let outcome = self.steps(past, stop);
        let maps = self.messages.notes(self.screen.maps());
        for note in past.notes().into_iter().chain(self.timers.note()).chain(maps) {
            eprintln!("reel: {note}");
        }
        let exit = self.finish()?;
        outcome.map(|()| exit)
    }

    /// The maps of the program.
    pub fn maps(&self) -> &[hir::Map] {
        self.screen.maps()
    }

    /// How many entries a map has, and the map as it would be printed.
    ///
    /// # Errors
    /// None: nothing outside is asked.
    pub fn map_text(&self, id: MapId, cut: Cut) -> io::Result<Option<(usize, String)>> {
        self.screen.map_text(id, cut, &self.messages)
    }

    /// Takes one moment after the other until the source ends, the script exits, or it is stopped.
    fn steps(&mut self, past: &mut dyn Past, stop: &mut dyn FnMut() -> bool) -> Result<(), Failure> {
        let mut told = VecDeque::new();
        let mut steps = 0u32;
        while self.screen.exit.is_none() {
            if self.is_unseen && past.is_idle() {
                self.screen.flush()?;
                self.is_unseen = false;
            }
            let Some(now_ns) = past.step(&mut told)? else { break };
            self.advance(now_ns)?;
            while let Some(occurrence) = told.pop_front()
                && self.screen.exit.is_none()
            {
                self.messages.hear(&occurrence);
                self.show()?;
            }
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(STEPS_BETWEEN_SIGNALS) && !past.ends_itself() && stop() {
                break;
            }
        }
        Ok(())
    }

    /// Fires the intervals that lie before a time, in order.
    fn advance(&mut self, now_ns: u64) -> Result<(), Failure> {
        while self.screen.exit.is_none()
            && let Some((index, due_ns)) = self.timers.next_due(now_ns)
        {
            self.set_time(due_ns);
            self.messages.moment(index, due_ns);
            self.show()?;
            self.screen.flush()?;
        }
        self.set_time(now_ns);
        Ok(())
    }

    /// Time never goes back, whatever the source says.
    fn set_time(&mut self, now_ns: u64) {
        self.clock.now_ns = self.clock.now_ns.max(now_ns);
        self.screen.printer.at(self.clock);
    }

    fn moments(&mut self, which: When) -> Result<(), Failure> {
        let found: Vec<usize> =
            self.messages.moments().filter(|(_, when)| *when == which).map(|(index, _)| index).collect();
        self.screen.printer.at(self.clock);
        for index in found {
            self.messages.moment(index, self.clock.now_ns);
        }
        self.show()
    }

    fn show(&mut self) -> Result<(), Failure> {
        let events = self.messages.events();
        if events.is_empty() {
            return Ok(());
        }
        self.is_unseen = true;
        self.screen.emit_all(NATIVE, events, &mut self.messages)
    }

    fn finish(&mut self) -> Result<Exit, Failure> {
        let asked = self.screen.exit.take();
        self.moments(When::End)?;
        self.screen.finish(0, &self.messages)?;
        Ok(asked.or(self.screen.exit).unwrap_or(Exit::Passed))
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! A run over messages of the past: a recording, or a packet file.
//!
//! Nothing is attached and nothing needs privilege: `begin`, `end` and `interval` run natively with the message clauses. Time is the
//! messages': an interval fires when the messages have gone past it, each beat at its own time, before the message that comes after.

mod packets;
mod recording;
mod timers;

use std::collections::VecDeque;
use std::io::{self, Write};

use reel_lang::diagnostic::Diagnostics;
use reel_lang::hir;
use reel_lang::span::SourceMap;

use super::clock::Clock;
use super::compile;
use super::messages::{Messages, When};
use super::names::ProgramNames;
use super::occurrence::Occurrence;
use super::printer::Printer;
use super::screen::{NATIVE, Screen, cannot};
use super::signals::Signals;
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use timers::Timers;

pub use packets::Captured;
pub use recording::Recorded;

/// How many steps are taken between two looks at signals.
const STEPS_BETWEEN_SIGNALS: u32 = 256;

/// Messages that are over, in the order of their time.
pub trait Past {
    /// The time of the first of them.
    fn clock(&self) -> Clock;

    /// Goes on to the next moment, adds what has happened by then, and tells its time; none at the end.
    ///
    /// # Errors
    /// What the source has become unreadable for.
    fn step(&mut self, told: &mut VecDeque<Occurrence>) -> Result<Option<u64>, Failure>;

    /// What was not whole, a sentence each, for people.
    fn notes(&self) -> Vec<String>;
}

/// A program to run over the past.
pub struct Request<'a> {
    pub sources: &'a SourceMap,
    pub program: hir::Program,
    pub warnings: Diagnostics,
    pub messages: Messages,
    pub out: Box<dyn Write>,
    pub format: Format,
    pub is_quiet: bool,
}

/// Runs a program to the end of its source.
///
/// # Errors
/// The source's, once everything before its damage was shown; or the output's.
pub fn run(request: Request<'_>, past: &mut dyn Past) -> Result<Exit, Failure> {
    compile::eprint_all(&request.warnings, request.sources);
    let mut signals = Signals::take().map_err(|error| cannot("take over signals", &error))?;
    let mut messages = request.messages;
    let clock = past.clock();
    messages.set_clock(clock);
    let names = ProgramNames::new(Vec::new());
    let printer = Printer::new(request.out, Box::new(io::stderr()), request.format, Box::new(names));
    let screen = Screen::new(printer, request.program, request.sources, &[], messages.outputs());
    let timers = Timers::new(&messages, clock.start_ns);
    let count = messages.count();
    let mut run = Run { messages, screen, timers, clock };
    if !request.is_quiet {
        run.screen.attached(count)?;
    }
    run.moments(When::Begin)?;
    let outcome = run.steps(past, &mut signals);
    for note in past.notes().into_iter().chain(run.timers.note()) {
        eprintln!("reel: {note}");
    }
    let exit = run.finish()?;
    outcome.map(|()| exit)
}

struct Run {
    messages: Messages,
    screen: Screen,
    timers: Timers,
    clock: Clock,
}

impl Run {
    /// Takes one moment after the other until the source ends, the script exits, or a signal comes.
    fn steps(&mut self, past: &mut dyn Past, signals: &mut Signals) -> Result<(), Failure> {
        let mut told = VecDeque::new();
        let mut steps = 0u32;
        while self.screen.exit.is_none() {
            let now_ns = match past.step(&mut told) {
                Ok(Some(now_ns)) => now_ns,
                Ok(None) => break,
                // A signal also interrupts a source that is being written.
                Err(_) if signals.take_next().is_some() => break,
                Err(failure) => return Err(failure),
            };
            self.advance(now_ns)?;
            while let Some(occurrence) = told.pop_front()
                && self.screen.exit.is_none()
            {
                self.messages.hear(&occurrence);
                self.show()?;
            }
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(STEPS_BETWEEN_SIGNALS) && signals.take_next().is_some() {
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
        if events.is_empty() { Ok(()) } else { self.screen.emit_all(NATIVE, events, &mut self.messages) }
    }

    fn finish(mut self) -> Result<Exit, Failure> {
        let asked = self.screen.exit.take();
        self.moments(When::End)?;
        self.screen.finish(0, &self.messages)?;
        Ok(asked.or(self.screen.exit).unwrap_or(Exit::Passed))
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! The interactive prompt: a clause that is entered is attached at once, and runs while the next one is written.
//!
//! An input is whole when its brackets are closed. What is wrong with it is shown and changes nothing. Each input has one of three
//! fates: it is a command (`command`), definitions that stay (`definitions`), or clauses, which become a query (`query`) on a
//! thread of its own, numbered among all that runs (`jobs`). What queries print goes to the `screen`. On a terminal `terminal`
//! edits lines and remembers them; from a pipe inputs come line by line, without a prompt.

mod about;
mod command;
mod definitions;
mod highlight;
mod input;
mod jobs;
mod query;
mod screen;
mod source;
mod terminal;
mod traffic;
mod words;

use std::fmt::Write as _;
use std::io::{BufRead, IsTerminal, Read, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, unbounded};
use signal_hook::consts::SIGINT;

use crate::cli::{Outcome, report, sources};
use crate::engine::signals;
use crate::engine::source::Source;
use crate::exit::{Exit, Failure};
use crate::list;
use crate::output::map::Cut;
pub use command::COMMANDS;
use command::{Verb, help};
use definitions::{Definitions, Entered};
use input::{Input, Pending};
use jobs::Jobs;
use screen::Screen;
use terminal::{Key, Terminal};

/// The name of what is entered, in diagnostics.
const NAME: &str = "prompt";
/// The most probes that `:probes` lists.
const MAX_PROBES: usize = 200;

/// Runs the prompt until it is left; then nothing of it is attached any more.
///
/// # Errors
/// The terminal cannot be read. What is wrong with an input is shown and ends nothing.
pub fn run(allow_unsafe: bool, source: Source) -> Outcome {
    let interrupts = interrupts()
        .map_err(|error| Failure::new(Exit::Machine, format!("cannot take over the interrupt signal: {error}")))?;
    let screen = Arc::new(Screen::default());
    let jobs = Jobs::new(screen.clone(), interrupts);
    let definitions = Definitions::new(allow_unsafe);
    let mut prompt =
        Prompt { definitions, jobs, screen, source: Source::Machine, has_said_machine: false, exit: Exit::Passed };
    let is_terminal = std::io::stdin().is_terminal();
    let outcome = prompt
        .start(source)
        .and_then(|()| if is_terminal { prompt.terminal() } else { prompt.pipe(std::io::stdin().lock()) });
    prompt.jobs.stop_all();
    // Who types has seen what was wrong; a pipe is told by the exit code.
    let exit = if is_terminal { Exit::Passed } else { prompt.exit.or_worse(prompt.jobs.exit()) };
    outcome.map(|left| left.or_worse(exit))
}

/// Ctrl-C while no line is edited, as messages.
fn interrupts() -> std::io::Result<Receiver<()>> {
    let (mut receive, _) = signals::channel(SIGINT)?;
    let (tell, interrupts) = unbounded();
    std::thread::Builder::new().name("interrupts".to_owned()).spawn(move || {
        let mut byte = [0];
        while receive.read_exact(&mut byte).is_ok() && tell.send(()).is_ok() {}
    })?;
    Ok(interrupts)
}

/// What follows an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    Leave,
}

/// The prompt's state.
struct Prompt {
    definitions: Definitions,
    jobs: Jobs,
    screen: Arc<Screen>,
    /// What message clauses are about.
    source: Source,
    /// Whether it was said what the whole machine means.
    has_said_machine: bool,
    /// What was wrong with the inputs: the worst of it.
    exit: Exit,
}

impl Prompt {
    /// Begins with what the command line names.
    fn start(&mut self, source: Source) -> Result<(), Failure> {
        self.source = match source {
            Source::Process(id) => source::live(&id.to_string())?,
            Source::Cgroup(path) => source::live(&path.to_string_lossy())?,
            Source::Recording(dir) => source::recording(&dir)?,
            Source::Packets(file, hosts) => source::packets(&file, hosts)?,
            Source::Machine => return Ok(()),
            Source::Command(command) => {
                self.jobs.run(&command)?;
                source::live("run")?
            }
        };
        self.screen.show(&source::said(&self.source));
        Ok(())
    }

    /// Takes messages from somewhere else from now on; what runs already stays where it is.
    fn change(&mut self, source: Source) -> String {
        self.has_said_machine |= source == Source::Machine;
        self.source = source;
        source::said(&self.source)
    }

    /// Reads inputs from the terminal until it is left.
    fn terminal(&mut self) -> Outcome {
        let mut terminal = Terminal::open(self.screen.clone())?;
        loop {
            // Ctrl-C that came between two lines is meant as any other.
            terminal.know_maps(self.jobs.map_names());
            let key = if self.jobs.was_interrupted() { Key::Interrupt } else { terminal.read()? };
            self.jobs.reap();
            let next = match key {
                Key::Entered(text) => self.take(&text),
                Key::Interrupt => {
                    if let Some(id) = self.jobs.newest() {
                        let done = self.jobs.stop(id);
                        self.tell(done);
                    }
                    Next::Read
                }
                Key::Leave => Next::Leave,
            };
            if next == Next::Leave {
                return Ok(Exit::Passed);
            }
        }
    }

    /// Reads inputs from a pipe; its end ends the last one, whole or not, and then what runs may come to its own end.
    fn pipe(&mut self, lines: impl BufRead) -> Outcome {
        let mut pending = Pending::default();
        for line in lines.lines() {
            let line =
                line.map_err(|error| Failure::new(Exit::Usage, format!("cannot read standard input: {error}")))?;
            if let Some(text) = pending.line(&line)
                && self.take(&text) == Next::Leave
            {
                return Ok(Exit::Passed);
            }
        }
        if let Some(text) = pending.rest()
            && self.take(&text) == Next::Leave
        {
            return Ok(Exit::Passed);
        }
        let is_over = self.jobs.wait();
        Ok(if is_over { Exit::Passed } else { Exit::Interrupted })
    }

    /// Does what an input says, and shows what is wrong with it.
    fn take(&mut self, text: &str) -> Next {
        self.jobs.reap();
        let done = match Input::of(text) {
            Input::Nothing => Ok(()),
            Input::Command(Verb::Quit, _) => return Next::Leave,
            Input::Command(verb, argument) => self.command(verb, argument),
            Input::Unknown(word) => Err(Failure::new(Exit::Usage, format!("there is no command `{word}`"))
                .remedy("`:help` lists what there is")),
            Input::Program(text) => self.program(NAME, text),
        };
        self.tell(done);
        Next::Read
    }

    fn tell(&mut self, done: Result<(), Failure>) {
        if let Err(failure) = done {
            self.exit = self.exit.or_worse(failure.exit);
            report(&failure);
        }
    }

    /// Keeps definitions, or attaches clauses.
    fn program(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        match self.definitions.enter(name, text, &self.source)? {
            Entered::Kept => Ok(()),
            Entered::Clauses(compiled) => {
                let is_everywhere = compiled.messages.is_some() && self.source == Source::Machine;
                if is_everywhere && !std::mem::replace(&mut self.has_said_machine, true) {
                    self.screen.show(&source::said(&self.source));
                }
                self.jobs.query(text, *compiled, &self.source)
            }
        }
    }

    fn command(&mut self, verb: Verb, argument: &str) -> Result<(), Failure> {
        let said = match verb {
            Verb::Help | Verb::Quit => help(),
            Verb::List => self.jobs.list(),
            Verb::Maps => self.maps()?,
            Verb::Print => self.print(argument)?,
            Verb::Plan => self.plan(argument)?,
            Verb::Probes => listed(argument)?,
            Verb::Doc => about::about(wanted(argument, "a name")?)?,
            Verb::Live => {
                let source = source::live(argument)?;
                self.change(source)
            }
            Verb::From => {
                let source = source::recording(Path::new(wanted(argument, "a recording")?))?;
                self.change(source)
            }
            Verb::Pcap => {
                let (file, hosts) = source::file_and_hosts(wanted(argument, "a packet file")?);
                let source = source::packets(&file, hosts)?;
                self.change(source)
            }
            Verb::Stop => return self.stop(argument),
            Verb::Run => return self.jobs.run(wanted(argument, "a command line")?),
            Verb::Clear => return self.clear(argument),
            Verb::Load => return self.load(Path::new(wanted(argument, "a file")?)),
            Verb::Save => self.save(Path::new(wanted(argument, "a file")?))?,
            Verb::Wait => {
                if !self.jobs.wait() {
                    return Err(Failure::new(Exit::Interrupted, "not waited for longer"));
                }
                String::new()
            }
        };
        self.screen.show(&said);
        Ok(())
    }

    fn stop(&mut self, argument: &str) -> Result<(), Failure> {
        match (argument.parse(), self.jobs.newest()) {
            (Ok(id), _) => self.jobs.stop(id),
            (Err(_), Some(id)) if argument.is_empty() => self.jobs.stop(id),
            (Err(_), None) if argument.is_empty() => Err(Failure::new(Exit::Usage, "nothing runs")),
            _ => Err(Failure::new(Exit::Usage, format!("`{argument}` is no number"))
                .remedy("`:list` shows what runs, each with its number")),
        }
    }

    fn maps(&self) -> Result<String, Failure> {
        let mut out = String::new();
        for (id, held) in self.jobs.maps(None, Cut::default())? {
            let noun = if held.count == 1 { "entry" } else { "entries" };
            let whose = id.map_or("of an ended clause".to_owned(), |id| format!("[{id}]"));
            let _ = writeln!(out, "{}  {} {noun}  {whose}", held.name, held.count);
        }
        Ok(if out.is_empty() { "there are no maps\n".to_owned() } else { out })
    }

    fn print(&self, argument: &str) -> Result<String, Failure> {
        let (name, top) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
        let name = wanted(name, "a map")?;
        let top = match top.trim() {
            "" => 0,
            number => number.parse().map_err(|_| {
                Failure::new(Exit::Usage, format!("`{number}` is no number")).remedy("`:print @m 5` is right")
            })?,
        };
        let found = self.jobs.maps(Some(name), Cut { top, div: 0 })?;
        if found.is_empty() {
            return Err(no_map(name));
        }
        Ok(found.into_iter().map(|(_, held)| held.text).collect())
    }

    fn clear(&mut self, argument: &str) -> Result<(), Failure> {
        let name = Some(argument).filter(|name| !name.is_empty());
        match (self.jobs.clear(name)?, name) {
            (0, Some(name)) => Err(no_map(name)),
            _ => Ok(()),
        }
    }

    /// The plan of a running query, by its number or the newest, or of a text.
    fn plan(&self, argument: &str) -> Result<String, Failure> {
        let queries = self.jobs.queries();
        let number: Option<u32> = argument.parse().ok();
        let text = match number {
            Some(number) => queries.iter().find(|(id, _)| *id == number).map(|(_, text)| *text),
            None if argument.is_empty() => queries.last().map(|(_, text)| *text),
            None => Some(argument),
        };
        let none =
            || Failure::new(Exit::Usage, "no clause runs").remedy("name its number, or write it: `:plan CLAUSE`");
        self.definitions.plan(NAME, text.ok_or_else(none)?)
    }

    fn load(&mut self, file: &Path) -> Result<(), Failure> {
        let mut read = reel_lang::span::SourceMap::new();
        let ids = sources::read(&mut read, &[PathBuf::from(file)], &[])?;
        let text = ids.first().and_then(|id| read.file(*id)).map(|file| file.text().to_owned()).unwrap_or_default();
        self.program(&file.display().to_string(), &text)
    }

    fn save(&self, file: &Path) -> Result<String, Failure> {
        let queries = self.jobs.queries();
        let texts = self.definitions.texts().iter().map(String::as_str).chain(queries.iter().map(|(_, text)| *text));
        let text = texts.collect::<Vec<_>>().join("\n\n");
        if text.is_empty() {
            return Err(Failure::new(Exit::Usage, "there is nothing to save: no definition, and no clause runs"));
        }
        let written = std::fs::File::create_new(file).and_then(|mut file| writeln!(file, "{text}"));
        written.map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot write {}: {error}", file.display()))
                .remedy("name a file that does not exist yet, in a folder that does")
        })?;
        Ok(format!("saved {}\n", file.display()))
    }
}

/// The probes that a pattern names, after `-v` with what can be asked of each.
fn listed(argument: &str) -> Result<String, Failure> {
    let details = argument.strip_prefix("-v").filter(|rest| rest.starts_with(char::is_whitespace));
    let pattern = wanted(details.unwrap_or(argument).trim(), "a pattern")?;
    let (mut out, mut count) = (String::new(), 0);
    list::list(pattern, &mut |entry| {
        count += 1;
        if count <= MAX_PROBES {
            out += &list::text(entry, details.is_some());
        }
        ControlFlow::Continue(())
    })?;
    if count > MAX_PROBES {
        let _ = writeln!(out, "... and {} more", count - MAX_PROBES);
    }
    Ok(out)
}

fn wanted<'a>(argument: &'a str, what: &str) -> Result<&'a str, Failure> {
    if argument.is_empty() {
        return Err(
            Failure::new(Exit::Usage, format!("{what} is missing")).remedy("`:help` shows what each command wants")
        );
    }
    Ok(argument)
}

fn no_map(name: &str) -> Failure {
    Failure::new(Exit::Usage, format!("there is no map `{name}`")).remedy("`:maps` lists them; a name begins with `@`")
}

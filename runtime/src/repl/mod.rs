//! The interactive prompt: a clause that is entered runs until Ctrl-C, and shows its maps when it ends.
//!
//! An input is whole when its brackets are closed. What is wrong with it is shown and changes nothing. Macros, noise classes and
//! definitions that are entered alone stay for the inputs after them; clauses do not. On a terminal [`terminal`] edits lines and
//! remembers them; from a pipe inputs come line by line, without a prompt.

mod input;
mod terminal;

use std::io::{BufRead, BufWriter, IsTerminal};

use reel_compiler::bpf;
use reel_lang::check::Options;
use reel_lang::parse;
use reel_lang::span::{FileId, SourceMap};

use crate::cli::{Format, Outcome, report};
use crate::engine::environment::Machine;
use crate::engine::messages::Messages;
use crate::engine::source::Source;
use crate::engine::{compile, run};
use crate::exit::{Exit, Failure};
use input::{Input, Pending};
use terminal::Terminal;

/// The name of what is entered, in diagnostics.
const NAME: &str = "prompt";

const HELP: &str = "\
Enter a clause: it runs until Ctrl-C, and its maps are shown at the end.
  begin { printf(\"%d\\n\", 1 + 2); }
  tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }
  interval:s:1 { print(nsecs); }
An input ends with its last closing bracket. Macros and definitions that are entered alone stay.
  :help    this text
  :quit    leave (also Ctrl-D)
";

/// Runs the prompt until it is left.
///
/// # Errors
/// The terminal cannot be read. What is wrong with an input is shown and ends nothing.
pub fn run(allow_unsafe: bool) -> Outcome {
    let mut prompt = Prompt { kept: Vec::new(), allow_unsafe };
    if std::io::stdin().is_terminal() {
        let mut terminal = Terminal::open()?;
        while let Some(text) = terminal.read()? {
            if prompt.take(&text) == Next::Leave {
                break;
            }
        }
        return Ok(Exit::Passed);
    }
    prompt.pipe(std::io::stdin().lock())
}

/// What follows an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    Leave,
}

/// What stays from one input to the next.
struct Prompt {
    /// Definitions, as entered.
    kept: Vec<String>,
    allow_unsafe: bool,
}

impl Prompt {
    /// Reads inputs from a pipe; its end ends the last one, whole or not.
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
        if let Some(text) = pending.rest() {
            self.take(&text);
        }
        Ok(Exit::Passed)
    }

    /// Does what an input says.
    fn take(&mut self, text: &str) -> Next {
        match Input::of(text) {
            Input::Nothing => {}
            Input::Help => eprint!("{HELP}"),
            Input::Quit => return Next::Leave,
            Input::Unknown(word) => report(
                &Failure::new(Exit::Usage, format!("there is no command `{word}`"))
                    .remedy("`:help` lists what there is"),
            ),
            Input::Program(text) => {
                if let Err(failure) = self.program(text) {
                    report(&failure);
                }
            }
        }
        Next::Read
    }

    /// Runs the clauses of an input, after the definitions that were kept; keeps it where it is nothing but definitions.
    fn program(&mut self, text: &str) -> Result<(), Failure> {
        let mut sources = SourceMap::new();
        let mut files: Vec<FileId> = self.kept.iter().map(|kept| sources.add(NAME, kept.as_str())).collect();
        let entered = sources.add(NAME, text);
        files.push(entered);
        let machine = Machine::default();
        let options = Options { allow_unsafe: self.allow_unsafe, ..Options::default() };
        let (program, warnings) =
            compile::front(&sources, &files, &machine, &options).map_err(|faults| faults.failure(&sources))?;
        if program.clauses.is_empty() {
            let parsed = parse::parse(&sources, entered).program;
            if !parsed.items.is_empty() || !parsed.defines.is_empty() || !parsed.c_defs.is_empty() {
                self.kept.push(text.to_owned());
            }
            return Ok(());
        }
        let kernel = compile::kernel(&program, &machine, &compile::kernel_options(), &bpf::Options::default())
            .map_err(|faults| faults.failure(&sources))?;
        let native = compile::native(&program, &kernel).map_err(|faults| faults.failure(&sources))?;
        let messages = Messages::compile(&program, native)?;
        run::run(run::Request {
            sources: &sources,
            program,
            warnings,
            kernel,
            messages,
            source: Source::Machine,
            out: Box::new(BufWriter::new(std::io::stdout())),
            format: Format::Text,
            is_quiet: false,
        })?;
        Ok(())
    }
}

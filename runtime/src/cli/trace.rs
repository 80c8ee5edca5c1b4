//! `reel FILE`, `reel -e PROG`: run a script.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use clap::Parser;

use reel_compiler::bpf;
use reel_lang::check::Options;
use reel_lang::diagnostic::Diagnostics;
use reel_lang::hir::{self, Header};
use reel_lang::span::SourceMap;

use super::{Format, Outcome, print, sources};
use crate::capture::pcap::input::Stop;
use crate::engine::hosts::Host;
use crate::engine::past::{self, Captured, Past, Recorded};
use crate::engine::run::Shown;
use crate::engine::screen::cannot;
use crate::engine::signals::Signals;
use crate::engine::source::Source;
use crate::engine::{self, compile, environment::Machine, messages::Messages};
use crate::exit::{Exit, Failure};
use crate::list::{self, Entry};
use crate::output::frame::Size;

#[derive(Debug, Parser)]
pub struct Args {
    /// Program text; may be given several times.
    #[arg(short = 'e', value_name = "PROG")]
    pub expression: Vec<String>,
    /// Start this command, in a cgroup of its own, and end with it.
    #[arg(short = 'c', value_name = "CMD", group = "source")]
    pub command: Option<String>,
    /// Listen to the messages of this process, and end with it.
    #[arg(short = 'p', value_name = "PID", group = "source")]
    pub process: Option<u32>,
    /// Listen to the messages of this cgroup's processes, and of those below it.
    #[arg(long, value_name = "PATH", group = "source")]
    pub cgroup: Option<PathBuf>,
    /// Take the messages from this recording, in the order of their time.
    #[arg(long, value_name = "RECORDING", group = "source")]
    pub from: Option<PathBuf>,
    /// Take the messages from this packet file, a pcap or pcapng (`-` is standard input).
    #[arg(long, value_name = "FILE", group = "source")]
    pub pcap: Option<PathBuf>,
    /// With --pcap: the app is at this address; what it accepts (on this port) is `in`, what it opens is `out`. May be repeated.
    #[arg(long, value_name = "ADDR[:PORT]", requires = "pcap")]
    pub host: Vec<Host>,
    /// Text for people, or JSON lines.
    #[arg(short = 'f', value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Output goes to this file.
    #[arg(short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Say nothing but the program's own output.
    #[arg(short = 'q')]
    pub quiet: bool,
    /// Allow what changes the system: verdicts of hooks, `signal`, `system`.
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// List probes instead of running a script: those of the program, or those that match the pattern given for FILE.
    #[arg(short = 'l')]
    pub list: bool,
    /// With -l: arguments and fields too.
    #[arg(short = 'v', requires = "list")]
    pub verbose: bool,
    /// Compile and attach nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// A script (`-` is standard input), then its positional parameters.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// `$1`, `$2`, ... of the script.
    #[arg(value_name = "ARG")]
    pub parameters: Vec<String>,
}

impl Args {
    /// Whether no program was given.
    pub fn is_empty(&self) -> bool {
        self.expression.is_empty() && self.file.is_none() && !self.list
    }
}

/// Runs the script.
pub fn run(args: Args) -> Outcome {
    let is_program = !args.expression.is_empty() || args.file.as_ref().is_some_and(|file| file.is_file());
    if args.list && !is_program {
        let patterns = args.file.iter().map(|file| file.display().to_string()).chain(args.parameters).collect();
        return super::list::run(&super::list::Args { verbose: args.verbose, format: args.format, patterns });
    }
    let mut sources = SourceMap::new();
    let files: Vec<PathBuf> = args.file.iter().filter(|_| args.expression.is_empty()).cloned().collect();
    let ids = sources::read(&mut sources, &files, &args.expression)?;
    let options = Options {
        // With -e, what would be the file is the first parameter.
        positional: positional(&args),
        config: environment_config(),
        allow_unsafe: args.allow_unsafe,
        ..Options::default()
    };
    let machine = Machine::default();
    let (program, warnings) =
        compile::front(&sources, &ids, &machine, &options).map_err(|faults| faults.failure(&sources))?;
    compile::no_rules(&program)?;
    if args.list {
        return print(&listed(&program, &args));
    }
    if program.clauses.is_empty() {
        return Err(Failure::new(Exit::Usage, "the script has no probe, so there is nothing to run")
            .remedy("write a clause, such as: begin { printf(\"hello\\n\"); }"));
    }
    let source = source(&args);
    compile::source(&program, &source.facts()).map_err(|faults| faults.failure(&sources))?;
    let ready = Ready { args: &args, sources: &sources, program, warnings };
    match &source {
        Source::Packets(path, hosts) => {
            ready.past(|messages, stop| Captured::open(path, hosts, messages.wants(), stop))
        }
        Source::Recording(dir) => ready.past(|_, _| Recorded::open(dir)),
        live => ready.live(&machine, live.clone()),
    }
}

/// Where messages come from, by the options.
fn source(args: &Args) -> Source {
    match args {
        Args { command: Some(command), .. } => Source::Command(command.clone()),
        Args { from: Some(dir), .. } => Source::Recording(dir.clone()),
        Args { pcap: Some(path), host, .. } => Source::Packets(path.clone(), host.clone()),
        Args { process: Some(id), .. } => Source::Process(*id),
        Args { cgroup: Some(path), .. } => Source::Cgroup(path.clone()),
        _ => Source::Machine,
    }
}

/// A program that was checked.
struct Ready<'a> {
    args: &'a Args,
    sources: &'a SourceMap,
    program: hir::Program,
    warnings: Diagnostics,
}

impl Ready<'_> {
    /// Runs in the kernel, and over live messages.
    fn live(self, machine: &Machine, source: Source) -> Outcome {
        let Ready { args, sources, program, warnings } = self;
        let kernel = compile::kernel(&program, machine, &compile::kernel_options(), &bpf::Options::default())
            .map_err(|faults| faults.failure(sources))?;
        let native = compile::native(&program).map_err(|faults| faults.failure(sources))?;
        let messages = Messages::compile(&program, native)?;
        if args.dry_run {
            return Ok(Exit::Passed);
        }
        engine::run::run(engine::run::Request {
            sources,
            program,
            warnings,
            kernel,
            messages,
            source,
            out: output(args)?,
            format: args.format,
            terminal: terminal(args),
            is_quiet: args.quiet,
        })
    }

    /// Runs over messages that are over.
    fn past<P: Past>(self, open: impl FnOnce(&Messages, Stop) -> Result<P, Failure>) -> Outcome {
        let Ready { args, sources, program, warnings } = self;
        let native = compile::native_only(&program).map_err(|faults| faults.failure(sources))?;
        let Some(messages) = Messages::compile(&program, native)? else { return Ok(Exit::Passed) };
        if args.dry_run {
            return Ok(Exit::Passed);
        }
        compile::eprint_all(&warnings, sources);
        let mut signals = Signals::take().map_err(|error| cannot("take over signals", &error))?;
        let stop = signals.to_stop().map_err(|error| cannot("take over signals", &error))?;
        let mut past = open(&messages, stop)?;
        let shown = Shown { out: output(args)?, errors: Box::new(std::io::stderr()), format: args.format };
        let mut run = past::Run::start(past::Request { sources, program, messages, shown }, &mut past)?;
        if !args.quiet {
            run.attached()?;
        }
        run.go(&mut past, &mut || signals.take_next().is_some())
    }
}

fn output(args: &Args) -> Result<Box<dyn Write>, Failure> {
    Ok(match &args.output {
        Some(path) => Box::new(BufWriter::new(
            File::create(path)
                .map_err(|error| Failure::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))?,
        )),
        None => Box::new(BufWriter::new(std::io::stdout())),
    })
}

/// What a program listens to, each once, as `reel list` shows it.
fn listed(program: &hir::Program, args: &Args) -> String {
    let shown = |entry: &Entry<'_>| match args.format {
        Format::Text => list::text(entry, args.verbose),
        Format::Json => list::json(entry, args.verbose),
    };
    let mut seen = HashSet::new();
    let mut out = String::new();
    for clause in &program.clauses {
        match &clause.header {
            Header::Kernel(points) => {
                for point in points.iter().filter(|point| seen.insert(point.name.clone())) {
                    out += &shown(&Entry::Probe(&point.name, &|| point.args.args.clone()));
                }
            }
            Header::Message(probe) => {
                for message in list::messages::matching(&probe.to_string()) {
                    if seen.insert(message.name.clone()) {
                        out += &shown(&Entry::Message(&message));
                    }
                }
            }
            Header::Rule(_) => {}
        }
    }
    out
}

/// The terminal that output goes to, if it does.
fn terminal(args: &Args) -> Option<Size> {
    if args.output.is_some() || !std::io::stdout().is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    // A terminal that knows no size has none.
    (size.ws_col > 0).then(|| Size { columns: size.ws_col.into(), rows: size.ws_row.into() })
}

fn positional(args: &Args) -> Vec<String> {
    let first = args.file.iter().filter(|_| !args.expression.is_empty()).map(|file| file.display().to_string());
    first.chain(args.parameters.iter().cloned()).collect()
}

/// `BPFTRACE_MAX_STRLEN=64` sets `max_strlen`.
pub(super) fn environment_config() -> Vec<(String, String)> {
    let named = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.to_str()?.strip_prefix("BPFTRACE_")?.to_ascii_lowercase();
        Some((name, value.to_str()?.to_owned()))
    };
    std::env::vars_os().filter_map(named).collect()
}

//! The command line: what can be asked, and where each command lives.
//!
//! One command is one file. A command returns an [`Exit`] or a [`Failure`], which is printed here, once, with its remedy.
//! Text for people goes to standard error, so that standard output is the program's own.

mod check;
mod debug;
mod demo;
mod diff;
mod doctor;
mod fmt;
mod list;
mod mock;
mod noise;
mod plan;
mod record;
mod recording;
mod repl;
mod replay;
mod script;
mod show;
pub mod sources;
mod through;
mod tool;
mod trace;
mod update;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::exit::{Exit, Failure};

/// What every command gives.
pub type Outcome = Result<Exit, Failure>;

/// The longest time limit that can be asked for: a day.
const MAX_TIMEOUT_S: u64 = 86_400;

#[derive(Debug, Parser)]
#[command(
    name = "reel",
    version,
    about = "Records what a service exchanges with the world, replays it as a test, and traces Linux, in one language",
    after_help = "Examples:\n  \
        reel record -o recordings/shop -- ./server      record until Ctrl-C\n  \
        reel replay recordings/shop -- ./server         replay it, every dependency mocked\n  \
        reel -e 'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }'\n  \
        reel -e 'http:exchange { @[method, path] = hist(latency); }' -c ./server\n  \
        reel                                            an interactive prompt",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    trace: trace::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record a service: start it, watch its traffic from inside the kernel, write a recording.
    Record(record::Args),
    /// Replay a recording as tests, with every dependency mocked.
    Replay(replay::Args),
    /// Run a command with its own tests (pytest, go test, npm test), its dependencies answered from a recording.
    Mock(mock::Args),
    /// Check rule files and scripts without running them.
    Check(check::Args),
    /// Show where each part of a script runs, and why.
    Plan(plan::Args),
    /// Show a recording, or one of its tests.
    Show(show::Args),
    /// Compare two recordings by meaning.
    Diff(diff::Args),
    /// Show what this machine can do, and what is missing.
    Doctor(doctor::Args),
    /// Format scripts and rule files.
    Fmt(fmt::Args),
    /// List the probes of this machine, the messages of each protocol, and the kernel's types.
    List(list::Args),
    /// List noise classes, and test values against them.
    Noise(noise::Args),
    /// See it work: record and replay a small service that comes with reel.
    Demo(demo::Args),
    /// Start the interactive prompt.
    Repl(repl::Args),
    /// Run a tool that comes with reel, or list them.
    Tool(tool::Args),
    /// Show what a stage of the compiler made of a script.
    Debug(debug::Args),
    /// The guardian of a recording or replay (started by reel itself).
    #[command(name = "__guard", hide = true)]
    Guard {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    #[command(flatten)]
    DemoPart(demo::Part),
}

/// Output for people, or for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    /// JSON lines.
    Json,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage } else { Exit::Passed });
        }
    };
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            report(&failure);
            failure.exit.into()
        }
    }
}

fn run(cli: Cli) -> Outcome {
    match cli.command {
        None if cli.trace.is_empty() && std::io::stdin().is_terminal() => repl::run(repl::Args::default()),
        None => trace::run(cli.trace),
        Some(Command::Record(args)) => record::run(args),
        Some(Command::Replay(args)) => replay::run(args),
        Some(Command::Mock(args)) => mock::run(args),
        Some(Command::Check(args)) => check::run(args),
        Some(Command::Plan(args)) => plan::run(args),
        Some(Command::Show(args)) => show::run(args),
        Some(Command::Diff(args)) => diff::run(args),
        Some(Command::Doctor(args)) => doctor::run(args),
        Some(Command::Fmt(args)) => fmt::run(&args),
        Some(Command::List(args)) => list::run(&args),
        Some(Command::Noise(args)) => noise::run(args),
        Some(Command::Demo(args)) => demo::run(args),
        Some(Command::Repl(args)) => repl::run(args),
        Some(Command::Tool(args)) => tool::run(args),
        Some(Command::Debug(args)) => debug::run(args),
        Some(Command::Guard { args }) => Ok(Exit::Code(guard(&args))),
        Some(Command::DemoPart(part)) => demo::part(part),
    }
}

fn guard(args: &[std::ffi::OsString]) -> u8 {
    u8::try_from(reel_probes::guard::guard_main(args)).unwrap_or(u8::MAX)
}

/// Prints what a command is asked for, in colours on a terminal. A reader that has gone away has seen enough.
fn print(text: &str) -> Outcome {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Machine, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(Exit::Passed),
    }
}

/// Prints a failure: `reel: what happened`, then what to do.
pub(crate) fn report(failure: &Failure) {
    let mut err = anstream::stderr();
    let bold = anstyle::Style::new().bold();
    let red = bold.fg_color(Some(anstyle::AnsiColor::Red.into()));
    if !failure.message.is_empty() {
        let _ = writeln!(err, "{bold}reel:{bold:#} {red}error:{red:#} {}", failure.message);
    }
    if let Some(remedy) = &failure.remedy {
        let _ = writeln!(err, "  {bold}help:{bold:#} {remedy}");
    }
}

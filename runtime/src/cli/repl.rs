//! `reel repl`: an interactive prompt, which is also what `reel` alone starts on a terminal.

use clap::Parser;

use super::Outcome;

#[derive(Debug, Default, Parser)]
#[command(
    after_help = "Examples:\n  reel repl\n  echo 'begin { print(1 + 2); }' | reel repl    an input a line, or until its brackets close"
)]
pub struct Args {
    /// Allow what changes the system: verdicts of hooks, `signal`, `system`.
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
}

/// Runs the prompt.
pub fn run(args: Args) -> Outcome {
    crate::repl::run(args.allow_unsafe)
}

//! `reel repl`: an interactive prompt.

use clap::Parser;

use super::Outcome;
use crate::exit::{Exit, Failure};

#[derive(Debug, Default, Parser)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

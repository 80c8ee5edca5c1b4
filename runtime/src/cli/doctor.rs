//! `reel doctor`: what this machine can do, and what is missing.

use clap::Parser;

use super::{Format, Outcome};
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
pub struct Args {
    /// A table for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

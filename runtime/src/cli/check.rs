//! `reel check`: all errors of scripts and rule files, without running them.

use std::path::PathBuf;

use clap::Parser;

use super::{Format, Outcome};
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  reel check checkout.rr\n  reel check --format json checkout.rr | jq .message")]
pub struct Args {
    /// Diagnostics for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Scripts and rule files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

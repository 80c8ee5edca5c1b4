//! `reel plan`: where each part of a script runs, and why.

use std::path::PathBuf;

use clap::Parser;

use super::Outcome;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  reel plan checkout.rr\n  reel plan --capture checkout.rr    the program that a recording would run in the kernel"
)]
pub struct Args {
    /// Print the capture program, with what the rules add to its filter.
    #[arg(long)]
    pub capture: bool,
    /// Program text instead of a file.
    #[arg(short = 'e', value_name = "PROG")]
    pub expression: Vec<String>,
    /// Scripts and rule files.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

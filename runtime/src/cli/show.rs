//! `reel show`: a recording for people.

use std::path::PathBuf;

use clap::Parser;

use super::Outcome;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  reel show recordings/checkout        every test, a line each\n  reel show recordings/checkout 3      one test with its effects"
)]
pub struct Args {
    /// The recording.
    #[arg(value_name = "DIR")]
    pub recording: PathBuf,
    /// The number of a test.
    #[arg(value_name = "TEST")]
    pub test: Option<u32>,
}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

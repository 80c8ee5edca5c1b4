//! `reel demo`: records and replays a small service that comes with reel.

use clap::Parser;

use super::Outcome;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

/// The service, as a process of its own.
pub fn app(_args: &[String]) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

/// The store, as a process of its own.
pub fn store(_args: &[String]) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

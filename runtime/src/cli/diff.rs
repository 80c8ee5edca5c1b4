//! `reel diff`: two recordings compared by meaning.

use std::path::PathBuf;

use clap::Parser;

use super::Outcome;
use crate::diff;
use crate::engine::environment::Machine;
use crate::exit::Exit;
use crate::report;
use crate::rules;

#[derive(Debug, Parser)]
#[command(after_help = "Exits with 0 where the two are the same, and with 1 where they differ.\n\nExamples:\n  \
    reel diff recordings/checkout recordings/checkout-new\n  \
    reel diff -r checkout.rr recordings/checkout recordings/checkout-new")]
pub struct Args {
    /// A rule file whose match rules say what is no difference; may be given several times.
    #[arg(short = 'r', long = "rules", value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// The first recording.
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// The second recording.
    #[arg(value_name = "B")]
    pub second: PathBuf,
}

/// Compares the recordings.
pub fn run(args: Args) -> Outcome {
    let rules = rules::load(&args.rules, &Machine::default())?;
    let (first, second) = (super::recording::open(&args.first)?, super::recording::open(&args.second)?);
    let found = diff::diff(&first, &second, &rules)?;
    super::print(&report::diff(&found))?;
    Ok(if found.is_empty() { Exit::Passed } else { Exit::TestFailed })
}

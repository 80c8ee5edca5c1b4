//! `reel show`: a recording for people.

use std::path::PathBuf;

use clap::Parser;

use super::Outcome;
use crate::exit::{Exit, Failure};
use crate::recording::TestId;
use crate::show;

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

/// Shows the recording, or one of its tests.
pub fn run(args: Args) -> Outcome {
    let recording = super::recording::open(&args.recording)?;
    let text = match args.test {
        None => show::list(&recording)?,
        Some(number) => show::one(&recording, TestId(number))?.ok_or_else(|| {
            let count = recording.tests().len();
            Failure::new(Exit::Usage, format!("{} has no test {number}: it has {count}", args.recording.display()))
                .remedy("`reel show DIR` lists them")
        })?,
    };
    super::print(&text)
}

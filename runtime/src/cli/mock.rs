//! `reel mock`: a command with its own tests, its dependencies answered from a recording.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, ValueEnum};

use super::Outcome;
use crate::engine::environment::Machine;
use crate::exit::{Exit, Failure};
use crate::mock::{Aliases, Book, Mock, OnMiss};
use crate::replay;
use crate::report;
use crate::rules::{self, Rules};

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  \
    reel mock recordings/checkout -- pytest\n  \
    reel mock -r checkout.rr recordings/checkout -- go test ./...\n  \
    reel mock --on-miss pass recordings/checkout -- npm test")]
pub struct Args {
    /// A rule file; may be given several times.
    #[arg(short = 'r', long = "rules", value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// What becomes of a call that was not recorded.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Miss::Fail)]
    pub on_miss: Miss,
    /// Take what the command connects to for a recorded dependency, by its recorded address or name; `*:PORT` is any host.
    #[arg(long, value_name = "HOST:PORT=RECORDED")]
    pub alias: Vec<String>,
    /// The recording.
    #[arg(value_name = "DIR")]
    pub recording: PathBuf,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// What becomes of a call that was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Miss {
    /// It gets an error, and reel exits with 1.
    Fail,
    /// It goes to the real server.
    Pass,
}

/// Runs the command. Its output is its own; what reel has to say goes to standard error.
pub fn run(args: Args) -> Outcome {
    let rules: Arc<dyn Rules> = Arc::new(rules::load(&args.rules, &Machine::default())?);
    let recording = Arc::new(super::recording::open(&args.recording)?);
    if recording.mocks().is_empty() {
        return Err(Failure::new(Exit::Usage, format!("{} has no calls to answer", args.recording.display()))
            .remedy("record an app that calls its dependencies; `reel show DIR` lists what there is"));
    }
    let aliases = Aliases::read(&args.alias, recording.as_ref())?;
    let book = Book::new(recording, rules.clone()).map_err(|reason| Failure::new(Exit::Recording, reason))?;
    let on_miss = match args.on_miss {
        Miss::Fail => OnMiss::Fail,
        Miss::Pass => OnMiss::Pass,
    };
    let mock = Mock::new(rules, book).with_aliases(aliases).for_any_test(on_miss);
    let served = replay::serve(&args.command, mock)?;
    anstream::eprint!("{}", report::mocked(&served));
    Ok(served.exit())
}

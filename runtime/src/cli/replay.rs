//! `reel replay`: start the app with every dependency mocked, send it the recorded requests, compare.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::Outcome;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  \
    reel replay recordings/checkout -- ./server\n  \
    reel replay -r checkout.rr --junit report.xml recordings/checkout -- ./server\n  \
    reel replay --secret authorization=API_TOKEN recordings/checkout -- ./server")]
pub struct Args {
    /// A rule file; may be given several times.
    #[arg(short = 'r', long = "rules", value_name = "FILE")]
    pub rules: Vec<PathBuf>,
    /// Write a JUnit XML report here.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Take a redacted value from an environment variable.
    #[arg(long, value_name = "NAME=ENV")]
    pub secret: Vec<String>,
    /// Only tests whose id or path contains this text.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// How long the app may take to listen, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub listen_timeout: u64,
    /// How long a test may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub test_timeout: u64,
    /// The recording.
    #[arg(value_name = "DIR")]
    pub recording: PathBuf,
    /// The app and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

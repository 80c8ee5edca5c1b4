//! `reel FILE`, `reel -e PROG`: run a script.

use std::path::PathBuf;

use clap::Parser;

use super::{Format, Outcome};
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
pub struct Args {
    /// Program text; may be given several times.
    #[arg(short = 'e', value_name = "PROG")]
    pub expression: Vec<String>,
    /// Start this command, in a cgroup of its own, and end with it.
    #[arg(short = 'c', value_name = "CMD")]
    pub command: Option<String>,
    /// Text for people, or JSON lines.
    #[arg(short = 'f', value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Output goes to this file.
    #[arg(short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Say nothing but the program's own output.
    #[arg(short = 'q')]
    pub quiet: bool,
    /// Allow what changes the system: verdicts of hooks, `signal`, `system`.
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// Compile and attach nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// A script (`-` is standard input), then its positional parameters.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// `$1`, `$2`, ... of the script.
    #[arg(value_name = "ARG")]
    pub parameters: Vec<String>,
}

impl Args {
    /// Whether no program was given.
    pub fn is_empty(&self) -> bool {
        self.expression.is_empty() && self.file.is_none()
    }
}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

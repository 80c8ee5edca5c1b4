//! `reel check`: all errors of scripts and rule files, without running them.

use std::path::PathBuf;

use clap::Parser;
use reel_lang::diagnostic::{Diagnostics, render};

use super::script::{Input, Script};
use super::{Format, Outcome, print};
use crate::engine::compile;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(
    after_help = "The files are one program, as with several -r: a noise class of one can be used in another.\n\n\
    Examples:\n  reel check checkout.rr\n  reel check --format json checkout.rr | jq .message"
)]
pub struct Args {
    /// Diagnostics for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Allow what changes the system: verdicts of hooks, `signal`, `system`.
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// Scripts and rule files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    let input = Input { expression: Vec::new(), allow_unsafe: args.allow_unsafe, files: args.files };
    let script = Script::read(&input)?;
    let found = script.examine();
    let has_errors = found.has_errors();
    match args.format {
        Format::Json => {
            let lines: String = found.into_sorted().iter().map(|d| render::json_line(d, &script.sources)).collect();
            print(&lines)?;
            Ok(if has_errors { Exit::Usage } else { Exit::Passed })
        }
        Format::Text if has_errors => Err(errors(found, &script)),
        Format::Text => {
            compile::eprint_all(&found, &script.sources);
            eprintln!("ok");
            Ok(Exit::Passed)
        }
    }
}

/// Shows the errors of all files in the order of the text, and counts them.
fn errors(found: Diagnostics, script: &Script) -> Failure {
    let (count, left_out) = (found.error_count(), found.left_out());
    let mut sorted = Diagnostics::new();
    sorted.extend(found.into_sorted());
    compile::eprint_all(&sorted, &script.sources);
    let noun = if count == 1 { "error" } else { "errors" };
    let failure = Failure::new(Exit::Usage, format!("{count} {noun}"));
    if left_out == 0 { failure } else { failure.remedy(format!("{left_out} more are not shown: mend these first")) }
}

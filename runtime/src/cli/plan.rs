//! `reel plan`: where each part of a script runs, and why.

use clap::Parser;
use reel_compiler::plan;
use reel_lang::hir;

use super::script::{Input, Script};
use super::{Outcome, print};
use crate::engine::compile;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  reel plan checkout.rr\n  reel plan --capture checkout.rr    the program that a recording would run in the kernel"
)]
pub struct Args {
    /// Print the capture program, with what the rules add to its filter.
    #[arg(long)]
    pub capture: bool,
    #[command(flatten)]
    pub input: Input,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    if args.capture {
        return Err(Failure::new(Exit::Usage, "this command is not built yet"));
    }
    let script = Script::read(&args.input)?;
    let (program, warnings) = script.typed().map_err(|faults| faults.failure(&script.sources))?;
    compile::eprint_all(&warnings, &script.sources);
    print(&text(&script, program)?)
}

/// The plan of the user's clauses; what stdlib adds counts in what the kernel drops.
pub fn text(script: &Script, program: hir::Program) -> Result<String, Failure> {
    let mut planned = script.plan(&program).map_err(|faults| faults.failure(&script.sources))?;
    planned.clauses.retain(|clause| script.is_users(clause.span));
    Ok(plan::text(&planned, &script.users_own(program), &script.sources))
}

//! `reel plan`: where each part of a script runs, and why.

use clap::Parser;
use reel_compiler::plan;
use reel_lang::hir;
use reel_probes::doctor::{Rung, examine};
use reel_probes::programs;

use super::script::{Input, Script};
use super::through::Through;
use super::{Outcome, print};
use crate::engine::compile;
use crate::engine::environment::Machine;
use crate::exit::{Exit, Failure};
use crate::rules;

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  reel plan checkout.rr\n  reel plan --capture checkout.rr    the program that a recording would run in the kernel"
)]
pub struct Args {
    /// Print the capture program, with what the rules add to its filter.
    #[arg(long, conflicts_with = "expression")]
    pub capture: bool,
    /// The program for this way of reading, instead of the best one.
    #[arg(long, value_enum, value_name = "WAY", requires = "capture")]
    pub through: Option<Through>,
    #[command(flatten)]
    pub input: Input,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    if args.capture {
        return print(&capture(&args)?);
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

/// The capture program as a recording under these rules runs it, after comments on how and why.
fn capture(args: &Args) -> Result<String, Failure> {
    let rules = rules::load(&args.input.files, &Machine::default())?;
    if let Some(through) = args.through {
        return Ok(programs::capture(through.into(), rules.filters(), rules.transports()));
    }
    let choice = Rung::choose(&examine()).map_err(|lacking| {
        Failure::new(Exit::Machine, format!("nothing can be captured on this machine: {}", lacking.why))
            .remedy(lacking.remedy)
    })?;
    let mut out = format!("// Read through: {}.\n", choice.rung);
    for (rung, why) in &choice.passed_over {
        out += &format!("// Not through {rung}, for lack of {why}.\n");
    }
    Ok(out + &programs::capture(choice.rung, rules.filters(), rules.transports()))
}

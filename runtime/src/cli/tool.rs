//! `reel tool`: the tools that reel comes with: listed, shown, run.

use clap::Parser;
use reel_lang::diagnostic::nearest;
use reel_stdlib::{Tool, tool, tools};

use super::{Outcome, print, trace};
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[group(skip)]
#[command(
    after_help = "Examples:\n  reel tool                             every tool, a line each\n  reel tool httpslow 50 -c ./server     run one, with its parameters\n  reel tool --show httpslow             its source, to copy and change"
)]
pub struct Args {
    /// Print the tool's source and run nothing.
    #[arg(long)]
    pub show: bool,
    /// The tool; without it all are listed.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub run: trace::Args,
}

/// Lists the tools, or shows or runs one. Clauses of `-e` run beside the tool's.
pub fn run(mut args: Args) -> Outcome {
    let Some(name) = &args.name else { return print(&list()) };
    let tool = tool(name).ok_or_else(|| unknown(name))?;
    if args.show {
        return print(tool.text);
    }
    args.run.expression.insert(0, tool.text.to_owned());
    trace::run(args.run)
}

fn list() -> String {
    tools().iter().map(|tool: &Tool| format!("{:<10} {}\n", tool.name, tool.doc())).collect()
}

fn unknown(name: &str) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("there is no tool `{name}`"));
    match nearest(name, tools().iter().map(|tool| tool.name)) {
        Some(near) => failure.remedy(format!("did you mean `{near}`?")),
        None => failure.remedy("`reel tool` lists them"),
    }
}

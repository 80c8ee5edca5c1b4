//! `reel tool`: the tools that reel comes with: listed, shown, run.

use clap::Parser;
use reel_lang::diagnostic::nearest;
use reel_stdlib::{Tool, tool, tools};

use super::{Format, Outcome, print, trace};
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
    let Some(name) = &args.name else { return without_name(&args) };
    let tool = tool(name).ok_or_else(|| unknown(name))?;
    if args.show {
        return print(tool.text);
    }
    args.run.expression.insert(0, tool.text.to_owned());
    trace::run(args.run)
}

/// Lists the tools, where nothing was said of how to run or show one.
fn without_name(args: &Args) -> Outcome {
    let run = &args.run;
    let has_source = run.command.is_some()
        || run.process.is_some()
        || run.cgroup.is_some()
        || run.from.is_some()
        || run.pcap.is_some();
    let has_output = run.quiet || run.output.is_some() || run.format != Format::Text;
    let has_manner = run.list || run.dry_run || run.allow_unsafe || !run.is_empty();
    if args.show || has_source || has_output || has_manner {
        return Err(Failure::new(Exit::Usage, "name a tool: the options speak of one").remedy("`reel tool` lists them"));
    }
    print(&list())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_without_a_tool_are_refused() {
        let check = |line: &[&str], expect: Result<Exit, Exit>| {
            let args = Args::try_parse_from([&["tool"], line].concat()).map_err(|_| Exit::Usage);
            assert_eq!(args.and_then(|args| run(args).map_err(|failure| failure.exit)), expect, "{line:?}");
        };
        check(&[], Ok(Exit::Passed));
        check(&["--show"], Err(Exit::Usage));
        check(&["-q", "-c", "true"], Err(Exit::Usage));
        check(&["-l"], Err(Exit::Usage));
        check(&["-f", "json"], Err(Exit::Usage));
        check(&["--show", "httpslow"], Ok(Exit::Passed));
    }
}

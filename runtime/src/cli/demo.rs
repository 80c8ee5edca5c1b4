//! `reel demo`: records and replays a small service that comes with reel.

use std::path::PathBuf;

use clap::Parser;

use super::Outcome;
use crate::demo;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  reel demo        needs root, and nothing else")]
pub struct Args {
    /// Where the recording goes.
    #[arg(short, long, value_name = "DIR", default_value = "recordings/demo")]
    pub output: PathBuf,
}

/// A process of the demonstration, started by the demonstration itself.
#[derive(Debug, Parser)]
pub enum Part {
    #[command(name = "__demo-store", hide = true)]
    Store,
    #[command(name = "__demo-app", hide = true)]
    App {
        port: u16,
        store_port: u16,
        #[arg(long)]
        bug: bool,
    },
    #[command(name = "__demo-client", hide = true)]
    Client { port: u16 },
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    demo::run(&args.output)
}

/// Runs one of its processes.
pub fn part(part: Part) -> Outcome {
    let (what, result) = match part {
        Part::Store => ("store", demo::store::serve()),
        Part::App { port, store_port, bug } => ("shop", demo::app::serve(port, store_port, bug)),
        Part::Client { port } => ("client", demo::client::visit(port)),
    };
    match result {
        Ok(()) => Ok(Exit::Passed),
        Err(error) => Err(Failure::new(Exit::App, format!("the {what} of the demonstration: {error}"))),
    }
}

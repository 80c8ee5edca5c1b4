//! `reel list`, `reel -l`: the probes of this machine, the messages of each protocol, and the kernel's types.

use std::io::{BufWriter, ErrorKind, Write};
use std::ops::ControlFlow;

use clap::Parser;

use super::{Format, Outcome};
use crate::exit::{Exit, Failure};
use crate::list::{self, Entry};

#[derive(Debug, Parser)]
#[command(
    after_help = "In a pattern `*` stands for any characters. A provider or a protocol alone lists all of it. Functions of a program want its file.\n\n\
    Examples:\n  reel list http\n  reel list -v http:request\n  reel list 'tracepoint:sched:*'\n  reel list '*retransmit*'\n  \
    reel list 'uprobe:libc:*alloc*'\n  reel list -v 'struct sock_common'\n  reel list --format json tp_btf | jq -r .probe"
)]
pub struct Args {
    /// Show the arguments of a probe, the fields of a message, the members of a type.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Text for people, or one JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// What to list; all probes without one.
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let all = ["*".to_owned()];
    let patterns = if args.patterns.is_empty() { &all[..] } else { &args.patterns };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut fault: Option<std::io::Error> = None;
    for pattern in patterns {
        list::list(pattern, &mut |entry| {
            let text = shown(entry, args);

            match out.write_all(text.as_bytes()) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    fault = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if fault.is_some() {
            break;
        }
    }
    match fault.map_or_else(|| out.flush(), Err) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Machine, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(Exit::Passed),
    }
}

fn shown(entry: &Entry<'_>, args: &Args) -> String {
    match args.format {
        Format::Text => list::text(entry, args.verbose),
        Format::Json => list::json(entry, args.verbose),
    }
}

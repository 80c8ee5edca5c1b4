//! `reel debug`: what a stage of the compiler made of a script.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::Outcome;
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  reel debug ast checkout.rr\n  reel debug bpf -e 'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }'"
)]
pub struct Args {
    /// The stage.
    #[arg(value_enum)]
    pub stage: Stage,
    /// Program text instead of a file.
    #[arg(short = 'e', value_name = "PROG")]
    pub expression: Vec<String>,
    /// A script or rule file; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// A stage of the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// The syntax tree.
    Ast,
    /// The typed program.
    Hir,
    /// Which part runs where.
    Plan,
    /// The intermediate representation.
    Ir,
    /// The eBPF instructions.
    Bpf,
    /// Cranelift's input.
    Clif,
    /// The machine code.
    Asm,
    /// The ELF object, in outline.
    Elf,
}

/// Runs the command.
pub fn run(_args: Args) -> Outcome {
    Err(Failure::new(Exit::Usage, "this command is not built yet"))
}

//! `reel debug`: what a stage of the compiler made of a script, what the index knows of a recording, what a clock does to a command.
//!
//! The dumps go to standard output and are deterministic: the same script on the same kernel gives the same bytes.

mod clock;

use std::fmt::Write;

use clap::{Parser, Subcommand, ValueEnum};
use reel_compiler::lower::NativeModule;
use reel_compiler::{bpf, jit};
use reel_lang::{ast, hir};

use super::script::{Input, Script};
use super::{Outcome, print};
use crate::engine::compile::{Faults, Kernel};
use crate::exit::{Exit, Failure};

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  reel debug ast checkout.rr\n  reel debug bpf -e 'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); }'\n  reel debug index recordings/checkout\n  reel debug clock --at 2024-02-29T12:00:00Z -- date",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub struct Args {
    #[command(subcommand)]
    pub other: Option<Other>,
    /// The stage.
    #[arg(value_enum, required = true)]
    pub stage: Option<Stage>,
    #[command(flatten)]
    pub input: Input,
}

/// What is no stage of the compiler.
#[derive(Debug, Subcommand)]
pub enum Other {
    /// Run a command under a clock, and show what was done to each of its programs.
    Clock(clock::Args),
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
    /// The eBPF instructions, beside the script.
    Bpf,
    /// Cranelift's input, beside the script.
    Clif,
    /// The machine code, beside the script.
    Asm,
    /// The ELF object, in outline.
    Elf,
    /// Where each document of a recording is; DIR stands where else a script does.
    Index,
}

/// Runs the command.
pub fn run(args: Args) -> Outcome {
    match (args.other, args.stage) {
        (Some(Other::Clock(args)), _) => clock::run(args),
        (None, Some(Stage::Index)) => index(&args.input),
        (None, Some(stage)) => print(&dump(stage, &Script::read(&args.input)?)?),
        (None, None) => Err(Failure::new(Exit::Usage, "`reel debug` wants a stage")),
    }
}

fn index(input: &Input) -> Outcome {
    match input.files.as_slice() {
        [dir] => print(&super::recording::open(dir)?.index().to_string()),
        _ => Err(Failure::new(Exit::Usage, "`reel debug index` wants the folder of one recording")),
    }
}

fn dump(stage: Stage, script: &Script) -> Result<String, Failure> {
    let shown = |faults: Faults| faults.failure(&script.sources);
    if stage == Stage::Ast {
        return Ok(script.trees().map_err(shown)?.iter().map(ast::dump::dump).collect());
    }
    let (program, _) = script.typed().map_err(shown)?;
    if stage == Stage::Plan {
        return super::plan::text(script, program);
    }
    let program = script.users_own(program);
    let kernel = || script.kernel(&program).map_err(shown);
    let native = || script.native(&program).map_err(shown);
    match stage {
        Stage::Ast | Stage::Plan | Stage::Hir => Ok(typed(script, program)),
        Stage::Ir => Ok(ir(kernel()?.as_ref(), &native()?)),
        Stage::Bpf => Ok(in_kernel(kernel()?, |kernel| bpf::disassemble(&kernel.object, Some(&script.sources)))),
        Stage::Elf => kernel()?.map_or_else(|| Ok(NO_KERNEL.to_owned()), |kernel| elf(&kernel.object)),
        Stage::Clif => listing(jit::Stage::Clif, script, &native()?),
        Stage::Asm => listing(jit::Stage::Asm, script, &native()?),
        Stage::Index => Ok(String::new()),
    }
}

const NO_KERNEL: &str = "; nothing of this runs in the kernel\n";
const NO_NATIVE: &str = "; nothing of this runs natively\n";

fn in_kernel(kernel: Option<Kernel>, show: impl Fn(&Kernel) -> String) -> String {
    kernel.as_ref().map_or_else(|| NO_KERNEL.to_owned(), show)
}

/// The typed program, with the noise classes that are the user's own.
fn typed(script: &Script, mut program: hir::Program) -> String {
    program.noise.retain(|class| script.is_users(class.span));
    hir::dump::dump(&program)
}

/// Both modules, each after a line for every clause that says which functions are its.
fn ir(kernel: Option<&Kernel>, native: &NativeModule) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    if let Some(kernel) = kernel {
        out += "; kernel\n";
        for (program, code) in kernel.lowered.programs.iter().zip(&kernel.object.programs) {
            let _ = writeln!(
                out,
                "; {}: function {}, program {}, section {}",
                program.clause, program.function, code.name, code.section
            );
        }
        let _ = write!(out, "{}", kernel.lowered.module);
    }
    if !native.module.functions.is_empty() {
        out += "; native\n";
        for clause in &native.clauses {
            let functions = [("predicate", clause.predicate), ("body", clause.body)];
            let functions = functions.iter().filter_map(|(what, index)| Some(format!("{what} function {}", (*index)?)));
            let _ = writeln!(out, "; {}: {}", clause.clause, functions.collect::<Vec<_>>().join(", "));
        }
        let _ = write!(out, "{}", native.module);
    }
    out
}

fn listing(stage: jit::Stage, script: &Script, native: &NativeModule) -> Result<String, Failure> {
    if native.module.functions.is_empty() {
        return Ok(NO_NATIVE.to_owned());
    }
    jit::list(&native.module, stage, Some(&script.sources))
        .map_err(|error| Failure::new(Exit::Machine, format!("the native code cannot be made: {error}")))
}

fn elf(object: &bpf::Object) -> Result<String, Failure> {
    bpf::outline(object).map_err(|error| Failure::new(Exit::Machine, error.to_string()))
}

//! A program that a command reads and shows without running it: the files, the stages, and what they say.
//!
//! The user's files come first among the sources, stdlib's after them, so that places in dumps do not move with stdlib. What is
//! handed to the checker is in the order that it wants: stdlib's first. Nothing here loads anything into the kernel.

use std::path::PathBuf;

use clap::Parser;
use reel_compiler::lower::NativeModule;
use reel_compiler::{bpf, plan};
use reel_lang::check::Options;
use reel_lang::diagnostic::{Diagnostic, Diagnostics};
use reel_lang::hir::{self, Header};
use reel_lang::span::{FileId, SourceMap, Span};
use reel_lang::{ast, parse};

use super::sources;
use crate::engine::compile::{self, Faults, Kernel};
use crate::engine::environment::Machine;
use crate::exit::Failure;

/// A program on a command line that shows it.
#[derive(Debug, Default, Parser)]
pub struct Input {
    /// Program text instead of a file; may be given several times.
    #[arg(short = 'e', value_name = "PROG")]
    pub expression: Vec<String>,
    /// Allow what changes the system: verdicts of hooks, `signal`, `system`.
    #[arg(long = "unsafe")]
    pub allow_unsafe: bool,
    /// Scripts and rule files; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// The sources of one program.
pub struct Script {
    pub sources: SourceMap,
    pub machine: Machine,
    user: Vec<FileId>,
    stdlib: Vec<FileId>,
    allow_unsafe: bool,
}

impl Script {
    /// Reads the user's files, and stdlib's where a rule or a noise class is among them.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(input: &Input) -> Result<Script, Failure> {
        let mut sources = SourceMap::new();
        let user = sources::read(&mut sources, &input.files, &input.expression)?;
        let mut script =
            Script { sources, machine: Machine::default(), user, stdlib: Vec::new(), allow_unsafe: input.allow_unsafe };
        if script.user.iter().any(|&file| has_rules(&parse::parse(&script.sources, file).program)) {
            for (name, text) in reel_stdlib::files() {
                script.stdlib.push(script.sources.add(format!("stdlib {name}"), *text));
            }
        }
        Ok(script)
    }

    /// The syntax trees of the user's files.
    ///
    /// # Errors
    /// Every syntax error.
    pub fn trees(&self) -> Result<Vec<ast::Program>, Faults> {
        let mut diagnostics = Diagnostics::new();
        let mut trees = Vec::new();
        for &file in &self.user {
            let parsed = parse::parse(&self.sources, file);
            diagnostics.extend(parsed.diagnostics);
            trees.push(parsed.program);
        }
        if diagnostics.has_errors() { Err(Faults(diagnostics)) } else { Ok(trees) }
    }

    /// The typed program, stdlib's part included, and the warnings about it.
    ///
    /// # Errors
    /// Every error of syntax, names and types.
    pub fn typed(&self) -> Result<(hir::Program, Diagnostics), Faults> {
        let files: Vec<FileId> = self.stdlib.iter().chain(&self.user).copied().collect();
        let options = Options {
            stdlib_programs: self.stdlib.len(),
            allow_unsafe: self.allow_unsafe,
            config: super::trace::environment_config(),
            ..Options::default()
        };
        compile::front(&self.sources, &files, &self.machine, &options)
    }

    /// Whether a place is in the user's files.
    pub fn is_users(&self, span: Span) -> bool {
        self.user.contains(&span.file)
    }

    /// The typed program without stdlib's clauses. Its noise classes stay: the user's clauses name them.
    pub fn users_own(&self, mut program: hir::Program) -> hir::Program {
        program.clauses.retain(|clause| self.is_users(clause.span));
        program
    }

    /// The kernel half; none where no clause runs in the kernel.
    ///
    /// # Errors
    /// What cannot run in a kernel, or not in this one.
    pub fn kernel(&self, program: &hir::Program) -> Result<Option<Kernel>, Faults> {
        if !program.clauses.iter().any(|clause| matches!(clause.header, Header::Kernel(_))) {
            return Ok(None);
        }
        let options = compile::kernel_options();
        compile::kernel(program, &self.machine, &options, &bpf::Options::default()).map(Some)
    }

    /// The native half.
    ///
    /// # Errors
    /// What cannot run natively.
    pub fn native(&self, program: &hir::Program) -> Result<NativeModule, Faults> {
        compile::native(program)
    }

    /// Which part runs where.
    ///
    /// # Errors
    /// What cannot run as it is written.
    pub fn plan(&self, program: &hir::Program) -> Result<plan::Plan, Faults> {
        plan::plan(program, &self.machine).map_err(faults)
    }

    /// Takes the program through every stage that loads nothing, and gives all that is wrong, in the order of the text.
    pub fn examine(&self) -> Diagnostics {
        let (program, mut found) = match self.typed() {
            Ok(typed) => typed,
            Err(Faults(found)) => return found,
        };
        // A map that cannot be shared is a fault of the kernel half: without one nothing is shared.
        let stages = [self.kernel(&program).err(), self.native(&program).err()];
        for Faults(more) in stages.into_iter().flatten() {
            found.extend(more.iter().cloned());
        }
        found
    }
}

fn faults(list: Vec<Diagnostic>) -> Faults {
    let mut diagnostics = Diagnostics::new();
    diagnostics.extend(list);
    Faults(diagnostics)
}

/// Whether a program says anything about recording or replay, for which stdlib has defaults.
fn has_rules(program: &ast::Program) -> bool {
    program.items.iter().any(|item| match item {
        ast::Item::Noise(_) => true,
        ast::Item::Clause(clause) => clause.headers.iter().any(|header| header.stage.is_some()),
        _ => false,
    })
}

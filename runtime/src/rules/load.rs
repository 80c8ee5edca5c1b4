//! From rule files to a [`Ruleset`]: stdlib's defaults and the user's files, through every stage of the compiler.

use std::path::PathBuf;

use reel_compiler::jit::Native;
use reel_compiler::{lower, plan};
use reel_lang::check::Options;
use reel_lang::diagnostic::Diagnostics;
use reel_lang::env::Environment;
use reel_lang::hir::{self, Action, Header, Stage, Stmt, StmtKind};
use reel_lang::span::SourceMap;
use reel_probes::programs::Transports;

use super::ruleset::Ruleset;
use crate::cli::sources;
use crate::engine::compile::{self, Faults};
use crate::exit::{Exit, Failure};

/// Reads and compiles rule files after stdlib's. Warnings are shown on standard error.
///
/// # Errors
/// A file that cannot be read; every error of every file, shown on standard error.
pub fn load(files: &[PathBuf], env: &dyn Environment) -> Result<Ruleset, Failure> {
    let mut sources = SourceMap::new();
    for (name, text) in reel_stdlib::files() {
        sources.add(format!("stdlib {name}"), *text);
    }
    if !files.is_empty() {
        sources::read(&mut sources, files, &[])?;
    }
    let (ruleset, warnings) = compile(&sources, env).map_err(|fault| match fault {
        LoadError::Faults(faults) => faults.failure(&sources),
        LoadError::Compiler(reason) => Failure::new(Exit::Machine, format!("the rules cannot be compiled: {reason}")),
    })?;
    compile::eprint_all(&warnings, &sources);
    Ok(ruleset)
}

/// Why rules cannot be used.
pub(super) enum LoadError {
    /// Their author's fault.
    Faults(Faults),
    /// This processor's, or ours.
    Compiler(String),
}

/// Compiles sources of which the first are stdlib's.
pub(super) fn compile(sources: &SourceMap, env: &dyn Environment) -> Result<(Ruleset, Diagnostics), LoadError> {
    let files: Vec<_> = sources.ids().collect();
    let stdlib_programs = reel_stdlib::files().len();
    let options = Options { stdlib_programs, ..Options::default() };
    let (program, warnings) = compile::front(sources, &files, env, &options).map_err(LoadError::Faults)?;
    let module = lower::native(&program).map_err(|list| {
        let mut diagnostics = Diagnostics::new();
        diagnostics.extend(list);
        LoadError::Faults(Faults(diagnostics))
    })?;
    let native = Native::compile(&module.module).map_err(|error| LoadError::Compiler(error.to_string()))?;
    let filters = plan::filters(&program, env);
    let transports = transports(&program);
    let ruleset = Ruleset::new(&program, module, native, sources, stdlib_programs);
    Ok((ruleset.with_filters(filters).with_transports(transports), warnings))
}

/// Datagrams cost something at the end of every system call, so they are read only where a capture rule asks for a protocol of theirs.
fn transports(program: &hir::Program) -> Transports {
    let asks = program.clauses.iter().any(|clause| match &clause.header {
        Header::Rule(rule) if rule.stage == Stage::Capture => {
            let skips = |stmt: &Stmt| matches!(&stmt.kind, StmtKind::Action(Action::Skip));
            reel_protocols::has_datagrams(&rule.protocol) && !clause.body.iter().any(skips)
        }
        _ => false,
    });
    if asks { Transports::TcpAndUdp } else { Transports::Tcp }
}

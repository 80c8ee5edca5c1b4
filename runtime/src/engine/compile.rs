//! The stages of the compiler, in order, over the sources of one program.
//!
//! text -> [`front`] (syntax, names, types) -> [`kernel`] (IR, eBPF object). Every stage reports all that is wrong with it; the
//! next one runs only where nothing is.

use reel_compiler::bpf::{self, Object};
use reel_compiler::lower::{self, KernelModule, NativeModule};
use reel_compiler::plan::source::Facts;
use reel_lang::ast;
use reel_lang::check::{self, Checked, Options};
use reel_lang::diagnostic::render::{self, Colour};
use reel_lang::diagnostic::{Diagnostic, Diagnostics};
use reel_lang::env::Environment;
use reel_lang::hir;
use reel_lang::parse;
use reel_lang::span::{FileId, SourceMap};
use reel_probes::catalog::btf::{Btf, Kind};

use super::attach;
use crate::exit::{Exit, Failure};

/// A program that is wrong: what its author is told.
#[derive(Debug, Clone)]
pub struct Faults(pub Diagnostics);

/// Parses and checks the files of one program; stdlib's come first, as `options` says how many.
///
/// # Errors
/// Every error of every file.
pub fn front(
    sources: &SourceMap,
    files: &[FileId],
    env: &dyn Environment,
    options: &Options,
) -> Result<(hir::Program, Diagnostics), Faults> {
    let mut diagnostics = Diagnostics::new();
    let mut programs: Vec<ast::Program> = Vec::new();
    for &file in files {
        let parsed = parse::parse(sources, file);
        diagnostics.extend(parsed.diagnostics);
        programs.push(parsed.program);
    }
    // What was parsed is checked too, so that a wrong name is not found only after a missing semicolon is mended.
    let Checked { program, diagnostics: more } = check::check(&programs, env, options);
    diagnostics.extend(more.iter().cloned());
    match program {
        Some(program) if !diagnostics.has_errors() => Ok((program, diagnostics)),
        _ => Err(Faults(diagnostics)),
    }
}

/// Refuses rules where no recording is made or replayed: nothing would obey them.
///
/// # Errors
/// The program has a rule.
pub fn no_rules(program: &hir::Program) -> Result<(), Failure> {
    if program.clauses.iter().any(|clause| matches!(clause.header, hir::Header::Rule(_))) {
        return Err(Failure::new(Exit::Usage, "rules do nothing here: they speak of recording and replay")
            .remedy("put them into a file, and give it to `reel record -r` or `reel replay -r`"));
    }
    Ok(())
}

/// The kernel half of a program, ready to load.
#[derive(Debug)]
pub struct Kernel {
    pub lowered: KernelModule,
    pub object: Object,
}

/// Compiles the kernel clauses of a program to an object for the running kernel.
///
/// # Errors
/// What cannot run in a kernel, or not in this one, and maps that message clauses cannot share with it.
pub fn kernel(
    program: &hir::Program,
    env: &dyn Environment,
    lower: &lower::Options,
    bpf: &bpf::Options,
) -> Result<Kernel, Faults> {
    let shared = reel_compiler::plan::shared_faults(program);
    if !shared.is_empty() {
        return Err(faults(shared));
    }
    let lowered = lower::kernel(program, env, lower).map_err(faults)?;
    let programs: Vec<bpf::Program> = lowered.programs.iter().enumerate().map(attach::section).collect();
    // Memory for a map's entries cannot be had in every context before Linux 6.1, so there all of it is taken beforehand.
    let bpf = bpf::Options { preallocate: bpf.preallocate || release() < (6, 1), ..bpf.clone() };
    let mut object =
        bpf::compile(&lowered.module, &programs, &bpf).map_err(|error| faults(vec![error.diagnostic()]))?;
    object.resolve(btf_id).map_err(|error| faults(vec![error.diagnostic()]))?;
    Ok(Kernel { lowered, object })
}

/// Lowers the message clauses of a program.
///
/// # Errors
/// What cannot run natively.
pub fn native(program: &hir::Program) -> Result<NativeModule, Faults> {
    lower::native(program).map_err(faults)
}

/// Finds out whether a program can run over a source of messages.
///
/// # Errors
/// What it asks for that the source does not have.
pub fn source(program: &hir::Program, facts: &Facts) -> Result<(), Faults> {
    let list = reel_compiler::plan::source::faults(program, facts);
    if list.is_empty() { Ok(()) } else { Err(faults(list)) }
}

/// Lowers a program that runs without a kernel.
///
/// # Errors
/// What cannot run natively.
pub fn native_only(program: &hir::Program) -> Result<NativeModule, Faults> {
    lower::native_only(program).map_err(faults)
}

fn faults(list: Vec<Diagnostic>) -> Faults {
    let mut diagnostics = Diagnostics::new();
    diagnostics.extend(list);
    Faults(diagnostics)
}

/// What the running kernel offers to programs.
pub fn kernel_options() -> lower::Options {
    lower::Options {
        rdonly_cast: || Btf::kernel().is_ok_and(|btf| btf.function_id("bpf_rdonly_cast").is_some()),
        cpus: reel_probes::cpus::possible().ok().and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        // Raw tracepoints have attach cookies since then, the last kind of program to get them.
        cookies: release() >= (6, 10),
        typed_task: release() >= (5, 11),
    }
}

/// The first two numbers of the running kernel's release.
fn release() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|word| word.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The id of a function or struct in the running kernel's BTF.
fn btf_id(kind: bpf::FixupKind, name: &str) -> Option<u32> {
    let btf = Btf::kernel().ok()?;
    match kind {
        bpf::FixupKind::Kfunc => btf.function_id(name),
        bpf::FixupKind::Struct => btf.find(name, Kind::Struct).map(|ty| ty.id),
    }
}

impl Faults {
    /// The failure that ends a command, its text rendered as the terminal can show it.
    pub fn failure(&self, sources: &SourceMap) -> Failure {
        eprint_all(&self.0, sources);
        let count = self.0.error_count();
        let noun = if count == 1 { "error" } else { "errors" };
        Failure::new(Exit::Usage, format!("the script has {count} {noun}"))
    }
}

/// Shows diagnostics on standard error, coloured on a terminal.
pub fn eprint_all(diagnostics: &Diagnostics, sources: &SourceMap) {
    let colour = match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => Colour::Plain,
        _ => Colour::Ansi,
    };
    eprint!("{}", render::text_all(diagnostics, sources, colour));
}

//! The noise classes of stdlib and of rule files, ready to be asked about values outside of a replay.
//!
//! They go through the whole compiler, as in a replay: what `reel noise` says of a value is what `like` will say of it. Clauses
//! of a rule file are checked and then left out, since a class depends on nothing but its own value.

use std::path::PathBuf;

use reel_compiler::jit::{Native, Record};
use reel_compiler::lower;
use reel_compiler::native::host::Recorder;
use reel_lang::check::Options;
use reel_lang::doc::{self, Doc};
use reel_lang::hir;
use reel_lang::span::SourceMap;
use reel_lang::value::Value;

use crate::cli::sources;
use crate::engine::compile::{self, Faults};
use crate::engine::environment::Machine;
use crate::exit::{Exit, Failure};

#[cfg(test)]
mod tests;

/// A class, as a person sees it.
#[derive(Debug)]
pub struct Class {
    pub name: String,
    pub doc: Doc,
    /// File, line and column of its name.
    pub place: String,
    /// The declaration as it was written.
    pub text: String,
    /// Whether it comes from a rule file.
    pub is_users: bool,
    function: usize,
}

/// Compiled classes, in the order of their declaration; stdlib's first.
pub struct Noise {
    pub classes: Vec<Class>,
    native: Native,
}

/// The sources of stdlib's classes.
fn stdlib(sources: &mut SourceMap) -> usize {
    let files = reel_stdlib::files().iter().filter(|(name, _)| *name == "noise.rr");
    files.map(|(name, text)| sources.add(format!("stdlib {name}"), *text)).count()
}

impl Noise {
    /// Compiles stdlib's classes and those of rule files. Warnings are shown on standard error.
    ///
    /// # Errors
    /// A file that cannot be read; every error of every file, shown on standard error.
    pub fn load(files: &[PathBuf]) -> Result<Noise, Failure> {
        let mut sources = SourceMap::new();
        let stdlib_programs = stdlib(&mut sources);
        if !files.is_empty() {
            sources::read(&mut sources, files, &[])?;
        }
        let all: Vec<_> = sources.ids().collect();
        let options = Options { stdlib_programs, ..Options::default() };
        let front = compile::front(&sources, &all, &Machine::default(), &options);
        let (program, warnings) = front.map_err(|faults| faults.failure(&sources))?;
        compile::eprint_all(&warnings, &sources);
        Self::compile(program, &sources, stdlib_programs)
    }

    fn compile(mut program: hir::Program, sources: &SourceMap, stdlib_programs: usize) -> Result<Noise, Failure> {
        program.clauses.clear();
        let module = lower::native(&program).map_err(|list| {
            let mut found = reel_lang::diagnostic::Diagnostics::new();
            found.extend(list);
            Faults(found).failure(sources)
        })?;
        let native = Native::compile(&module.module)
            .map_err(|error| Failure::new(Exit::Machine, format!("the classes cannot be compiled: {error}")))?;
        let functions = module.noise.iter().map(|index| *index as usize);
        let classes = program.noise.iter().zip(functions);
        let classes = classes.map(|(class, function)| described(class, function, sources, stdlib_programs)).collect();
        Ok(Noise { classes, native })
    }

    /// The class of a name.
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// Whether a value is in a class.
    pub fn contains(&self, class: &Class, value: &Value) -> bool {
        self.native.call(class.function, &Record::of([value]), &mut Recorder::default()) != 0
    }

    /// The classes that a value is in.
    pub fn of<'a>(&'a self, value: &'a Value) -> impl Iterator<Item = &'a Class> {
        self.classes.iter().filter(move |class| self.contains(class, value))
    }
}

fn described(class: &hir::Noise, function: usize, sources: &SourceMap, stdlib_programs: usize) -> Class {
    let text = sources.file(class.span.file).map_or("", |file| file.text());
    let start = text[..class.span.start as usize].rfind("noise").unwrap_or(class.span.start as usize);
    Class {
        name: class.name.clone(),
        doc: doc::above(text, start),
        place: sources.place(class.span),
        text: declaration(&text[start..]).to_owned(),
        is_users: class.span.file.0 as usize >= stdlib_programs,
        function,
    }
}

/// A declaration up to its semicolon, which is the first outside of a string.
fn declaration(text: &str) -> &str {
    let mut in_string = false;
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
        byte == b';' && !in_string
    });
    end.map_or(text, |end| &text[..=end])
}

//! Definitions that last for the session, and programs that are compiled with them.
//!
//! An input without a clause is definitions: macros, noise classes, map declarations, `#define`s. They are kept if they are
//! right together with what was kept before; each takes the place of an old one of its name.

use std::collections::BTreeSet;

use reel_compiler::{bpf, plan};
use reel_lang::ast::{self, Item};
use reel_lang::check::Options;
use reel_lang::hir;
use reel_lang::parse;
use reel_lang::span::{FileId, SourceMap};

use super::query::Compiled;
use crate::engine::compile::{self, Faults};
use crate::engine::environment::Machine;
use crate::engine::messages::Messages;
use crate::engine::source::Source;
use crate::exit::Failure;

/// What stays from one input to the next.
pub struct Definitions {
    kept: Vec<String>,
    allow_unsafe: bool,
}

/// What came of an input.
pub enum Entered {
    /// Definitions, which are kept now; or nothing at all.
    Kept,
    /// Clauses, ready to be attached.
    Clauses(Box<Compiled>),
}

/// A checked program with its sources.
struct Checked {
    sources: SourceMap,
    machine: Machine,
    program: hir::Program,
}

impl Definitions {
    /// There are none yet.
    pub fn new(allow_unsafe: bool) -> Self {
        Definitions { kept: Vec::new(), allow_unsafe }
    }

    /// The texts, in the order in which they were entered.
    pub fn texts(&self) -> &[String] {
        &self.kept
    }

    /// Compiles an input for a source of messages, or keeps it. `name` stands in diagnostics.
    ///
    /// # Errors
    /// Everything that is wrong with it, shown already: nothing has changed then.
    pub fn enter(&mut self, name: &str, text: &str, source: &Source) -> Result<Entered, Failure> {
        let kept = self.beside(text);
        let Checked { sources, machine, program } = self.check(&kept, name, text)?;
        if program.clauses.is_empty() {
            if is_definition(text) {
                self.kept = kept;
                self.kept.extend(each(text).map(str::to_owned));
            }
            return Ok(Entered::Kept);
        }
        let shown = |faults: Faults| faults.failure(&sources);
        let is_on_messages = program.clauses.iter().any(|clause| matches!(clause.header, hir::Header::Message(_)));
        let facts = source.facts();
        // A program without a message clause has no business with the past.
        let (kernel, native) = if is_on_messages && facts.is_past {
            compile::source(&program, &facts).map_err(shown)?;
            (None, compile::native_only(&program).map_err(shown)?)
        } else {
            let kernel = compile::kernel(&program, &machine, &compile::kernel_options(), &bpf::Options::default());
            let kernel = kernel.map_err(shown)?;
            let native = compile::native(&program).map_err(shown)?;
            (Some(kernel), native)
        };
        let messages = Messages::compile(&program, native)?;
        Ok(Entered::Clauses(Box::new(Compiled { sources, program, kernel, messages })))
    }

    /// Where each part of a text runs, and why.
    ///
    /// # Errors
    /// As for [`Definitions::enter`].
    pub fn plan(&self, name: &str, text: &str) -> Result<String, Failure> {
        let Checked { sources, machine, program } = self.check(&self.beside(text), name, text)?;
        let planned = plan::plan(&program, &machine).map_err(|list| {
            let mut faults = Faults(reel_lang::diagnostic::Diagnostics::new());
            faults.0.extend(list);
            faults.failure(&sources)
        })?;
        Ok(plan::text(&planned, &program, &sources))
    }

    /// What was kept and a text does not define anew.
    fn beside(&self, text: &str) -> Vec<String> {
        let names = defined(text);
        let stays = |kept: &&String| names.is_empty() || !defined(kept).is_subset(&names);
        self.kept.iter().filter(stays).cloned().collect()
    }

    /// Parses and checks a text after the definitions `kept`, and shows its warnings.
    fn check(&self, kept: &[String], name: &str, text: &str) -> Result<Checked, Failure> {
        let mut sources = SourceMap::new();
        let mut files: Vec<FileId> = kept.iter().map(|kept| sources.add(name, kept.as_str())).collect();
        files.push(sources.add(name, text));
        let has_noise = files
            .iter()
            .any(|file| parse::parse(&sources, *file).program.items.iter().any(|item| matches!(item, Item::Noise(_))));
        // A class may use stdlib's.
        let stdlib: Vec<FileId> = if has_noise {
            reel_stdlib::files().iter().map(|(name, text)| sources.add(format!("stdlib {name}"), *text)).collect()
        } else {
            Vec::new()
        };
        let machine = Machine::default();
        let options = Options { allow_unsafe: self.allow_unsafe, stdlib_programs: stdlib.len(), ..Options::default() };
        let all: Vec<FileId> = stdlib.iter().chain(&files).copied().collect();
        let (mut program, warnings) =
            compile::front(&sources, &all, &machine, &options).map_err(|faults| faults.failure(&sources))?;
        compile::eprint_all(&warnings, &sources);
        program.clauses.retain(|clause| files.contains(&clause.span.file));
        compile::no_rules(&program)?;
        Ok(Checked { sources, machine, program })
    }
}

fn parsed(text: &str) -> ast::Program {
    let (sources, file) = SourceMap::single("", text);
    parse::parse(&sources, file).program
}

/// The names that a text defines, each with its kind. Those of a text with clauses hold in it, and do not stay.
fn defined(text: &str) -> BTreeSet<String> {
    let program = parsed(text);
    let item = |item: &Item| match item {
        Item::Clause(_) => None,
        Item::Macro(item) => Some(format!("macro {}", item.name.name)),
        Item::MapDecl(item) => Some(format!("let @{}", item.name.name)),
        Item::Fn(item) => Some(format!("fn {}", item.name.name)),
        Item::Noise(item) => Some(format!("noise {}", item.name.name)),
    };
    let defines = program.defines.iter().map(|define| format!("#define {}", define.name.name));
    program.items.iter().filter_map(item).chain(defines).collect()
}

/// The definitions of a text, one by one; what stands before the first is part of it.
fn each(text: &str) -> impl Iterator<Item = &str> {
    let program = parsed(text);
    let items = program.items.iter().map(|item| item.span().start as usize);
    // A define's span begins with its name.
    let hash = |at: usize| text.get(..at).and_then(|before| before.rfind('#')).unwrap_or(at);
    let defines = program.defines.iter().map(|define| hash(define.span.start as usize));
    let mut starts: Vec<usize> = items.chain(defines).collect();
    starts.sort_unstable();
    let last = starts.last().map(|_| text.len());
    let mut from = 0;
    starts
        .into_iter()
        .skip(1)
        .chain(last)
        .map(move |end| text.get(std::mem::replace(&mut from, end)..end).unwrap_or_default().trim())
}

fn is_definition(text: &str) -> bool {
    let program = parsed(text);
    !program.items.is_empty() || !program.defines.is_empty() || !program.c_defs.is_empty()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn enter(definitions: &mut Definitions, text: &str) -> Result<bool, Failure> {
        Ok(matches!(definitions.enter("prompt", text, &Source::Machine)?, Entered::Kept))
    }

    #[test]
    fn definitions_stay_and_a_wrong_one_changes_nothing() {
        let mut definitions = Definitions::new(false);
        assert!(enter(&mut definitions, "macro twice(x) { x * 2 }\n").unwrap());
        assert!(enter(&mut definitions, "macro twice(x) { nope }").unwrap(), "a macro is checked where it is used");
        assert!(enter(&mut definitions, "noise bad(s) = nope;").is_err());
        assert!(enter(&mut definitions, "// nothing").unwrap());
        assert_eq!(definitions.texts(), ["macro twice(x) { nope }"]);
        assert!(enter(&mut definitions, "macro twice(x) { x + x }").unwrap());
        assert!(enter(&mut definitions, "noise order(s) = s =~ \"^ORD-\";").unwrap());
        assert_eq!(definitions.texts(), ["macro twice(x) { x + x }", "noise order(s) = s =~ \"^ORD-\";"]);
    }

    #[test]
    fn each_definition_of_an_input_can_be_replaced() {
        let mut definitions = Definitions::new(false);
        let three = "// Three.\nmacro one() { 1 } macro two() { 2 }\n#define THREE 3\nnoise n(s) = s =~ \"^N\"; let @m = hash(4);";
        assert!(enter(&mut definitions, three).unwrap());
        let texts = ["// Three.\nmacro one() { 1 }", "macro two() { 2 }", "#define THREE 3"];
        assert_eq!(definitions.texts()[..3], texts);
        assert_eq!(definitions.texts()[3..], ["noise n(s) = s =~ \"^N\";", "let @m = hash(4);"]);
        assert!(enter(&mut definitions, "macro two() { 22 }").unwrap());
        assert!(enter(&mut definitions, "#define THREE 33").unwrap());
        assert!(enter(&mut definitions, "let @m = hash(8);").unwrap());
        assert_eq!(definitions.texts()[..2], ["// Three.\nmacro one() { 1 }", "noise n(s) = s =~ \"^N\";"]);
        assert_eq!(definitions.texts()[2..], ["macro two() { 22 }", "#define THREE 33", "let @m = hash(8);"]);
    }

    #[test]
    fn what_a_clause_brings_along_holds_for_it_alone() {
        let mut definitions = Definitions::new(false);
        assert!(enter(&mut definitions, "macro twice(x) { x * 2 }").unwrap());
        let text = "macro twice(x) { x + x } http:request { print(twice(2)); }";
        assert!(definitions.plan("prompt", text).is_ok());
        assert!(!enter(&mut definitions, text).unwrap());
        assert_eq!(definitions.texts(), ["macro twice(x) { x * 2 }"]);
    }

    #[test]
    fn rules_are_refused() {
        let failure = enter(&mut Definitions::new(false), "match:http { ignore(body); }").unwrap_err();
        assert!(failure.message.contains("rules do nothing here"));
    }
}

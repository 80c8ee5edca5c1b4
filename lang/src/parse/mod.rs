//! Text to syntax tree, with all the faults of a file.
//!
//! The scanner cuts the text into items and each is parsed alone, by the grammar in `grammar.pest`; a fault in one never
//! hides another. [`parse`] always returns a tree: what could not be read is left out, and every such place has an error.
//! The only module that names pest, whose rule names never reach a user ([`error`] translates them).

mod chain;
pub(crate) mod condition;
mod error;
mod expr;
mod header;
mod item;
mod literal;
mod primary;
mod stmt;
mod ty;

use pest::Parser as _;
use pest::iterators::{Pair, Pairs};

use crate::ast::{Expr, ExprKind, Ident, Program};
use crate::diagnostic::{Diagnostic, code};
use crate::scan::limits::MAX_TREE_DEPTH;
use crate::scan::{RawItem, scan};
use crate::span::{FileId, SourceMap, Span};

/// The parser that pest derives from the grammar.
#[derive(pest_derive::Parser)]
#[grammar = "parse/grammar.pest"]
struct Grammar;

/// A parsed file and what is wrong with it, in the order of the text.
#[derive(Debug, Default)]
pub struct Parsed {
    pub program: Program,
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Tells whether the tree is whole.
    pub fn is_ok(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Parses one source of a map. An id of another map gives an empty program.
pub fn parse(sources: &SourceMap, file: FileId) -> Parsed {
    let Some(source) = sources.file(file) else {
        return Parsed::default();
    };
    let scanned = scan(source.text(), file);
    let mut parsed = Parsed { program: Program::default(), diagnostics: scanned.diagnostics };
    for item in &scanned.items {
        add_item(&mut parsed, item, &scanned.masked, file);
    }
    for define in scanned.defines {
        item::define(&mut parsed, define, file);
    }
    parsed.diagnostics.sort_by_key(|d| (d.span, d.code));
    parsed.diagnostics.dedup();
    parsed
}

fn add_item(parsed: &mut Parsed, item: &RawItem, masked: &str, file: FileId) {
    let mut lower = Lower::new(masked, file);
    let program = &mut parsed.program;
    item::lower(&mut lower, item, program);
    parsed.diagnostics.append(&mut lower.diagnostics);
}

/// Parses a text that is one expression and stands at `base` in a file; the scanner's limits must hold for it.
pub(crate) fn expr_text(text: &str, file: FileId, base: usize) -> (Option<Expr>, Vec<Diagnostic>) {
    let mut lower = Lower::new(text, file);
    lower.offset = base;
    let expr = lower.parse_range(Rule::expr_entry, 0..text.len()).and_then(|mut pairs| pairs.next());
    let expr = expr.map(|pair| lower.expr(pair));
    (expr, lower.diagnostics)
}

/// Lowers pest's pairs to the tree. The methods are spread over the modules beside this one.
struct Lower<'t> {
    text: &'t str,
    file: FileId,
    /// Where pest's input starts in `text`; its offsets count from there.
    base: usize,
    /// Where `text` starts in the file.
    offset: usize,
    /// How deep the node being built is in its tree.
    depth: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Lower<'t> {
    fn new(text: &'t str, file: FileId) -> Self {
        Lower { text, file, base: 0, offset: 0, depth: 0, diagnostics: Vec::new() }
    }

    /// Parses a part of the text; a fault becomes a diagnostic.
    fn parse_range(&mut self, rule: Rule, range: std::ops::Range<usize>) -> Option<Pairs<'t, Rule>> {
        self.base = range.start;
        let text = self.text.get(range.clone())?;
        match Grammar::parse(rule, text) {
            Ok(pairs) => Some(pairs),
            Err(fault) => {
                let diagnostic = error::translate(&fault, rule, self.text, range, self.file, self.offset);
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    /// Returns the place of bytes of `text`.
    fn span_at(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.file, self.offset + range.start, self.offset + range.end)
    }

    /// Returns the place of a pair, without the layout that pest leaves at its end.
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let start = self.base + pair.as_span().start();
        self.span_at(start..start + pair.as_str().trim_end().len())
    }

    fn ident(&self, pair: &Pair<'_, Rule>) -> Ident {
        Ident { name: pair.as_str().trim_start_matches(['$', '@']).to_owned(), span: self.span(pair) }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Runs `build` some levels deeper in the tree, or reports that the tree is too deep and builds nothing.
    fn nested(&mut self, levels: usize, span: Span, build: impl FnOnce(&mut Self) -> Expr) -> Expr {
        if self.depth + levels > MAX_TREE_DEPTH {
            let message = format!("this expression is more than {MAX_TREE_DEPTH} levels deep");
            let diagnostic = Diagnostic::new(code::TOO_DEEP, span, message);
            self.report(diagnostic.hint("name a part of it with `let $x = ...;`"));
            return Expr { kind: ExprKind::Error, span };
        }
        self.depth += levels;
        let expr = build(self);
        self.depth -= levels;
        expr
    }
}

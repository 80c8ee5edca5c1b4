//! The formatter: a script in the house's style, its meaning and its comments untouched.
//!
//! It works on tokens, not on the tree, so that a literal stays as it was written and nothing can be lost: text -> [`token`]
//! (tokens and comments, with the line ends before them) -> [`tree`] (items, statements, blocks) -> [`layout`] (lines).
//! [`space`] says which tokens stand apart.
//!
//! What the author decides stays decided: a block on one line that fits stays on one line, one blank line stays, and an
//! expression with a comment inside keeps its lines. C definitions and preprocessor lines are left as they are. Everything else
//! follows from the tokens alone, so that formatting twice changes nothing.
//!
//! In the end both texts are parsed and compared: a text that would mean something else is never handed out.

mod layout;
mod space;
mod token;
mod tree;

use crate::ast::dump::dump;
use crate::diagnostic::Diagnostic;
use crate::parse::parse;
use crate::scan::{BYTE_ORDER_MARK, scan};
use crate::span::{FileId, SourceMap};

/// The longest line that is not broken, in characters.
pub const MAX_WIDTH: usize = 120;
/// How far each level is indented, in spaces.
pub const INDENT: usize = 4;

/// Why a text is left alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Unformatted {
    /// It has errors: its author's fault.
    Faults(Vec<Diagnostic>),
    /// The formatted text would not mean the same: our fault.
    Changed,
}

/// Formats one source of a map.
///
/// # Errors
/// [`Unformatted`] says why the text must be left as it is.
pub fn format(sources: &SourceMap, file: FileId) -> Result<String, Unformatted> {
    let text = sources.file(file).map_or("", |file| file.text());
    let parsed = parse(sources, file);
    if !parsed.is_ok() {
        return Err(Unformatted::Faults(parsed.diagnostics));
    }
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let scanned = scan(text, file);
    let formatted = layout::lines(&tree::file(text, &scanned));
    let (again, id) = SourceMap::single("formatted", formatted.as_str());
    let reparsed = parse(&again, id);
    let is_same = reparsed.is_ok() && dump(&reparsed.program) == dump(&parsed.program);
    if is_same && comments(text, file) == comments(&formatted, id) { Ok(formatted) } else { Err(Unformatted::Changed) }
}

/// The comments of a text in their order, without layout at their ends.
fn comments(text: &str, file: FileId) -> Vec<String> {
    let masked = scan(text, file).masked;
    let all = token::tokens(text, &masked, 0..text.len());
    all.into_iter().filter(|token| token.kind.is_comment()).map(|token| token.text.trim_end().to_owned()).collect()
}

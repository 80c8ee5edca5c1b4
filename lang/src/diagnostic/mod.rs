//! What a script's author is told: one [`Diagnostic`] per fault, with a stable code, a place, and a way out.
//!
//! Every stage of the language (parse, check, plan, the two compilers, the verifier's map back) reports through these
//! types, and none stops at the first fault. The message says what is wrong ("expected `;`, found `}`"), the label what
//! is at the place, the hint what to do, in the imperative. Rendering lives in [`render`], codes in [`code`].

pub mod code;
pub mod render;

use crate::span::Span;
pub use code::{Code, Severity};

/// The most diagnostics that one run keeps; the rest are counted.
pub const MAX_DIAGNOSTICS: usize = 200;

/// A place beside the primary one that explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One fault, or one warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// Where it is wrong.
    pub span: Span,
    /// What to write beside the place; empty for nothing.
    pub label: String,
    /// What would have been right, where one thing can be named.
    pub expected: Option<String>,
    /// What stands there instead.
    pub found: Option<String>,
    /// Further places: the first definition, the bracket that was opened.
    pub secondary: Vec<Label>,
    /// What to do, in the imperative.
    pub hint: Option<String>,
    /// Facts that help to understand, one sentence each.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// Makes a diagnostic with a code, a place and a message.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            message: message.into(),
            span,
            label: String::new(),
            expected: None,
            found: None,
            secondary: Vec::new(),
            hint: None,
            notes: Vec::new(),
        }
    }

    /// Makes an "expected X, found Y" diagnostic.
    pub fn expected(code: Code, span: Span, expected: impl Into<String>, found: impl Into<String>) -> Self {
        let (expected, found) = (expected.into(), found.into());
        let mut diagnostic = Diagnostic::new(code, span, format!("expected {expected}, found {found}"));
        diagnostic.label = format!("expected {expected}");
        diagnostic.expected = Some(expected);
        diagnostic.found = Some(found);
        diagnostic
    }

    /// Sets what stands beside the primary place.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    /// Adds a secondary place.
    pub fn secondary(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Sets what to do about it.
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }

    /// Adds a fact.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Returns the severity, which belongs to the code.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Tells whether this stops the program from running.
    pub fn is_error(&self) -> bool {
        self.severity() == Severity::Error
    }
}

/// Collects the diagnostics of a run, up to [`MAX_DIAGNOSTICS`].
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    errors: usize,
    left_out: usize,
}

impl Diagnostics {
    /// Makes an empty collector.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; the same code at the same place with the same message is added once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.contains(&diagnostic) {
            return;
        }
        self.errors += usize::from(diagnostic.is_error());
        if self.list.len() < MAX_DIAGNOSTICS {
            self.list.push(diagnostic);
        } else {
            self.left_out += 1;
        }
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        others.into_iter().for_each(|d| self.push(d));
    }

    /// Tells whether an error (not a warning) is among them, also one that was left out.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Returns how many errors there are, with those left out.
    pub fn error_count(&self) -> usize {
        self.errors
    }

    /// Returns how many were not kept because there were too many.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Tells whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Iterates in the order of arrival.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Returns them in the order of the source text.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| (d.span, d.code));
        self.list
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Returns the name nearest to `name` for a "did you mean", or `None` where nothing is near.
///
/// Near is an edit distance of at most a third of the name's length, at least 1; ties go to the first candidate.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = edit_distance(name, candidate);
        if distance <= limit && best.is_none_or(|(b, _)| distance < b) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Counts insertions, deletions, substitutions and swaps of neighbours between two names, letter case aside.
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut before_last: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut cost = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{FileId, Span};

    #[test]
    fn nearest_finds_typing_slips() {
        let names = ["status", "path", "method"];
        assert_eq!(nearest("statsu", names), Some("status"));
        assert_eq!(nearest("Path", names), Some("path"));
        assert_eq!(nearest("latency", names), None);
    }

    #[test]
    fn the_collector_counts_what_it_leaves_out() {
        let mut all = Diagnostics::new();
        for i in 0..MAX_DIAGNOSTICS + 5 {
            all.push(Diagnostic::new(code::SYNTAX, Span::point(FileId(0), i), "x"));
        }
        all.push(Diagnostic::new(code::SYNTAX, Span::point(FileId(0), 0), "x"));
        assert_eq!(all.left_out(), 5);
        assert_eq!(all.error_count(), MAX_DIAGNOSTICS + 5);
    }
}

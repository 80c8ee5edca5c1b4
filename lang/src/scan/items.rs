//! Where items end, and where to go on after one that has no end.
//!
//! An item whose brackets do not match, or a clause without a body, has swallowed what follows it. Then the first line in
//! it that looks like an item of its own, without indentation, is where the scanner goes on. That happens at most
//! `MAX_RECOVERIES` times, so that time stays linear.

use std::ops::Range;

use super::limits::MAX_CLAUSE_LEN_BYTES;
use super::{RawItem, RawKind, Scanner, clause};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// The most times that the scanner guesses where a clause without its end was meant to end.
const MAX_RECOVERIES: usize = 20;

impl Scanner<'_> {
    /// Tells whether the current item goes on after a closing bracket: to its `;`, to a struct's attributes, or because
    /// the brace ended a block expression in a predicate.
    pub(super) fn goes_on(&mut self) -> bool {
        let Some(start) = self.item_start else {
            return false;
        };
        let kind = self.item_kind.get_or_insert_with(|| clause::kind(&self.masked, start));
        let rest = clause::after_comments(&self.masked[self.pos..]);
        match kind {
            RawKind::Noise | RawKind::MapDecl | RawKind::Typedef => true,
            RawKind::CDef => rest.starts_with(b"__"),
            RawKind::Headless { .. } => rest.first().is_some_and(|first| b"/&|=!<>+-%?^".contains(first)),
            _ => false,
        }
    }

    /// Ends the current item before `end`; one without a fault is handed on.
    pub(super) fn end_item(&mut self, end: usize) {
        let Some(start) = self.item_start.take() else {
            return;
        };
        self.nesting.reset();
        self.item_kind = None;
        let broken = std::mem::take(&mut self.broken);
        if broken {
            // Its brackets say nothing about where it was meant to end.
            self.go_back(start, end);
            return;
        }
        if self.masked[start..end] == *b";" {
            return;
        }
        if end - start > MAX_CLAUSE_LEN_BYTES {
            let message = format!("this clause has {} bytes, and the limit is {MAX_CLAUSE_LEN_BYTES}", end - start);
            self.report(Diagnostic::new(code::TOO_LARGE, Span::new(self.file, start, start + 1), message));
            return;
        }
        let (kind, end) = match clause::kind(&self.masked, start) {
            RawKind::Headless { .. } => self.split_clause(start..end),
            kind => (kind, end),
        };
        self.scan.items.push(RawItem { kind, range: start..end });
    }

    /// Splits a clause. One that has no body has swallowed what follows.
    fn split_clause(&mut self, range: Range<usize>) -> (RawKind, usize) {
        let kind = clause::split(&self.masked, range.clone());
        let is_whole = !matches!(kind, RawKind::Headless { .. });
        match if is_whole { None } else { self.go_back(range.start, range.end) } {
            Some(next) => (clause::split(&self.masked, range.start..next), next),
            None => (kind, range.end),
        }
    }

    /// Goes back to the first line of a faulty item that looks like an item of its own, and returns its offset. What was
    /// reported from there on is taken back, because it will be found again, or not be a fault.
    fn go_back(&mut self, start: usize, end: usize) -> Option<usize> {
        let next = clause::next_item_line(&self.masked[..end], start)?;
        if self.recoveries >= MAX_RECOVERIES {
            return None;
        }
        self.recoveries += 1;
        self.pos = next;
        self.scan.diagnostics.retain(|d| (d.span.start as usize) < next);
        // A string that was cut there is met again too, and told again.
        self.string_cut_at = self.string_cut_at.filter(|cut| *cut < next);
        let is_told = self.scan.diagnostics.iter().any(|d| d.span.start as usize >= start);
        if let Some((bracket, at)) = clause::last_open(&self.masked[start..next]).filter(|_| !is_told) {
            let before = self.masked[..next].trim_ascii_end().len();
            self.report_unclosed(bracket, start + at, Span::point(self.file, before), "the next clause");
            self.broken = false;
        }
        Some(next)
    }

    /// Ends the item that reaches the end of the file. Where that made the scanner go back, there is more to scan.
    pub(super) fn end_of_file(&mut self) {
        if self.item_start.is_none() {
            return;
        }
        let end = self.masked.trim_ascii_end().len();
        if let Some(open) = self.nesting.innermost().filter(|_| !self.broken) {
            self.report_unclosed(open.bracket, open.at, Span::point(self.file, end), "the end of the file");
        }
        self.end_item(end);
    }
}

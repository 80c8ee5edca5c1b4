//! Brackets: how deep they are, and which are missing.
//!
//! A closing bracket of another kind shows that the inner ones are unclosed, so `}` ends any `(`; that keeps one missing
//! `)` from reaching past its clause. An item gets one such fault, and is not parsed then.

use super::RawKind;
use super::Scanner;
use super::limits::MAX_OPEN;
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

impl Scanner<'_> {
    /// Takes an opening bracket.
    pub(super) fn open(&mut self, bracket: u8) {
        self.nesting.open(bracket, self.pos);
        self.check_depth(self.pos);
        self.pos += 1;
    }

    /// Reports, once an item, that too much is open.
    pub(super) fn check_depth(&mut self, at: usize) {
        if self.broken || !self.nesting.is_too_deep() {
            return;
        }
        let message = format!("more than {MAX_OPEN} brackets, conditions and `?` are open here");
        let diagnostic = Diagnostic::new(code::TOO_DEEP, Span::new(self.file, at, at + 1), message);
        self.report(diagnostic.hint("name a part of it with `let $x = ...;`"));
        self.broken = true;
    }

    /// Takes a closing bracket, and ends the item where it is the last.
    pub(super) fn close(&mut self, bracket: u8) {
        let wanted = opening(bracket);
        self.drop_unclosed(bracket, wanted);
        if self.nesting.innermost().is_some_and(|open| open.bracket == wanted) {
            self.nesting.close();
        } else {
            self.report_unmatched(bracket);
        }
        self.pos += 1;
        let is_top = self.nesting.brackets() == 0;
        // An attribute's `)` ends a struct whose `}` is behind; `item_kind` is set by that `}`.
        let may_end = bracket == b'}' || (bracket == b')' && self.item_kind == Some(RawKind::CDef));
        if is_top && may_end && !self.goes_on() {
            self.end_item(self.pos);
        }
    }

    /// Takes back brackets that a closing one of another kind shows to be unclosed: `}` ends any `(`.
    fn drop_unclosed(&mut self, bracket: u8, wanted: u8) {
        while let Some(open) = self.nesting.innermost() {
            let is_inner = open.bracket != wanted && self.nesting.is_open(wanted) && open.bracket != b'{';
            if !is_inner {
                return;
            }
            self.nesting.close();
            if !self.broken {
                let here = Span::new(self.file, self.pos, self.pos + 1);
                self.report_unclosed(open.bracket, open.at, here, &format!("`{}`", bracket as char));
            }
        }
    }

    fn report_unmatched(&mut self, bracket: u8) {
        if self.broken {
            return;
        }
        let here = Span::new(self.file, self.pos, self.pos + 1);
        let message = format!("`{}` closes nothing", bracket as char);
        self.report(Diagnostic::new(code::UNMATCHED, here, message).hint("remove it, or open a bracket before it"));
        if self.item_start == Some(self.pos) {
            // Nothing but the bracket: the next item is whole.
            self.masked[self.pos] = b' ';
            self.item_start = None;
        } else {
            self.broken = true;
        }
    }

    /// Reports the bracket at `at`, whose closing one is missing at `here`; the item is not parsed then.
    pub(super) fn report_unclosed(&mut self, bracket: u8, at: usize, here: Span, found: &str) {
        let closer = format!("`{}`", closing(bracket) as char);
        let diagnostic = Diagnostic::expected(code::UNCLOSED, here, closer.as_str(), found)
            .secondary(Span::new(self.file, at, at + 1), "opened here")
            .hint(format!("close it with {closer}"));
        self.report(diagnostic);
        self.broken = true;
    }
}

fn opening(bracket: u8) -> u8 {
    match bracket {
        b')' => b'(',
        b']' => b'[',
        _ => b'{',
    }
}

fn closing(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

//! `=~` and `!~`: regular expressions and globs, checked here and compiled at load.

use super::Checker;
use super::infer::{coerce, is_char_array};
use crate::ast::{self, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code};
use crate::hir::{self, ExprKind, Pattern};
use crate::span::Span;
use crate::ty::Ty;

/// The largest compiled pattern, in bytes.
const MAX_PATTERN_LEN_BYTES: usize = 1 << 20;

/// A pattern of at most this many states is compiled within the limit, whatever it is.
const SMALL_PATTERN_STATES: u64 = 2_000;
/// The most byte sequences by which one range of characters is matched.
const STATES_PER_RANGE: u64 = 16;

impl<'a> Checker<'a> {
    /// Checks `left =~ right`.
    pub(super) fn matches(
        &mut self,
        left: &'a ast::Expr,
        right: &'a ast::Expr,
        negated: bool,
        span: Span,
    ) -> hir::Expr {
        let value = self.value(left);
        let pattern = self.pattern(right);
        if !self.native_only(span, "a text pattern") {
            return super::error_expr(span);
        }
        let value = match &value.ty {
            Ty::Error => return value,
            Ty::Str | Ty::Any => value,
            ty if is_char_array(ty) => coerce(value, &Ty::Str),
            other => {
                let diagnostic = Diagnostic::expected(code::MISMATCH, value.span, "a text", other.to_string())
                    .hint("`=~` matches text only");
                return self.fault(diagnostic);
            }
        };
        let Some(pattern) = pattern else {
            return super::error_expr(span);
        };
        hir::Expr { kind: ExprKind::Match { value: Box::new(value), pattern, negated }, ty: Ty::Bool, span }
    }

    fn pattern(&mut self, expr: &'a ast::Expr) -> Option<Pattern> {
        match &expr.kind {
            Ast::Regex(text) => self.regex(text, expr.span),
            Ast::Str(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                self.regex(&text, expr.span)
            }
            Ast::Call { name, args } if name.name == "glob" => self.glob(args, expr.span),
            Ast::Error => None,
            _ => {
                self.report(
                    Diagnostic::new(code::BAD_PATTERN, expr.span, "the pattern must be written out here")
                        .label("not a literal")
                        .hint("write a regular expression in quotes, or glob(\"/orders/*\")"),
                );
                None
            }
        }
    }

    fn regex(&mut self, text: &str, span: Span) -> Option<Pattern> {
        if self.patterns.contains(text) {
            return Some(Pattern::Regex(text.to_owned()));
        }
        let hir = match regex_syntax::ParserBuilder::new().utf8(false).build().parse(text) {
            Ok(hir) => hir,
            Err(error) => {
                let (why, at) = explain(&error);
                let place = at.map_or(span, |at| within(span, at));
                self.report(
                    Diagnostic::new(code::BAD_PATTERN, place, format!("the regular expression is wrong: {why}"))
                        .label("here"),
                );
                return None;
            }
        };
        // Compiling takes a millisecond, so it is left to load where the size is plainly within the limit.
        if states(&hir) <= SMALL_PATTERN_STATES {
            self.patterns.insert(text.to_owned());
            return Some(Pattern::Regex(text.to_owned()));
        }
        let built = regex::bytes::RegexBuilder::new(text).size_limit(MAX_PATTERN_LEN_BYTES).build();
        if built.is_err() {
            self.report(
                Diagnostic::new(code::BAD_PATTERN, span, "the regular expression is too large when compiled")
                    .hint("make its repetitions smaller"),
            );
            return None;
        }
        self.patterns.insert(text.to_owned());
        Some(Pattern::Regex(text.to_owned()))
    }

    fn glob(&mut self, args: &'a [ast::Arg], span: Span) -> Option<Pattern> {
        match args {
            [ast::Arg { name: None, value: ast::Expr { kind: Ast::Str(text), .. } }] => {
                match std::str::from_utf8(text) {
                    Ok(text) => return Some(Pattern::Glob(text.to_owned())),
                    Err(_) => self.report(Diagnostic::new(code::BAD_PATTERN, span, "a glob must be UTF-8")),
                }
            }
            _ => self.report(
                Diagnostic::new(code::BAD_PATTERN, span, "`glob` takes one literal text")
                    .hint("write it as glob(\"/orders/*\")"),
            ),
        }
        None
    }
}

/// An upper bound of the states that a pattern compiles to.
fn states(hir: &regex_syntax::hir::Hir) -> u64 {
    use regex_syntax::hir::{Class, HirKind};
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64,
        HirKind::Class(Class::Unicode(class)) => STATES_PER_RANGE * class.ranges().len() as u64,
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min).max(1)).saturating_add(1);
            states(&repetition.sub).saturating_add(2).saturating_mul(times)
        }
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().fold(2, |sum: u64, part| sum.saturating_add(states(part)).saturating_add(1))
        }
    }
}

/// What is wrong with a regular expression, and where in it.
fn explain(error: &regex_syntax::Error) -> (String, Option<std::ops::Range<usize>>) {
    match error {
        regex_syntax::Error::Parse(error) => {
            let span = error.span();
            (error.kind().to_string(), Some(span.start.offset..span.end.offset))
        }
        regex_syntax::Error::Translate(error) => {
            let span = error.span();
            (error.kind().to_string(), Some(span.start.offset..span.end.offset))
        }
        other => (other.to_string(), None),
    }
}

/// The place of a part of a literal, whose text starts after a quote.
fn within(literal: Span, at: std::ops::Range<usize>) -> Span {
    let start = literal.start as usize + 1 + at.start;
    let end = literal.start as usize + 1 + at.end;
    let last = literal.end as usize;
    Span::new(literal.file, start.min(last), end.min(last))
}

//! Mock rules that can never answer, because an earlier one holds for every call.

use crate::diagnostic::{Diagnostic, Diagnostics, code};
use crate::hir::{Header, Program, Stage};

/// Warns of each mock rule behind one of the same protocol that has no predicate.
///
/// The first clause that holds wins, so a rule behind such a one is never asked. Rules of different files are left alone
/// where the later file's is a default that the earlier replaces on purpose.
pub(super) fn warn(program: &Program, diagnostics: &mut Diagnostics) {
    let mut catch_all: Vec<(&str, crate::span::Span)> = Vec::new();
    for clause in &program.clauses {
        let Header::Rule(rule) = &clause.header else {
            continue;
        };
        if rule.stage != Stage::Mock {
            continue;
        }
        let earlier = catch_all.iter().find(|(protocol, _)| *protocol == rule.protocol);
        match earlier {
            Some((_, span)) if span.file == clause.span.file => diagnostics.push(
                Diagnostic::new(
                    code::SHADOWED_RULE,
                    clause.span,
                    "this rule never answers: an earlier one holds for every call",
                )
                .secondary(*span, "this one, which has no predicate, comes first")
                .hint("put this rule before it, or give that one a predicate"),
            ),
            Some(_) => {}
            None if clause.predicate.is_none() => catch_all.push((&rule.protocol, clause.span)),
            None => {}
        }
    }
}

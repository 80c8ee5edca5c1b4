//! Mock rules that can never answer, because an earlier one holds whenever they do.

use std::collections::BTreeSet;

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, code};
use crate::hir::{BinaryOp, Clause, Expr, ExprKind, Header, Program, Stage, dump};
use crate::span::FileId;

/// Warns of each mock rule behind one of the same protocol whose conditions are all among its own.
///
/// The first clause that holds wins, so a rule behind such a one is never asked. stdlib's own rules are left alone: a user's
/// rule replaces them on purpose.
pub(super) fn warn(program: &Program, stdlib: &[ast::Program], diagnostics: &mut Diagnostics) {
    let defaults: BTreeSet<FileId> =
        stdlib.iter().flat_map(|program| &program.items).map(|item| item.span().file).collect();
    let mut earlier: Vec<(&str, BTreeSet<String>, &Clause)> = Vec::new();
    for clause in &program.clauses {
        let Header::Rule(rule) = &clause.header else {
            continue;
        };
        if rule.stage != Stage::Mock || defaults.contains(&clause.span.file) {
            continue;
        }
        let mut conditions = BTreeSet::new();
        if let Some(predicate) = &clause.predicate {
            conjuncts(predicate, &mut conditions);
        }
        let first =
            earlier.iter().find(|(protocol, fewer, _)| *protocol == rule.protocol && fewer.is_subset(&conditions));
        match first {
            Some((_, _, first)) => diagnostics.push(shadowed(first, clause)),
            None => earlier.push((&rule.protocol, conditions, clause)),
        }
    }
}

fn shadowed(first: &Clause, clause: &Clause) -> Diagnostic {
    let (when, label) = match first.predicate {
        None => ("for every call", "this one, which has no predicate, comes first"),
        Some(_) => ("whenever it does", "this one comes first, and asks for no more"),
    };
    Diagnostic::new(code::SHADOWED_RULE, clause.span, format!("this rule never answers: an earlier one holds {when}"))
        .secondary(first.span, label)
        .hint(match first.predicate {
            None => "put this rule before it, or give that one a predicate",
            Some(_) => "put this rule before it, or remove one of the two",
        })
}

/// The parts of a predicate that must all hold, as the dump writes them.
fn conjuncts(expr: &Expr, found: &mut BTreeSet<String>) {
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right, .. } => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        _ => {
            found.insert(dump::expr(expr));
        }
    }
}

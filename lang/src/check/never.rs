//! Rules that hold for no message, because their predicate contradicts itself.
//!
//! Only what compares one place with literals is looked at, two conjuncts at a time: that is how such a rule comes about, by `&&`
//! where `||` was meant, and it is decided without guessing.

use std::collections::BTreeSet;

use crate::ast;
use crate::diagnostic::{Diagnostic, Diagnostics, code};
use crate::hir::{BinaryOp, Expr, ExprKind, Header, Program, dump};
use crate::span::{FileId, Span};
use crate::ty::Ty;

/// Warns of each rule of the user's whose predicate is false for every message.
pub(super) fn warn(program: &Program, stdlib: &[ast::Program], diagnostics: &mut Diagnostics) {
    let defaults: BTreeSet<FileId> =
        stdlib.iter().flat_map(|program| &program.items).map(|item| item.span().file).collect();
    let rules = program.clauses.iter().filter(|clause| matches!(clause.header, Header::Rule(_)));
    for clause in rules.filter(|clause| !defaults.contains(&clause.span.file)) {
        if let Some(found) = clause.predicate.as_ref().and_then(contradiction) {
            diagnostics.push(never(found));
        }
    }
}

/// Why a predicate never holds.
enum Contradiction {
    /// This conjunct is false by itself.
    Alone(Span),
    /// These two are never true at once.
    Both(Span, Span),
}

fn never(found: Contradiction) -> Diagnostic {
    let of = |span| Diagnostic::new(code::NEVER_HOLDS, span, "this rule holds for no message");
    match found {
        Contradiction::Alone(span) => of(span).label("never true").hint("remove the rule"),
        Contradiction::Both(first, second) => of(second)
            .label("never true together with the other")
            .secondary(first, "this must hold too")
            .hint("write `||` where either will do, or remove one of the two"),
    }
}

/// What a conjunct says of a place.
struct Fact<'a> {
    place: String,
    op: BinaryOp,
    value: Value<'a>,
    span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value<'a> {
    Int(i128),
    Bool(bool),
    Str(&'a [u8]),
}

/// The first contradiction of a predicate.
fn contradiction(predicate: &Expr) -> Option<Contradiction> {
    let mut conjuncts = Vec::new();
    split(predicate, &mut conjuncts);
    let mut facts: Vec<Fact<'_>> = Vec::new();
    for conjunct in conjuncts {
        if matches!(conjunct.kind, ExprKind::Bool(false)) {
            return Some(Contradiction::Alone(conjunct.span));
        }
        let Some(fact) = fact(conjunct) else { continue };
        if let Some(other) = facts.iter().find(|other| other.place == fact.place && excludes(other, &fact)) {
            return Some(Contradiction::Both(other.span, fact.span));
        }
        facts.push(fact);
    }
    None
}

fn split<'a>(expr: &'a Expr, out: &mut Vec<&'a Expr>) {
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            split(left, out);
            split(right, out);
        }
        _ => out.push(expr),
    }
}

/// What a comparison with a literal says, and of which place.
fn fact(expr: &Expr) -> Option<Fact<'_>> {
    let ExprKind::Binary { op, left, right } = &expr.kind else { return None };
    let (place, value, op) = match (value(left), value(right)) {
        (None, Some(value)) => (left, value, *op),
        (Some(value), None) => (right, value, flipped(*op)),
        _ => return None,
    };
    Some(Fact { place: dump::expr(uncast(place)), op, value, span: expr.span })
}

/// The operator that says the same with its sides exchanged.
fn flipped(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        other => other,
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Cast(inner) => uncast(inner),
        _ => expr,
    }
}

fn value(expr: &Expr) -> Option<Value<'_>> {
    let expr = uncast(expr);
    match &expr.kind {
        ExprKind::Int(bits) if is_unsigned(&expr.ty) => Some(Value::Int(i128::from(bits.cast_unsigned()))),
        ExprKind::Int(value) => Some(Value::Int(i128::from(*value))),
        ExprKind::Bool(value) => Some(Value::Bool(*value)),
        ExprKind::Str(text) => Some(Value::Str(text)),
        _ => None,
    }
}

fn is_unsigned(ty: &Ty) -> bool {
    matches!(ty, Ty::Int(int) if !int.signed)
}

/// The numbers that a fact leaves, both ends included; none where it says something else.
fn range(fact: &Fact<'_>) -> Option<(i128, i128)> {
    let Value::Int(value) = fact.value else { return None };
    Some(match fact.op {
        BinaryOp::Eq => (value, value),
        BinaryOp::Lt => (i128::MIN, value - 1),
        BinaryOp::Le => (i128::MIN, value),
        BinaryOp::Gt => (value + 1, i128::MAX),
        BinaryOp::Ge => (value, i128::MAX),
        _ => return None,
    })
}

fn is_apart(one: (i128, i128), other: (i128, i128)) -> bool {
    one.1 < other.0 || other.1 < one.0
}

/// Whether two facts of one place are never true at once.
fn excludes(one: &Fact<'_>, other: &Fact<'_>) -> bool {
    match (one.op, other.op) {
        (BinaryOp::Eq, BinaryOp::Eq) => one.value != other.value,
        (BinaryOp::Eq, BinaryOp::Ne) | (BinaryOp::Ne, BinaryOp::Eq) => one.value == other.value,
        _ => range(one).zip(range(other)).is_some_and(|(one, other)| is_apart(one, other)),
    }
}

//! Noise classes: pure predicates over one value.
//!
//! Pure means: literals, the parameter, operators, other classes and pure functions. No map, no clock, no event, no
//! recursion.

use std::collections::BTreeMap;

use super::Checker;
use super::scope::Place;
use crate::diagnostic::{Diagnostic, code};
use crate::hir::{self, ExprKind, NoiseId};
use crate::span::Span;
use crate::ty::Ty;

impl<'a> Checker<'a> {
    /// Checks every class; the results stand in the order of their numbers.
    pub(super) fn noise_classes(&mut self) -> Vec<hir::Noise> {
        let mut decls: Vec<_> = self.decls.noise.values().copied().collect();
        decls.sort_by_key(|decl| decl.id);
        let mut classes = Vec::new();
        let mut uses: BTreeMap<NoiseId, Vec<NoiseId>> = BTreeMap::new();
        for decl in decls {
            self.enter(Place::Noise { param: &decl.ast.param.name }, Vec::new());
            let body = self.noise_body(&decl.ast.body);
            uses.insert(decl.id, std::mem::take(&mut self.body.noise));
            classes.push(hir::Noise { id: decl.id, name: decl.ast.name.name.clone(), body, span: decl.ast.name.span });
        }
        for class in &classes {
            if reaches(&uses, class.id, class.id) {
                let message = format!("the noise class `{}` is defined by itself", class.name);
                self.report(Diagnostic::new(code::RECURSION, class.span, message));
            }
        }
        classes
    }

    fn noise_body(&mut self, body: &'a crate::ast::Expr) -> hir::Expr {
        let value = self.condition(body);
        if let Some(span) = impure_part(&value) {
            return self.impure(span, "this");
        }
        value
    }

    /// Notes that the body uses a class.
    pub(super) fn noise_used(&mut self, class: NoiseId) {
        self.body.noise.push(class);
    }

    /// Reports what a noise class may not use.
    pub(super) fn impure(&mut self, span: Span, what: &str) -> hir::Expr {
        self.fault(
            Diagnostic::new(code::IMPURE, span, format!("a noise class cannot use {what}"))
                .label("may differ for one value")
                .hint("use its parameter, literals, operators, other classes and pure functions only"),
        )
    }
}

/// The place of a part that reads a map, or declares a variable.
fn impure_part(expr: &hir::Expr) -> Option<Span> {
    if expr.ty == Ty::Error {
        return None;
    }
    match &expr.kind {
        ExprKind::MapGet { .. } | ExprKind::Map(_) | ExprKind::Block { .. } | ExprKind::Builtin(_) => Some(expr.span),
        ExprKind::Binary { left, right, .. } => impure_part(left).or_else(|| impure_part(right)),
        ExprKind::Unary { value, .. } | ExprKind::Match { value, .. } | ExprKind::Noise { value, .. } => {
            impure_part(value)
        }
        ExprKind::Cast(value) | ExprKind::Deref(value) => impure_part(value),
        ExprKind::Ternary { condition, then, otherwise } => {
            [condition, then, otherwise].into_iter().find_map(|part| impure_part(part))
        }
        ExprKind::Call { args, .. } | ExprKind::Tuple(args) => args.iter().find_map(impure_part),
        ExprKind::Path { base, segments } => impure_part(base).or_else(|| {
            segments.iter().find_map(|segment| match segment {
                hir::Segment::Key(key) => impure_part(key),
                _ => None,
            })
        }),
        ExprKind::TupleItem { base, .. } => impure_part(base),
        _ => None,
    }
}

/// Whether one class uses another, at any depth.
fn reaches(uses: &BTreeMap<NoiseId, Vec<NoiseId>>, from: NoiseId, to: NoiseId) -> bool {
    let mut seen = Vec::new();
    let mut open = vec![from];
    while let Some(class) = open.pop() {
        for used in uses.get(&class).into_iter().flatten() {
            if *used == to {
                return true;
            }
            if !seen.contains(used) {
                seen.push(*used);
                open.push(*used);
            }
        }
    }
    false
}

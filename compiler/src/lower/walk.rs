//! Visits every expression of a clause.

use reel_lang::hir::{Action, Expr, ExprKind, Segment, Stmt, StmtKind};

/// Calls `f` with every expression in statements, outer ones first.
pub(crate) fn stmts<'a>(stmts: &'a [Stmt], f: &mut dyn FnMut(&'a Expr)) {
    for stmt in stmts {
        parts(stmt, f);
        for inner in blocks(stmt) {
            self::stmts(inner, f);
        }
    }
}

/// The statements inside a statement.
pub(crate) fn blocks(stmt: &Stmt) -> Vec<&[Stmt]> {
    match &stmt.kind {
        StmtKind::If { then, otherwise, .. } => vec![then, otherwise],
        StmtKind::While { body, .. } | StmtKind::ForRange { body, .. } => vec![body],
        _ => Vec::new(),
    }
}

/// Calls `f` with the expressions that stand in a statement itself.
pub(crate) fn parts<'a>(stmt: &'a Stmt, f: &mut dyn FnMut(&'a Expr)) {
    match &stmt.kind {
        StmtKind::Assign { value, .. } => expr(value, f),
        StmtKind::MapSet { key, value, .. } | StmtKind::MapAdd { key, delta: value, .. } => {
            key.iter().for_each(|part| expr(part, f));
            expr(value, f);
        }
        StmtKind::MapAggregate { key, value, .. } => {
            key.iter().for_each(|part| expr(part, f));
            value.iter().for_each(|value| expr(value, f));
        }
        StmtKind::Expr(value) => expr(value, f),
        StmtKind::If { condition, .. } | StmtKind::While { condition, .. } => expr(condition, f),
        StmtKind::ForRange { from, to, .. } => {
            expr(from, f);
            expr(to, f);
        }
        StmtKind::Return(value) => value.iter().for_each(|value| expr(value, f)),
        StmtKind::Action(Action::Require(value, _)) => expr(value, f),
        StmtKind::Action(Action::Respond(values)) => {
            values.iter().for_each(|(_, value)| expr(value, f));
        }
        StmtKind::Break | StmtKind::Continue | StmtKind::Action(_) => {}
    }
}

/// Calls `f` with an expression and every one inside it, outer ones first.
pub(crate) fn expr<'a>(outer: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    f(outer);
    if let ExprKind::Block { body, value } = &outer.kind {
        stmts(body, f);
        expr(value, f);
        return;
    }
    for inner in children(outer) {
        expr(inner, f);
    }
}

/// The operands of an expression; of a block, its value.
pub(crate) fn children(outer: &Expr) -> Vec<&Expr> {
    match &outer.kind {
        ExprKind::MapGet { key: list, .. } | ExprKind::Tuple(list) => list.iter().collect(),
        ExprKind::Call { args, .. } => args.iter().collect(),
        ExprKind::Path { base, segments } => {
            let keys = segments.iter().filter_map(|segment| match segment {
                Segment::Key(key) => Some(&**key),
                _ => None,
            });
            std::iter::once(&**base).chain(keys).collect()
        }
        ExprKind::Member { base: value, .. }
        | ExprKind::Deref(value)
        | ExprKind::TupleItem { base: value, .. }
        | ExprKind::Unary { value, .. }
        | ExprKind::Match { value, .. }
        | ExprKind::Noise { value, .. }
        | ExprKind::Cast(value)
        | ExprKind::Block { value, .. } => vec![value],
        ExprKind::Index { base, index } => vec![base, index],
        ExprKind::Binary { left, right, .. } => vec![left, right],
        ExprKind::Ternary { condition, then, otherwise } => vec![condition, then, otherwise],
        _ => Vec::new(),
    }
}

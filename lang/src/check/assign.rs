//! Assignments, compound assignments and `++`.
//!
//! On maps an addition stays one atomic operation; every other compound assignment reads and then writes. A key is computed
//! once, also where it is used twice.

use super::Checker;
use super::infer::coerce;
use super::stmt::{block_value, push};
use crate::ast::{self, StepOp};
use crate::diagnostic::code;
use crate::hir::{self, ExprKind, StmtKind};
use crate::span::Span;
use crate::ty::{IntTy, Ty};

impl<'a> Checker<'a> {
    /// Checks `target = value` and `target op= value`.
    pub(super) fn assign(
        &mut self,
        span: Span,
        target: &'a ast::Expr,
        op: Option<ast::BinaryOp>,
        value: &'a ast::Expr,
        out: &mut Vec<hir::Stmt>,
    ) {
        match &target.kind {
            ast::ExprKind::Map { name, keys } => self.assign_map(span, (name, keys, target.span), op, value, out),
            ast::ExprKind::Var(name) => {
                let value = match op {
                    Some(op) => {
                        let current = self.var(name, target.span);
                        let value = self.value(value);
                        self.binary(op, current, value, span)
                    }
                    None => self.value(value),
                };
                if value.ty == Ty::Error && op.is_some() {
                    return;
                }
                let id = self.lookup(name).unwrap_or_else(|| self.declare(name, target.span));
                let value = if op.is_some() { self.store_back(id, value) } else { self.store(id, value) };
                push(out, StmtKind::Assign { var: id, value }, span);
            }
            ast::ExprKind::Discard => {
                let value = self.value(value);
                push(out, StmtKind::Expr(value), span);
            }
            ast::ExprKind::Error => {}
            _ => {
                let _ = self.value(value);
                self.not_yet(code::NOT_YET_WRITE, target.span, "writing through a pointer or into a struct");
            }
        }
    }

    fn assign_map(
        &mut self,
        span: Span,
        (name, keys, place): (&str, &'a [ast::Expr], Span),
        op: Option<ast::BinaryOp>,
        value: &'a ast::Expr,
        out: &mut Vec<hir::Stmt>,
    ) {
        if op.is_none() && self.is_aggregation(value) {
            return self.aggregate(span, (name, keys, place), value, out);
        }
        let (map, key) = self.map_entry(name, keys, place);
        let value = self.value(value);
        match op {
            None => {
                let value = self.map_write(map, value);
                push(out, StmtKind::MapSet { map, key, value }, span);
            }
            Some(ast::BinaryOp::Add) => self.map_add(span, map, key, value, out),
            Some(ast::BinaryOp::Sub) => {
                let delta = self.negate(value, span);
                self.map_add(span, map, key, delta, out);
            }
            Some(op) => {
                let key = self.saved_keys(key, out);
                let current = self.map_read(map, key.clone(), place);
                let value = self.binary(op, current, value, span);
                let value = self.map_write(map, value);
                push(out, StmtKind::MapSet { map, key, value }, span);
            }
        }
    }

    /// `@m[k] += delta`
    pub(super) fn map_add(
        &mut self,
        span: Span,
        map: hir::MapId,
        key: Vec<hir::Expr>,
        delta: hir::Expr,
        out: &mut Vec<hir::Stmt>,
    ) {
        let delta = self.integer(delta);
        let delta = match self.map_int(map) {
            Some(ty) => coerce(delta, &ty),
            None => self.map_write(map, delta),
        };
        if delta.ty != Ty::Error && delta.ty.int().is_none() {
            return;
        }
        push(out, StmtKind::MapAdd { map, key, delta }, span);
    }

    /// `x++` as a statement.
    pub(super) fn step_stmt(&mut self, span: Span, op: StepOp, target: &'a ast::Expr, out: &mut Vec<hir::Stmt>) {
        let delta =
            hir::Expr { kind: ExprKind::Int(if op == StepOp::Inc { 1 } else { -1 }), ty: Ty::Int(IntTy::I64), span };
        match &target.kind {
            ast::ExprKind::Map { name, keys } => {
                let (map, key) = self.map_entry(name, keys, target.span);
                self.map_add(span, map, key, delta, out);
            }
            ast::ExprKind::Var(name) => {
                let Some(id) = self.lookup(name) else {
                    self.var(name, target.span);
                    return;
                };
                let current = self.var(name, target.span);
                let one = hir::Expr { kind: ExprKind::Int(1), ..delta };
                let op = if op == StepOp::Inc { ast::BinaryOp::Add } else { ast::BinaryOp::Sub };
                let value = self.binary(op, current, one, span);
                let value = self.store_back(id, value);
                push(out, StmtKind::Assign { var: id, value }, span);
            }
            ast::ExprKind::Error => {}
            _ => {
                self.not_yet(code::NOT_YET_WRITE, target.span, "writing through a pointer or into a struct");
            }
        }
    }

    /// `x++` as a value: the value before, or after for `++x`.
    pub(super) fn step_value(&mut self, span: Span, op: StepOp, fix: ast::Fix, target: &'a ast::Expr) -> hir::Expr {
        let mut body = Vec::new();
        let read = match &target.kind {
            ast::ExprKind::Map { name, keys } => {
                let (map, key) = self.map_entry(name, keys, target.span);
                let key = self.saved_keys(key, &mut body);
                let delta = super::literal::int(if op == StepOp::Inc { 1 } else { -1 }, span);
                let mut add = Vec::new();
                self.map_add(span, map, key.clone(), delta, &mut add);
                (self.map_read(map, key, target.span), add)
            }
            ast::ExprKind::Var(name) => {
                let read = self.var(name, target.span);
                let mut add = Vec::new();
                self.step_stmt(span, op, target, &mut add);
                (read, add)
            }
            _ => {
                self.step_stmt(span, op, target, &mut body);
                return super::error_expr(span);
            }
        };
        let (read, mut add) = read;
        if read.ty == Ty::Error {
            return read;
        }
        let value = match fix {
            ast::Fix::Postfix => {
                let (save, saved) = self.hidden(read);
                body.push(save);
                saved
            }
            ast::Fix::Prefix => read,
        };
        body.append(&mut add);
        block_value(body, value, span)
    }

    /// Keeps keys that are more than a name in variables, so that they are computed once and used twice.
    fn saved_keys(&mut self, key: Vec<hir::Expr>, out: &mut Vec<hir::Stmt>) -> Vec<hir::Expr> {
        let mut saved = Vec::new();
        for key in key {
            if is_simple(&key) {
                saved.push(key);
                continue;
            }
            let (save, read) = self.hidden(key);
            out.push(save);
            saved.push(read);
        }
        saved
    }
}

/// Whether an expression is short, and gives the same when it is computed again.
pub(super) fn is_simple(value: &hir::Expr) -> bool {
    match &value.kind {
        ExprKind::Cast(inner) => is_simple(inner),
        ExprKind::TupleItem { base, .. } => is_simple(base),
        ExprKind::Int(_)
        | ExprKind::Bool(_)
        | ExprKind::Str(_)
        | ExprKind::Var(_)
        | ExprKind::Arg(_)
        | ExprKind::Field(_) => true,
        _ => value.ty == Ty::Error,
    }
}

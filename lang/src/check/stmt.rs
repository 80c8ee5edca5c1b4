//! Statements: assignments, control flow, and what a statement makes of an expression.
//!
//! Compound assignments and `++` are expanded here; on maps, additions stay one atomic operation.

use super::Checker;
use super::infer::{coerce, stored};
use super::scope::Bound;
use crate::ast::{self, ForOver, StepOp};
use crate::diagnostic::{Diagnostic, code};
use crate::env::ProbeKind;
use crate::hir::{self, ExprKind, StmtKind};
use crate::span::Span;
use crate::ty::{IntTy, Ty};

/// The most rounds of an `unroll`, as in bpftrace.
const MAX_UNROLL: i64 = 100;

impl<'a> Checker<'a> {
    /// Checks a block's statements in a scope of their own.
    pub(super) fn block(&mut self, block: &'a ast::Block) -> Vec<hir::Stmt> {
        let mut out = Vec::new();
        self.block_inline(block, &mut out);
        out
    }

    /// Checks a block in a scope of its own and appends its statements.
    pub(super) fn block_inline(&mut self, block: &'a ast::Block, out: &mut Vec<hir::Stmt>) {
        self.body.depth += 1;
        self.in_block(|checker| {
            for stmt in &block.stmts {
                checker.stmt(stmt, out);
            }
            if let Some(value) = &block.value {
                checker.effect(value, out);
            }
        });
        self.body.depth -= 1;
    }

    /// Checks a statement and appends what it becomes.
    pub(super) fn stmt(&mut self, stmt: &'a ast::Stmt, out: &mut Vec<hir::Stmt>) {
        let span = stmt.span;
        match &stmt.kind {
            ast::StmtKind::Let { name, ty, value } => self.let_stmt(name, ty.as_ref(), value.as_ref(), out),
            ast::StmtKind::Assign { target, op, value } => self.assign(span, target, *op, value, out),
            ast::StmtKind::Expr(expr) => self.effect(expr, out),
            ast::StmtKind::While { cond, body } => {
                let condition = self.condition(cond);
                let body = self.loop_body(body);
                push(out, StmtKind::While { condition, body }, span);
            }
            ast::StmtKind::For { name, over, body } => self.for_stmt(span, name, over, body, out),
            ast::StmtKind::Unroll { count, body } => self.unroll(span, count, body, out),
            ast::StmtKind::Return(value) => {
                let value = value.as_ref().map(|value| self.returned(value));
                push(out, StmtKind::Return(value), span);
            }
            ast::StmtKind::Import(import) => {
                self.not_yet(code::NOT_YET_IMPORT, import.span, &format!("import \"{}\"", import.path));
            }
            ast::StmtKind::Break => self.jump(StmtKind::Break, "break", span, out),
            ast::StmtKind::Continue => self.jump(StmtKind::Continue, "continue", span, out),
        }
    }

    fn loop_body(&mut self, body: &'a ast::Block) -> Vec<hir::Stmt> {
        self.body.loops += 1;
        let body = self.block(body);
        self.body.loops -= 1;
        body
    }

    fn jump(&mut self, kind: StmtKind, word: &str, span: Span, out: &mut Vec<hir::Stmt>) {
        if self.body.loops == 0 {
            self.report(Diagnostic::new(code::OUTSIDE_LOOP, span, format!("`{word}` stands outside a loop")));
        }
        push(out, kind, span);
    }

    /// `return x`; in a verdict probe `x` may be a verdict's word.
    fn returned(&mut self, value: &'a ast::Expr) -> hir::Expr {
        if let (Some(ProbeKind::Cgroup), ast::ExprKind::Name(name)) = (self.probe_kind(), &value.kind) {
            for word in ["pass", "drop"] {
                if name == word {
                    return hir::Expr { kind: ExprKind::Word(word), ty: Ty::Int(IntTy::I64), span: value.span };
                }
            }
        }
        let value = self.value(value);
        self.integer(value)
    }

    fn let_stmt(
        &mut self,
        name: &'a ast::Ident,
        ty: Option<&'a ast::Type>,
        value: Option<&'a ast::Expr>,
        out: &mut Vec<hir::Stmt>,
    ) {
        let value = value.map(|value| self.value(value));
        if let Some(first) = self.lookup(&name.name) {
            let first_span = self.body.vars.get(first.0 as usize).map_or(name.span, |v| v.infer.span);
            self.report(
                Diagnostic::new(code::REDEFINED, name.span, format!("`${}` exists already", name.name))
                    .label("declared again here")
                    .secondary(first_span, "first used here")
                    .hint("give it another name: an inner block does not hide a variable"),
            );
            return;
        }
        let id = match ty {
            Some(ty) => {
                let ty = self.resolve_type(ty);
                self.declare_typed(&name.name, ty, name.span)
            }
            None => self.declare(&name.name, name.span),
        };
        if let Some(value) = value {
            let span = name.span.to(value.span);
            let value = self.store(id, value);
            push(out, StmtKind::Assign { var: id, value }, span);
        }
    }

    fn assign(
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

    /// Checks an expression that stands for its effect.
    pub(super) fn effect(&mut self, expr: &'a ast::Expr, out: &mut Vec<hir::Stmt>) {
        let span = expr.span;
        match &expr.kind {
            ast::ExprKind::If(branches) => self.if_stmt(branches, 0, out),
            ast::ExprKind::Block(block) => self.block_inline(block, out),
            ast::ExprKind::Step { op, target, .. } => self.step_stmt(span, *op, target, out),
            ast::ExprKind::Error => {}
            _ => {
                let mut value = self.any_value(expr);
                // The expansion of a macro, whose statements need no expression around them.
                while let ExprKind::Block { mut body, value: last } = value.kind {
                    out.append(&mut body);
                    value = *last;
                }
                if !matches!(value.ty, Ty::Error) && !is_nothing(&value) {
                    push(out, StmtKind::Expr(value), span);
                }
            }
        }
    }

    /// `if` from its nth arm on.
    fn if_stmt(&mut self, branches: &'a ast::If, from: usize, out: &mut Vec<hir::Stmt>) {
        // Built from the last arm, so that a long chain needs no recursion here.
        let arms = branches.arms.get(from..).unwrap_or_default();
        let checked: Vec<_> =
            arms.iter().map(|arm| (self.condition(&arm.cond), self.block(&arm.body), arm.cond.span)).collect();
        let mut otherwise = match &branches.otherwise {
            Some(block) => self.block(block),
            None => Vec::new(),
        };
        for (condition, then, span) in checked.into_iter().rev() {
            let kind = StmtKind::If { condition, then, otherwise };
            otherwise = vec![hir::Stmt { kind, span }];
        }
        out.append(&mut otherwise);
    }

    /// `x++` as a statement.
    fn step_stmt(&mut self, span: Span, op: StepOp, target: &'a ast::Expr, out: &mut Vec<hir::Stmt>) {
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

    fn for_stmt(
        &mut self,
        span: Span,
        name: &'a ast::Ident,
        over: &'a ForOver,
        body: &'a ast::Block,
        out: &mut Vec<hir::Stmt>,
    ) {
        let (start, end) = match over {
            ForOver::Range { start, end } => (start, end),
            ForOver::Each(each) => {
                self.not_yet(code::NOT_YET_FOR_EACH, each.span, "`for` over a map");
                return;
            }
        };
        let start = self.value(start);
        let end = self.value(end);
        let (from, to) = (self.integer(start), self.integer(end));
        let ty = match (stored(&from.ty), stored(&to.ty)) {
            (Ty::Int(IntTy::U64), Ty::Int(IntTy::U64)) => Ty::Int(IntTy::U64),
            _ => Ty::Int(IntTy::I64),
        };
        let (from, to) = (coerce(from, &ty), coerce(to, &ty));
        self.in_block(|checker| {
            let var = checker.declare_typed(&name.name, ty, name.span);
            let body = checker.loop_body(body);
            push(out, StmtKind::ForRange { var, from, to, body }, span);
        });
    }

    /// `unroll (n) { }` is a `for` over a fixed range.
    fn unroll(&mut self, span: Span, count: &'a ast::Expr, body: &'a ast::Block, out: &mut Vec<hir::Stmt>) {
        let value = self.value(count);
        let is_error = value.ty == Ty::Error;
        let Some(rounds) = self.constant(&value).filter(|n| (1..=MAX_UNROLL).contains(n)) else {
            if !is_error {
                self.report(Diagnostic::expected(
                    code::NOT_CONSTANT,
                    count.span,
                    format!("a number from 1 to {MAX_UNROLL} that is known here"),
                    "something else",
                ));
            }
            return;
        };
        let number = |n| hir::Expr { kind: ExprKind::Int(n), ty: Ty::Int(IntTy::I64), span: count.span };
        let hidden = format!("#{}", self.body.declared);
        self.in_block(|checker| {
            let var = checker.declare_typed(&hidden, Ty::Int(IntTy::I64), count.span);
            let body = checker.loop_body(body);
            push(out, StmtKind::ForRange { var, from: number(0), to: number(rounds), body }, span);
        });
    }

    /// The name that a map has outside the macro that is being expanded.
    pub(super) fn map_name(&mut self, name: &str, span: Span) -> Option<String> {
        match self.bound(&format!("@{name}")) {
            Some(Bound::Map(name)) => Some(name),
            _ if self.body.frames.last().is_some_and(|frame| frame.expands.is_some()) => {
                self.report(
                    Diagnostic::new(
                        code::UNHYGIENIC,
                        span,
                        format!("the macro uses `@{name}`, which is not one of its parameters"),
                    )
                    .hint(format!("add `@{name}` to the macro's parameters")),
                );
                None
            }
            _ => Some(name.to_owned()),
        }
    }
}

/// Appends a statement.
pub(super) fn push(out: &mut Vec<hir::Stmt>, kind: StmtKind, span: Span) {
    out.push(hir::Stmt { kind, span });
}

/// Statements, then a value.
pub(super) fn block_value(body: Vec<hir::Stmt>, value: hir::Expr, span: Span) -> hir::Expr {
    if body.is_empty() {
        return value;
    }
    hir::Expr { ty: value.ty.clone(), kind: ExprKind::Block { body, value: Box::new(value) }, span }
}

/// Whether an expression is the absent value of a block.
fn is_nothing(value: &hir::Expr) -> bool {
    value.ty == Ty::Void && value.kind == ExprKind::Nil
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

//! Statements: declarations, control flow, and what a statement makes of an expression.
//!
//! Assignments are in `assign`.

use super::Checker;
use super::infer::{coerce, stored};
use super::scope::Bound;
use crate::ast::{self, ForOver};
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

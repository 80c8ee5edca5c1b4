//! Expressions: the dispatch over the syntax, and the few kinds that need no file of their own.

use super::Checker;
use super::infer::{coerce, is_flexible, join, stored};
use super::stmt::block_value;
use crate::ast::{self, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code};
use crate::hir::{self, ExprKind};
use crate::span::Span;
use crate::ty::{IntTy, Ty};

/// The deepest tree of expressions and blocks, macros expanded: twice what the parser lets through.
const MAX_DEPTH: usize = 400;

impl<'a> Checker<'a> {
    /// Checks an expression that must give a value.
    pub(super) fn value(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        let value = self.any_value(expr);
        match value.ty {
            Ty::Void => {
                self.fault(Diagnostic::new(code::NO_VALUE, expr.span, "this gives no value").label("expected a value"))
            }
            Ty::Args => self.fault(
                Diagnostic::new(code::NO_VALUE, expr.span, "`args` is not a value by itself")
                    .hint("name one of its fields: `args.NAME`"),
            ),
            _ => value,
        }
    }

    /// Checks an expression, which may also give nothing.
    pub(super) fn any_value(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        if self.body.depth >= MAX_DEPTH {
            let message = format!("the expression is more than {MAX_DEPTH} levels deep once its macros are expanded");
            return self
                .fault(Diagnostic::new(code::RECURSION, expr.span, message).hint("keep parts of it in variables"));
        }
        self.body.depth += 1;
        let value = self.any_kind(expr);
        self.body.depth -= 1;
        value
    }

    fn any_kind(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        let span = expr.span;
        match &expr.kind {
            Ast::Int { .. }
            | Ast::Decimal(_)
            | Ast::Percent(_)
            | Ast::Duration { .. }
            | Ast::Size { .. }
            | Ast::Str(_)
            | Ast::Regex(_)
            | Ast::Bool(_)
            | Ast::Nil
            | Ast::Null
            | Ast::Positional(_)
            | Ast::PositionalCount => self.literal(expr),
            Ast::Name(name) => self.name(name, span),
            Ast::Var(name) => self.var(name, span),
            Ast::Map { name, keys } => {
                let (map, key) = self.map_entry(name, keys, span);
                self.map_read(map, key, span)
            }
            Ast::Access { base, steps } => self.access(base, steps, span),
            Ast::Call { name, args } => self.call(name, args, span),
            Ast::Unary { op, operand } => self.unary(*op, operand, span),
            Ast::Binary { op, left, right } => self.binary_expr(*op, left, right, span),
            Ast::Ternary { cond, then, otherwise } => self.ternary(cond, then.as_deref(), otherwise, span),
            Ast::Cast { ty, operand } => self.cast(ty, operand, span),
            Ast::Sizeof(of) => self.sizeof(of, span),
            Ast::Tuple(items) => self.tuple(items, span),
            Ast::Block(block) => self.block_expr(block, span),
            Ast::If(branches) => self.if_expr(branches, span),
            Ast::Comptime(inner) => self.any_value(inner),
            Ast::Step { op, fix, target } => self.step_value(span, *op, *fix, target),
            Ast::Error => super::error_expr(span),
            other => self.unrun(other, span),
        }
    }

    /// What parses and does not run yet, or means nothing here.
    fn unrun(&mut self, kind: &Ast, span: Span) -> hir::Expr {
        match kind {
            Ast::Offsetof { .. } => self.not_yet(code::NOT_YET_TYPE_OPERATOR, span, "`offsetof`"),
            Ast::Typeinfo(_) => self.not_yet(code::NOT_YET_TYPE_OPERATOR, span, "`typeinfo`"),
            Ast::Record(_) => self.not_yet(code::NOT_YET_RECORD, span, "a record"),
            Ast::AddressOf(_) => self.not_yet(code::NOT_YET_ADDRESS, span, "taking an address with `&`"),
            Ast::TypeArg(_) => self.fault(Diagnostic::new(code::NO_VALUE, span, "a type is not a value")),
            _ => self.fault(Diagnostic::new(code::NO_VALUE, span, "`_` has no value").hint("name a variable")),
        }
    }

    /// Checks an expression as a condition: a bool, or a number that is compared with 0.
    pub(super) fn condition(&mut self, expr: &'a ast::Expr) -> hir::Expr {
        let value = self.value(expr);
        self.truth(value)
    }

    /// Makes a bool of a value.
    pub(super) fn truth(&mut self, value: hir::Expr) -> hir::Expr {
        let span = value.span;
        let value = self.plain(value);
        let hint = match &value.ty {
            Ty::Bool | Ty::Error => return value,
            Ty::Int(_) | Ty::Enum(..) | Ty::Duration | Ty::Time | Ty::Ptr(..) => {
                if !self.in_kernel() {
                    // A field that is nil is not true; `!= 0` would say that it is.
                    return hir::Expr { kind: ExprKind::Cast(Box::new(value)), ty: Ty::Bool, span };
                }
                let ty = if matches!(value.ty, Ty::Ptr(..)) { Ty::Int(IntTy::U64) } else { stored_int(&value.ty) };
                let zero = hir::Expr { kind: ExprKind::Int(0), ty: ty.clone(), span };
                return binary(hir::BinaryOp::Ne, coerce(value, &ty), zero, Ty::Bool, span);
            }
            Ty::Str => "compare it: `x != \"\"`, or `x != nil` for a field that a message may lack",
            Ty::Any => "compare it: `x == true`, or `x != nil`",
            _ => "compare it with something",
        };
        let ty = value.ty.clone();
        self.fault(
            Diagnostic::new(code::NOT_A_CONDITION, span, format!("a value of type {ty} is neither true nor false"))
                .label(ty.to_string())
                .hint(hint),
        )
    }

    /// A tuple.
    fn tuple(&mut self, items: &'a [ast::Expr], span: Span) -> hir::Expr {
        let items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
        if items.iter().any(|item| item.ty == Ty::Error) {
            return super::error_expr(span);
        }
        hir::Expr {
            ty: Ty::Tuple(items.iter().map(|item| item.ty.clone()).collect()),
            kind: ExprKind::Tuple(items),
            span,
        }
    }

    fn ternary(
        &mut self,
        cond: &'a ast::Expr,
        then: Option<&'a ast::Expr>,
        otherwise: &'a ast::Expr,
        span: Span,
    ) -> hir::Expr {
        let Some(then) = then else {
            return self.short_ternary(cond, otherwise, span);
        };
        let condition = self.condition(cond);
        let then = self.any_value(then);
        let otherwise = self.any_value(otherwise);
        self.choose(condition, then, otherwise, span)
    }

    /// `a ?: b`: `a` where it is true, else `b`; `a` is computed once.
    fn short_ternary(&mut self, cond: &'a ast::Expr, otherwise: &'a ast::Expr, span: Span) -> hir::Expr {
        let value = self.value(cond);
        if value.ty == Ty::Error {
            let _ = self.any_value(otherwise);
            return value;
        }
        let (save, saved) = self.hidden(value);
        let condition = self.truth(saved.clone());
        let otherwise = self.value(otherwise);
        let chosen = self.choose(condition, saved, otherwise, span);
        block_value(vec![save], chosen, span)
    }

    /// `condition ? then : otherwise` with both sides of one type.
    fn choose(&mut self, condition: hir::Expr, then: hir::Expr, otherwise: hir::Expr, span: Span) -> hir::Expr {
        let (then, otherwise) = (self.plain(then), self.plain(otherwise));
        if [&condition, &then, &otherwise].iter().any(|e| e.ty == Ty::Error) {
            return super::error_expr(span);
        }
        let Some(ty) = common(&then, &otherwise) else {
            return self.fault(
                Diagnostic::new(
                    code::BAD_OPERANDS,
                    span,
                    format!("the two sides have the types {} and {}", then.ty, otherwise.ty),
                )
                .secondary(then.span, then.ty.to_string())
                .secondary(otherwise.span, otherwise.ty.to_string())
                .hint("make both sides of one type"),
            );
        };
        hir::Expr {
            kind: ExprKind::Ternary {
                condition: Box::new(condition),
                then: Box::new(coerce(then, &ty)),
                otherwise: Box::new(coerce(otherwise, &ty)),
            },
            ty,
            span,
        }
    }

    /// `{ stmts; value }`
    pub(super) fn block_expr(&mut self, block: &'a ast::Block, span: Span) -> hir::Expr {
        self.in_block(|checker| {
            let mut body = Vec::new();
            for stmt in &block.stmts {
                checker.stmt(stmt, &mut body);
            }
            let value = match &block.value {
                Some(value) => checker.any_value(value),
                None => nothing(span),
            };
            block_value(body, value, span)
        })
    }

    fn if_expr(&mut self, branches: &'a ast::If, span: Span) -> hir::Expr {
        let arms: Vec<_> = branches
            .arms
            .iter()
            .map(|arm| (self.condition(&arm.cond), self.block_expr(&arm.body, arm.body.span)))
            .collect();
        let mut result = match &branches.otherwise {
            Some(block) => self.block_expr(block, block.span),
            None => nothing(span),
        };
        for (condition, then) in arms.into_iter().rev() {
            result = self.choose(condition, then, result, span);
        }
        result
    }
}

/// No value.
pub(super) fn nothing(span: Span) -> hir::Expr {
    hir::Expr { kind: ExprKind::Nil, ty: Ty::Void, span }
}

/// Makes a binary expression whose operands agree already.
pub(super) fn binary(op: hir::BinaryOp, left: hir::Expr, right: hir::Expr, ty: Ty, span: Span) -> hir::Expr {
    hir::Expr { kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, ty, span }
}

/// The 64-bit type in which a number is computed.
pub(super) fn stored_int(ty: &Ty) -> Ty {
    match ty {
        Ty::Enum(_, int) => stored(&Ty::Int(*int)),
        other => stored(other),
    }
}

/// The type that two values have in common.
pub(super) fn common(a: &hir::Expr, b: &hir::Expr) -> Option<Ty> {
    common_type((&a.ty, is_flexible(a)), (&b.ty, is_flexible(b)))
}

/// The common type of two types, each with whether its sign is open.
pub(super) fn common_type((a, a_flexible): (&Ty, bool), (b, b_flexible): (&Ty, bool)) -> Option<Ty> {
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (Ty::Int(_), Ty::Int(_) | Ty::Duration | Ty::Time | Ty::Ptr(..)) if a_flexible => Some(stored(b)),
        (Ty::Int(_) | Ty::Duration | Ty::Time | Ty::Ptr(..), Ty::Int(_)) if b_flexible => Some(stored(a)),
        _ => join(&stored(a), &stored(b)),
    }
}

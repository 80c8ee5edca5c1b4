//! Expressions: prefixes, postfix steps, chains and ternaries around primaries.
//!
//! The grammar gives flat lists; the trees are built here and in `chain`, and their depth is bounded before they are.

use pest::iterators::Pair;

use super::chain::{height, infix, join};
use super::{Lower, Rule};
use crate::ast::{AccessKind, AccessStep, BinaryOp, Expr, ExprKind, Fix, StepOp, Type, UnaryOp};
use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

impl Lower<'_> {
    /// Lowers an `expr` pair.
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let mut inner = pair.into_inner();
        let Some(first) = inner.next() else {
            return error_at(span);
        };
        let ternaries: Vec<_> = inner.collect();
        self.nested(1 + ternaries.len(), span, |this| {
            let first = this.chain(first);
            this.ternaries(first, ternaries)
        })
    }

    /// `a ? b : c ? d : e` is `a ? b : (c ? d : e)`.
    fn ternaries(&mut self, first: Expr, pairs: Vec<Pair<'_, Rule>>) -> Expr {
        let mut conds = vec![first];
        let mut thens = Vec::new();
        for pair in pairs {
            let mut then = None;
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::expr => then = Some(Box::new(self.expr(part))),
                    Rule::chain => conds.push(self.chain(part)),
                    _ => {}
                }
            }
            thens.push(then);
        }
        let last = conds.pop();
        let folded = conds.into_iter().zip(thens).rev().fold(last, |otherwise, (cond, then)| {
            let otherwise = Box::new(otherwise?);
            let span = cond.span.to(otherwise.span);
            Some(Expr { kind: ExprKind::Ternary { cond: Box::new(cond), then, otherwise }, span })
        });
        folded.unwrap_or(error_at(Span::default()))
    }

    fn chain(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let parts: Vec<_> = pair.into_inner().collect();
        let ops: Vec<BinaryOp> = parts.iter().skip(1).step_by(2).filter_map(|p| infix(p.as_str())).collect();
        let operands: Vec<_> = parts.into_iter().step_by(2).collect();
        self.nested(height(&ops), span, |this| {
            let mut built = Vec::with_capacity(operands.len());
            for (i, operand) in operands.into_iter().enumerate() {
                let is_pattern = i > 0 && matches!(ops[i - 1], BinaryOp::Matches | BinaryOp::NotMatches);
                built.push(this.operand(operand, is_pattern));
            }
            join(built, ops).unwrap_or(error_at(span))
        })
    }

    fn operand(&mut self, pair: Pair<'_, Rule>, is_pattern: bool) -> Expr {
        let span = self.span(&pair);
        let mut prefixes = Vec::new();
        let mut rest = pair.into_inner().peekable();
        while let Some(prefix) = rest.next_if(|p| p.as_rule() == Rule::prefix) {
            prefixes.push(prefix);
        }
        let Some(primary) = rest.next() else {
            return error_at(span);
        };
        let steps: Vec<_> = rest.collect();
        self.nested(prefixes.len() + usize::from(!steps.is_empty()), span, |this| {
            let is_plain = prefixes.is_empty() && steps.is_empty();
            let base = match primary.as_rule() {
                Rule::string if is_pattern && is_plain => this.regex(&primary),
                _ => this.primary(primary),
            };
            let stepped = this.steps(base, steps);
            prefixes.into_iter().rev().fold(stepped, |operand, prefix| this.prefix(prefix, operand))
        })
    }

    fn prefix(&mut self, pair: Pair<'_, Rule>, operand: Expr) -> Expr {
        let span = self.span(&pair).to(operand.span);
        let Some(inner) = pair.into_inner().next() else {
            return error_at(span);
        };
        let unary = |op, operand| ExprKind::Unary { op, operand: Box::new(operand) };
        let kind = match (inner.as_rule(), inner.as_str()) {
            (Rule::cast, _) => match self.cast_type(inner) {
                Some(ty) => ExprKind::Cast { ty, operand: Box::new(operand) },
                None => ExprKind::Error,
            },
            (Rule::kw_comptime, _) => ExprKind::Comptime(Box::new(operand)),
            (_, "++") => return self.step(StepOp::Inc, Fix::Prefix, operand, span),
            (_, "--") => return self.step(StepOp::Dec, Fix::Prefix, operand, span),
            (_, "-") => unary(UnaryOp::Neg, operand),
            (_, "+") => unary(UnaryOp::Plus, operand),
            (_, "!") => unary(UnaryOp::Not, operand),
            (_, "~") => unary(UnaryOp::BitNot, operand),
            (_, "*") => unary(UnaryOp::Deref, operand),
            _ => ExprKind::AddressOf(Box::new(operand)),
        };
        Expr { kind, span }
    }

    fn cast_type(&mut self, pair: Pair<'_, Rule>) -> Option<Type> {
        let ty = pair.into_inner().find(|p| matches!(p.as_rule(), Rule::sure_type | Rule::plain_type))?;
        Some(self.type_like(ty))
    }

    /// Makes `++x` or `x++`, whose operand must be something that can be written.
    fn step(&mut self, op: StepOp, fix: Fix, target: Expr, span: Span) -> Expr {
        if !is_place(&target) {
            let symbol = if op == StepOp::Inc { "++" } else { "--" };
            let diagnostic = Diagnostic::new(code::BAD_TARGET, target.span, format!("`{symbol}` wants a variable"));
            self.report(diagnostic.label("this is a value").hint("only `$x`, `@m` and `@m[key]` can be changed"));
            return error_at(span);
        }
        Expr { kind: ExprKind::Step { op, fix, target: Box::new(target) }, span }
    }

    fn steps(&mut self, base: Expr, pairs: Vec<Pair<'_, Rule>>) -> Expr {
        let mut expr = base;
        for pair in pairs {
            let span = self.span(&pair);
            let mut kind = None;
            let mut is_arrow = false;
            for part in pair.into_inner() {
                let text = part.as_str();
                match part.as_rule() {
                    Rule::step_op => {
                        let op = if text == "++" { StepOp::Inc } else { StepOp::Dec };
                        let whole = expr.span.to(span);
                        expr = self.step(op, Fix::Postfix, expr, whole);
                    }
                    Rule::arrow => is_arrow = true,
                    Rule::name if is_arrow => kind = Some(AccessKind::Arrow(text.to_owned())),
                    Rule::name => kind = Some(AccessKind::Field(text.to_owned())),
                    Rule::digits => kind = Some(self.element(&part)),
                    Rule::deep => kind = Some(AccessKind::Deep),
                    Rule::each => kind = Some(AccessKind::Each),
                    Rule::index => kind = self.index(part),
                    _ => {}
                }
            }
            if let Some(kind) = kind {
                expr = with_step(expr, AccessStep { kind, span });
            }
        }
        expr
    }

    fn element(&mut self, pair: &Pair<'_, Rule>) -> AccessKind {
        match pair.as_str().parse() {
            Ok(index) => AccessKind::Element(index),
            Err(_) => {
                let span = self.span(pair);
                self.report(Diagnostic::new(code::BAD_NUMBER, span, "no tuple has so many elements"));
                AccessKind::Element(0)
            }
        }
    }

    fn index(&mut self, pair: Pair<'_, Rule>) -> Option<AccessKind> {
        let expr = pair.into_inner().find(|p| p.as_rule() == Rule::expr)?;
        Some(AccessKind::Index(Box::new(self.expr(expr))))
    }
}

/// Tells whether an expression may stand left of `=`.
pub(super) fn is_place(expr: &Expr) -> bool {
    match &expr.kind {
        // An error was reported already, and a bare name may be a macro's parameter.
        ExprKind::Var(_) | ExprKind::Map { .. } | ExprKind::Name(_) | ExprKind::Error => true,
        ExprKind::Access { base, .. } => is_place(base),
        ExprKind::Unary { op: UnaryOp::Deref, .. } => true,
        _ => false,
    }
}

fn error_at(span: Span) -> Expr {
    Expr { kind: ExprKind::Error, span }
}

/// Adds a postfix step, to the list of the base where it is an access already.
fn with_step(base: Expr, step: AccessStep) -> Expr {
    let span = base.span.to(step.span);
    match base.kind {
        ExprKind::Access { base, mut steps } => {
            steps.push(step);
            Expr { kind: ExprKind::Access { base, steps }, span }
        }
        _ => Expr { kind: ExprKind::Access { base: Box::new(base), steps: vec![step] }, span },
    }
}

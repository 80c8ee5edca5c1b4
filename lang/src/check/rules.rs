//! Rules: their bodies hold actions and nothing else, since what a rule says must not depend on what happened before.

use super::Checker;
use super::header::Resolved;
use super::scope::Place;
use crate::ast::{self, ExprKind as Ast};
use crate::diagnostic::{Diagnostic, code};
use crate::hir::{self, Action, Header, Rule, Stage, StmtKind};
use crate::span::Span;

impl<'a> Checker<'a> {
    /// Checks a rule.
    pub(super) fn rule_clause(
        &mut self,
        index: usize,
        clause: &Resolved<'a>,
        place: Place<'a>,
        rule: &Rule,
        out: &mut Vec<hir::Clause>,
    ) {
        let key = (index, 0);
        let vars = self.vars.remove(&key).unwrap_or_default();
        self.enter(place, vars);
        let predicate = clause.ast.predicate.as_ref().map(|p| self.condition(p));
        let mut body = Vec::new();
        for stmt in &clause.ast.body.stmts {
            match &stmt.kind {
                ast::StmtKind::Expr(expr) => self.rule_part(rule, expr, &mut body),
                _ => self.not_an_action(rule, stmt.span),
            }
        }
        if let Some(value) = &clause.ast.body.value {
            self.rule_part(rule, value, &mut body);
        }
        self.warn_overruled(&body);
        self.refuse_two_answers(&body);
        self.finish(key, clause, Header::Rule(rule.clone()), predicate, body, out);
    }

    fn rule_part(&mut self, rule: &Rule, expr: &'a ast::Expr, out: &mut Vec<hir::Stmt>) {
        let (name, args) = match &expr.kind {
            Ast::Call { name, args } => (name.name.as_str(), args.as_slice()),
            Ast::Name(name) => (name.as_str(), &[][..]),
            Ast::Error => return,
            _ => return self.not_an_action(rule, expr.span),
        };
        for action in self.action(rule, name, args, expr.span) {
            out.push(hir::Stmt { kind: StmtKind::Action(action), span: expr.span });
        }
    }

    fn not_an_action(&mut self, rule: &Rule, span: Span) {
        let actions = super::actions::names(rule.stage).join(", ");
        self.report(
            Diagnostic::new(code::RULE_BODY, span, "a rule holds actions only")
                .label("not an action")
                .hint(format!("put conditions in the predicate; the actions here are {actions}")),
        );
    }

    /// `ignore` gives way to what else is said of the same path.
    fn warn_overruled(&mut self, body: &[hir::Stmt]) {
        let mut ignored: Vec<(&hir::Path, Span)> = Vec::new();
        let mut required: Vec<(&hir::Path, Span)> = Vec::new();
        for stmt in body {
            match &stmt.kind {
                StmtKind::Action(Action::Ignore(path)) => ignored.push((path, stmt.span)),
                StmtKind::Action(Action::Like(path, _) | Action::Within(path, _) | Action::Unordered(path)) => {
                    required.push((path, stmt.span));
                }
                _ => {}
            }
        }
        for (path, span) in ignored {
            if let Some((_, other)) = required.iter().find(|(other, _)| same_place(path, other)) {
                self.report(
                    Diagnostic::new(
                        code::IGNORE_OVERRULED,
                        span,
                        "`ignore` gives way to what else this rule says of the path",
                    )
                    .secondary(*other, "this is required all the same")
                    .hint("remove one of the two"),
                );
            }
        }
    }

    /// One call has one answer.
    fn refuse_two_answers(&mut self, body: &[hir::Stmt]) {
        let mut answers = body.iter().filter_map(|stmt| Some((answer(stmt)?, stmt.span)));
        let Some((first, first_span)) = answers.next() else { return };
        if let Some((name, span)) = answers.next() {
            self.report(
                Diagnostic::new(code::TWO_ANSWERS, span, format!("`{name}` and `{first}` cannot both answer a call"))
                    .secondary(first_span, "this answers it")
                    .hint("put them in two rules, whose predicates say which of them answers when"),
            );
        }
    }
}

/// The action's name where it says what answers a call.
fn answer(stmt: &hir::Stmt) -> Option<&'static str> {
    match &stmt.kind {
        StmtKind::Action(Action::Respond(_)) => Some("respond"),
        StmtKind::Action(Action::Abort(_)) => Some("abort"),
        StmtKind::Action(Action::Passthrough) => Some("passthrough"),
        StmtKind::Action(Action::Cycle) => Some("cycle"),
        StmtKind::Action(Action::Latest) => Some("latest"),
        _ => None,
    }
}

fn same_place(a: &hir::Path, b: &hir::Path) -> bool {
    a.field == b.field && a.steps == b.steps
}

/// The stage's word in a header.
pub(super) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Capture => "capture",
        Stage::Match => "match",
        Stage::Mock => "mock",
    }
}

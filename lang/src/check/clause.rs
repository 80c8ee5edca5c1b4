//! One clause of the source: a typed clause for each argument layout of its attach points.
//!
//! Points of one kind share a clause where the arguments that the body reads are the same, so that `tracepoint:syscalls:*`
//! with `@ = count()` is checked and compiled once. Which those are is known after a check with the first layout.

use std::sync::Arc;

use super::Checker;
use super::expr::binary;
use super::header::{On, Resolved};
use super::names::field_expr;
use super::scope::Place;
use crate::env::{AttachPoint, ProbeKind};
use crate::hir::{self, BinaryOp, ClauseId, Event, ExprKind, Header, Stage};
use crate::schema::{Named, Schema, Side};
use crate::span::Span;
use crate::ty::Ty;

impl<'a> Checker<'a> {
    /// Checks the clause with this index and appends what it becomes.
    pub(super) fn clause(&mut self, index: usize, clause: &Resolved<'a>, out: &mut Vec<hir::Clause>) {
        match &clause.on {
            On::Kernel(points) => self.kernel_clause(index, clause, points, out),
            On::Message(schema, probe, named) => {
                let place = Place::Message {
                    schema,
                    own: probe.event.side().unwrap_or(Side::Request),
                    // A response knows its request.
                    both: matches!(probe.event, Event::Response | Event::Exchange),
                    stage: None,
                };
                let header = Header::Message(probe.clone());
                let only = named.map(|named| (*schema, named));
                self.body_clause((index, 0), clause, (place, only), header, out);
            }
            On::Rule(schema, rule) => {
                let place = Place::Message {
                    schema,
                    own: rule.side.unwrap_or(Side::Request),
                    both: rule.stage != Stage::Mock,
                    stage: Some(rule.stage),
                };
                self.rule_clause(index, clause, place, rule, out);
            }
        }
    }

    fn kernel_clause(
        &mut self,
        index: usize,
        clause: &Resolved<'a>,
        points: &[AttachPoint],
        out: &mut Vec<hir::Clause>,
    ) {
        let mut rest: Vec<AttachPoint> = points.to_vec();
        let mut group_index = 0;
        while let Some(first) = rest.first().cloned() {
            let place = Place::Kernel { kind: first.kind, args: Arc::clone(&first.args), point: first.name.clone() };
            let errors = self.diagnostics.error_count();
            let start = out.len();
            let header = Header::Kernel(Vec::new());
            self.body_clause((index, group_index), clause, (place, None), header, out);
            let reads = std::mem::take(&mut self.body.reads_args);
            let same = |point: &AttachPoint| {
                point.kind == first.kind && reads.iter().all(|n| point.args.args.get(*n) == first.args.args.get(*n))
            };
            let (group, others) = rest.into_iter().partition(same);
            if let Some(clause) = out.get_mut(start) {
                clause.header = Header::Kernel(group);
            }
            if self.diagnostics.error_count() > errors {
                // Further layouts would mostly repeat the same faults.
                return;
            }
            rest = others;
            group_index += 1;
        }
    }

    /// Checks predicate and body in a place; what the header alone says of the message holds before the predicate.
    fn body_clause(
        &mut self,
        key: (usize, usize),
        clause: &Resolved<'a>,
        (place, only): (Place<'a>, Option<(&Schema, &Named)>),
        header: Header,
        out: &mut Vec<hir::Clause>,
    ) {
        let vars = self.vars.remove(&key).unwrap_or_default();
        self.enter(place, vars);
        let only = only.and_then(|(schema, named)| self.condition_of(schema, named, clause.span));
        let predicate = clause.ast.predicate.as_ref().map(|p| self.condition(p));
        let predicate = match (only, predicate) {
            (Some(only), Some(rest)) => {
                let span = rest.span;
                Some(binary(BinaryOp::And, only, rest, Ty::Bool, span))
            }
            (only, rest) => only.or(rest),
        };
        let mut body = Vec::new();
        self.block_inline(&clause.ast.body, &mut body);
        self.finish(key, clause, header, predicate, body, out);
    }

    /// What holds of a message that the schema has a name for; its place is the header.
    fn condition_of(&mut self, schema: &Schema, named: &Named, span: Span) -> Option<hir::Expr> {
        let field = schema.field(named.event.side()?, &named.field)?;
        let (op, kind, ty) = match &named.value {
            Some(value) => (BinaryOp::Eq, ExprKind::Str(value.clone().into_bytes()), Ty::Str),
            None => (BinaryOp::Ne, ExprKind::Nil, Ty::Nil),
        };
        let value = hir::Expr { kind, ty, span };
        Some(self.compare(op, field_expr(field, span), value, span))
    }

    /// Puts the checked clause away, and keeps its variables for the next pass.
    pub(super) fn finish(
        &mut self,
        key: (usize, usize),
        clause: &Resolved<'a>,
        header: Header,
        predicate: Option<hir::Expr>,
        body: Vec<hir::Stmt>,
        out: &mut Vec<hir::Clause>,
    ) {
        let mut vars = std::mem::take(&mut self.body.vars);
        vars.truncate(self.body.declared);
        out.push(hir::Clause {
            id: ClauseId(out.len() as u32),
            header,
            predicate,
            body,
            vars: vars.iter().map(|var| hir::Var { name: var.name.clone(), ty: var.infer.current() }).collect(),
            span: clause.span,
        });
        self.vars.insert(key, vars);
    }

    /// The kind of the kernel probe that is being checked.
    pub(super) fn probe_kind(&self) -> Option<ProbeKind> {
        match &self.body.place {
            Some(Place::Kernel { kind, .. }) => Some(*kind),
            _ => None,
        }
    }
}

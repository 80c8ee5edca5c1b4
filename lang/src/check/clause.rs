//! One clause of the source: a typed clause for each argument layout of its attach points.
//!
//! Points of one kind share a clause where the arguments that the body reads are the same, so that `tracepoint:syscalls:*`
//! with `@ = count()` is checked and compiled once. Which those are is known after a check with the first layout.

use std::sync::Arc;

use super::Checker;
use super::header::{On, Resolved};
use super::scope::Place;
use crate::env::{AttachPoint, ProbeKind};
use crate::hir::{self, ClauseId, Event, Header, Stage};
use crate::schema::Side;

impl<'a> Checker<'a> {
    /// Checks the clause with this index and appends what it becomes.
    pub(super) fn clause(&mut self, index: usize, clause: &Resolved<'a>, out: &mut Vec<hir::Clause>) {
        match &clause.on {
            On::Kernel(points) => self.kernel_clause(index, clause, points, out),
            On::Message(schema, probe) => {
                let place = Place::Message {
                    schema,
                    own: probe.event.side().unwrap_or(Side::Request),
                    // A response knows its request.
                    both: matches!(probe.event, Event::Response | Event::Exchange),
                    stage: None,
                };
                let header = Header::Message(probe.clone());
                self.body_clause((index, 0), clause, place, header, out);
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
            self.body_clause((index, group_index), clause, place, header, out);
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

    /// Checks predicate and body in a place.
    fn body_clause(
        &mut self,
        key: (usize, usize),
        clause: &Resolved<'a>,
        place: Place<'a>,
        header: Header,
        out: &mut Vec<hir::Clause>,
    ) {
        let vars = self.vars.remove(&key).unwrap_or_default();
        self.enter(place, vars);
        let predicate = clause.ast.predicate.as_ref().map(|p| self.condition(p));
        let mut body = Vec::new();
        self.block_inline(&clause.ast.body, &mut body);
        self.finish(key, clause, header, predicate, body, out);
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

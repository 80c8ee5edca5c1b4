//! Whether a program can run over a source of messages, and what it asks for that the source cannot know.
//!
//! Over a recording or a packet file there is no kernel to attach to: `begin`, `end` and `interval` run natively, and follow the
//! messages' time (LANGUAGE.md, "Where things run"). Not every source knows every field of a connection; a script that reads one
//! that its source lacks would silently see nil, so it is refused.

use reel_lang::diagnostic::{Diagnostic, code};
use reel_lang::env::ProbeKind;
use reel_lang::hir::{self, Clause, Expr, ExprKind, Header, MessageProbe};
use reel_lang::schema::{CONN_FIELDS, Event, FieldId, conn};
use reel_lang::span::Span;
use reel_lang::ty::Ty;

use crate::builtins;
use crate::lower::walk;

/// What a source of messages can tell.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// How it is called: `a packet file`.
    pub name: &'static str,
    /// Whether its messages are over: there is no kernel to ask.
    pub is_past: bool,
    /// The fields of a connection that it cannot know, and why.
    pub unknown: &'static [(FieldId, &'static str)],
    /// The events that it cannot tell of, and why.
    pub untold: &'static [(Event, &'static str)],
}

/// What a program asks for that the source does not have.
pub fn faults(program: &hir::Program, facts: &Facts) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for clause in &program.clauses {
        match &clause.header {
            Header::Kernel(_) if !facts.is_past => {}
            Header::Kernel(_) if !is_moment(clause) => faults.push(kernel_probe(clause, facts)),
            Header::Kernel(_) => exprs(clause, &mut |expr| faults.extend(kernel_only(expr, facts))),
            Header::Message(probe) => {
                faults.extend(untold(probe, clause.span, facts));
                faults.extend(probe.direction.and_then(|_| field(conn::DIRECTION, clause.span, facts)));
                exprs(clause, &mut |expr| {
                    if let ExprKind::Field(id) = &expr.kind {
                        faults.extend(field(*id, expr.span, facts));
                    }
                });
            }
            Header::Rule(_) => {}
        }
    }
    faults
}

/// Whether a clause fires by time or at an end of the run, and not at something that a kernel does.
fn is_moment(clause: &Clause) -> bool {
    let Header::Kernel(points) = &clause.header else { return false };
    points.iter().all(|point| matches!(point.kind, ProbeKind::Begin | ProbeKind::End | ProbeKind::Interval))
}

fn exprs<'a>(clause: &'a Clause, f: &mut dyn FnMut(&'a Expr)) {
    clause.predicate.iter().for_each(|predicate| walk::expr(predicate, f));
    walk::stmts(&clause.body, f);
}

fn kernel_probe(clause: &Clause, facts: &Facts) -> Diagnostic {
    let what = format!("a kernel probe has nothing to fire on in {}", facts.name);
    Diagnostic::new(code::NOT_IN_THE_PAST, clause.span, what).label("fires in a running kernel").hint(
        "Leave the clause out: over messages of the past there are `begin`, `end`, `interval` and message probes.",
    )
}

/// A value or function that only a program in the kernel has.
fn kernel_only(expr: &Expr, facts: &Facts) -> Option<Diagnostic> {
    let name = match &expr.kind {
        ExprKind::Builtin(name) if builtins::builtin(name).is_some_and(|value| !value.places.native) => name,
        ExprKind::Call { function, .. } if builtins::function(function).is_some_and(|found| !found.places.native) => {
            function
        }
        // A text can be cut anywhere; what a pointer points at is the kernel's.
        ExprKind::Call { function: function @ "str", args } if args.first().is_some_and(|arg| arg.ty != Ty::Str) => {
            function
        }
        _ => return None,
    };
    let what = format!("`{name}` is asked of a running kernel, and {} has none", facts.name);
    Some(
        Diagnostic::new(code::NOT_IN_THE_PAST, expr.span, what)
            .label("only in a kernel program")
            .hint("Leave it out: here `begin`, `end` and `interval` have what message probes have, but for a message."),
    )
}

/// An event that the source does not tell of.
fn untold(probe: &MessageProbe, span: Span, facts: &Facts) -> Option<Diagnostic> {
    let (_, why) = facts.untold.iter().find(|(event, _)| *event == probe.event)?;
    let what = format!("{} does not tell of `{probe}`", facts.name);
    let hint = "Ask a live capture or a packet file.";
    Some(Diagnostic::new(code::NOT_OF_SOURCE, span, what).label(*why).hint(hint))
}

/// A field of a connection that the source does not know.
fn field(id: FieldId, span: Span, facts: &Facts) -> Option<Diagnostic> {
    let (_, why) = facts.unknown.iter().find(|(unknown, _)| *unknown == id)?;
    let name = CONN_FIELDS.get(id.0 as usize).map_or("", |(name, ..)| name);
    let what = format!("{} does not know the {name}", facts.name);
    let hint = match id {
        conn::DIRECTION => {
            "Say where the app is with `--host ADDR[:PORT]`, at the prompt `:pcap FILE ADDR[:PORT]`: what it accepts is `in`, what it opens `out`. Or leave the direction out, and tell servers apart by `addr` and `port`."
        }
        _ => "Leave it out, or ask a live capture or a recording.",
    };
    Some(Diagnostic::new(code::NOT_OF_SOURCE, span, what).label(*why).hint(hint))
}

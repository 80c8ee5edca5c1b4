//! What each conjunct of a predicate on messages is a fact about.
//!
//! LANGUAGE has a third word, *hint*: a fact about one message that goes down and drops nothing. No conjunct gets it, since a hint would
//! save neither a copy nor a wakeup (ARCHITECTURE.md, Decisions); such a conjunct is *native*, and says why.

use reel_lang::hir::{BinaryOp, Expr, ExprKind};
use reel_lang::schema::conn;
use reel_lang::span::Span;

use super::derive;
use crate::lower::walk;

/// Who can decide a conjunct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// A whole connection's fact: the kernel may drop what it excludes.
    Connection,
    /// Only reel itself can tell.
    Native,
    /// All of the clause is in the kernel.
    Kernel,
}

impl Label {
    /// The word in `reel plan`.
    pub fn name(self) -> &'static str {
        match self {
            Label::Connection => "connection",
            Label::Native => "native",
            Label::Kernel => "kernel",
        }
    }
}

/// A conjunct, and why it has its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conjunct {
    pub label: Label,
    pub why: String,
    pub span: Span,
}

/// The conjuncts at the top level, in order.
pub(super) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        _ => vec![expr],
    }
}

/// Labels a conjunct of a message probe or capture rule.
pub(super) fn label(expr: &Expr) -> Conjunct {
    let conjunct = |label, why: &str| Conjunct { label, why: why.to_owned(), span: expr.span };
    if derive::is_exact(expr) {
        return conjunct(Label::Connection, "holds for a whole connection, so the kernel may drop by it");
    }
    match worst(expr) {
        Reason::Owner => conjunct(
            Label::Native,
            "a connection can pass to another process or thread, so the kernel must not drop by it",
        ),
        Reason::Message => {
            conjunct(Label::Native, "is about one message, and a stream with a message cut out cannot be framed")
        }
        Reason::Decoded => conjunct(Label::Native, "reads the decoded message"),
        Reason::Computed => conjunct(Label::Native, "is not a comparison of a connection's fact with a constant"),
    }
}

/// Why an expression is no connection's fact, in order of how far it is from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Owner,
    Message,
    Computed,
    Decoded,
}

fn worst(expr: &Expr) -> Reason {
    let mut worst = None;
    walk::expr(expr, &mut |inner| {
        let reason = match &inner.kind {
            ExprKind::Field(field) => match *field {
                conn::PID | conn::TID | conn::COMM | conn::CGROUP => Some(Reason::Owner),
                conn::TIME | conn::LATENCY | conn::SIZE | conn::DURATION | conn::CLIENT_BYTES | conn::SERVER_BYTES => {
                    Some(Reason::Message)
                }
                field if field.0 < conn::COUNT => None,
                _ => Some(Reason::Decoded),
            },
            ExprKind::MapGet { .. } | ExprKind::Call { .. } | ExprKind::Builtin(_) => Some(Reason::Computed),
            _ => None,
        };
        worst = worst.max(reason);
    });
    worst.unwrap_or(Reason::Computed)
}

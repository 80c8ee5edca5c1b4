//! From clauses to the filter of connections: which ones none of them can want.
//!
//! A message probe wants what its direction and predicate allow. Of capture rules, a pair of protocol and direction without a clause is
//! recorded whole; one with clauses records the messages for which one holds and none says `skip`. The protocol of a connection shows only
//! in its first bytes, so before them a connection is wanted if any protocol might want it. What is not a connection's fact counts as
//! unknown: a filter is true wherever the program could be, and false only where it cannot.

use std::net::IpAddr;

use reel_lang::hir::{self, Action, BinaryOp, Expr, ExprKind, Header, Rule, Stage, StmtKind, UnaryOp};
use reel_lang::schema::{Direction, conn};
use reel_lang::ty::{IntTy, Ty};

use super::filter::{Fact, Filter, all, any, not};
use crate::ir::CompareOp;
use crate::lower::compare_op;

/// What message probes want of connections of a direction.
pub(super) fn heard(program: &hir::Program, direction: Direction) -> Filter {
    let wants = |clause: &hir::Clause| match &clause.header {
        Header::Message(probe) if probe.direction.is_none_or(|d| d == direction) => {
            Some(holds(clause, direction, true))
        }
        _ => None,
    };
    any(program.clauses.iter().filter_map(wants).collect())
}

/// What capture rules of one protocol want of connections of a direction.
pub(super) fn recorded(program: &hir::Program, protocol: &str, direction: Direction) -> Filter {
    let mut selects = Vec::new();
    let mut skips = Vec::new();
    for clause in &program.clauses {
        let Header::Rule(rule) = &clause.header else {
            continue;
        };
        if !speaks_of(rule, protocol, direction) {
            continue;
        }
        match role(clause) {
            Role::Selects => selects.push(holds(clause, direction, true)),
            Role::Skips => skips.push(not(holds(clause, direction, false))),
            Role::Annotates => {}
        }
    }
    if selects.is_empty() {
        selects.push(Filter::ALL);
    }
    skips.push(any(selects));
    all(skips)
}

/// A filter that is true wherever a clause's predicate could be (`upper`), or only where it certainly is.
fn holds(clause: &hir::Clause, direction: Direction, upper: bool) -> Filter {
    clause.predicate.as_ref().map_or(Filter::ALL, |predicate| approximate(predicate, direction, upper))
}

fn speaks_of(rule: &Rule, protocol: &str, direction: Direction) -> bool {
    rule.stage == Stage::Capture && rule.protocol == protocol && rule.direction.is_none_or(|d| d == direction)
}

/// What a capture clause does to the choice of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Selects,
    Skips,
    /// Nothing but redact, tag or limit, or a `skip` under a condition of its own.
    Annotates,
}

fn role(clause: &hir::Clause) -> Role {
    let top = |wanted: fn(&Action) -> bool| {
        clause.body.iter().any(|stmt| matches!(&stmt.kind, StmtKind::Action(action) if wanted(action)))
    };
    if top(|action| matches!(action, Action::Skip)) {
        return Role::Skips;
    }
    let annotates = |action: &Action| matches!(action, Action::Redact(_) | Action::Tag(_) | Action::Limit(_));
    let only = clause.body.iter().all(|stmt| match &stmt.kind {
        StmtKind::Action(action) => annotates(action),
        StmtKind::If { .. } => true,
        _ => false,
    });
    if only && !clause.body.is_empty() { Role::Annotates } else { Role::Selects }
}

/// Whether a filter says all that an expression says.
pub(super) fn is_exact(expr: &Expr) -> bool {
    [Direction::In, Direction::Out].iter().all(|direction| {
        let upper = approximate(expr, *direction, true);
        upper == approximate(expr, *direction, false)
    })
}

/// A filter that is true wherever an expression could be (`upper`), or only where it certainly is.
fn approximate(expr: &Expr, direction: Direction, upper: bool) -> Filter {
    match &expr.kind {
        ExprKind::Bool(truth) => Filter::Const(*truth),
        ExprKind::Cast(inner) => approximate(inner, direction, upper),
        ExprKind::Unary { op: UnaryOp::Not, value } => not(approximate(value, direction, !upper)),
        ExprKind::Binary { op: BinaryOp::And, left, right } => {
            all(vec![approximate(left, direction, upper), approximate(right, direction, upper)])
        }
        ExprKind::Binary { op: BinaryOp::Or, left, right } => {
            any(vec![approximate(left, direction, upper), approximate(right, direction, upper)])
        }
        ExprKind::Binary { op, left, right } => {
            let test = compare_op(*op).and_then(|op| test(op, left, right, direction));
            test.unwrap_or(Filter::Const(upper))
        }
        _ => Filter::Const(upper),
    }
}

/// A comparison of a fact with a constant.
fn test(op: CompareOp, left: &Expr, right: &Expr, direction: Direction) -> Option<Filter> {
    let (left, right) = (bare(left), bare(right));
    let (field, constant, op) = match (&left.kind, &right.kind) {
        (ExprKind::Field(field), _) => (*field, right, op),
        (_, ExprKind::Field(field)) => (*field, left, mirrored(op)),
        _ => return None,
    };
    let equality = |holds: Filter| match op {
        CompareOp::Eq => Some(holds),
        CompareOp::Ne => Some(not(holds)),
        _ => None,
    };
    match &constant.kind {
        ExprKind::Str(text) if field == conn::DIRECTION => {
            equality(Filter::Const(text.as_slice() == direction.name().as_bytes()))
        }
        ExprKind::Str(text) => {
            let is: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
            let fact = Fact::of(field).filter(|fact| matches!(fact, Fact::Addr | Fact::PeerAddr))?;
            // A connection's address is never an IPv4 address written as an IPv6 one, so none is equal to that.
            let is_written_so = is.to_canonical() == is;
            equality(if is_written_so { Filter::Address { fact, is } } else { Filter::Const(false) })
        }
        ExprKind::Int(number) => {
            let fact = Fact::of(field).filter(|fact| matches!(fact, Fact::Port | Fact::PeerPort))?;
            Some(Filter::Port { fact, op, number: *number })
        }
        _ => None,
    }
}

/// An expression without the casts that change no port and no address: those to 64 bits, and of a text to an address.
fn bare(expr: &Expr) -> &Expr {
    match (&expr.kind, &expr.ty) {
        (ExprKind::Cast(inner), Ty::Int(IntTy { bits: 64, .. }) | Ty::Ip) => bare(inner),
        _ => expr,
    }
}

fn mirrored(op: CompareOp) -> CompareOp {
    match op {
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        same => same,
    }
}

//! The connection-level filter: which connections no capture rule can want.
//!
//! A pair of protocol and direction without a clause is recorded whole; one with clauses records the messages for which one
//! holds and none says `skip`. The protocol of a connection shows only in its first bytes, so before them a connection is
//! wanted if any protocol might want it. What is not a connection's fact counts as unknown: a filter is true wherever the
//! rules could be, and false only where they cannot.

use std::fmt;
use std::net::IpAddr;

use reel_lang::hir::{self, Action, BinaryOp, Expr, ExprKind, Header, Rule, Stage, StmtKind, UnaryOp};
use reel_lang::schema::{Direction, FieldId, conn};

use crate::ir::CompareOp;
use crate::lower::compare_op;

/// The filters of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    pub incoming: Filter,
    pub outgoing: Filter,
}

impl Default for Filters {
    fn default() -> Self {
        Filters { incoming: Filter::ALL, outgoing: Filter::ALL }
    }
}

impl Filters {
    /// Whether every connection is wanted.
    pub fn keep_all(&self) -> bool {
        self.incoming == Filter::ALL && self.outgoing == Filter::ALL
    }
}

/// A predicate over the facts of a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    Const(bool),
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// A port compared with a number.
    Port {
        fact: Fact,
        op: CompareOp,
        number: i64,
    },
    /// An address that is this one.
    Address {
        fact: Fact,
        is: IpAddr,
    },
}

/// A fact about a connection, as the schema's connection fields name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The server's address.
    Addr,
    /// The server's port.
    Port,
    /// The client's address.
    PeerAddr,
    /// The client's port.
    PeerPort,
}

impl Fact {
    /// The field's name in the language.
    pub fn name(self) -> &'static str {
        match self {
            Fact::Addr => "addr",
            Fact::Port => "port",
            Fact::PeerAddr => "peer_addr",
            Fact::PeerPort => "peer_port",
        }
    }

    fn of(field: FieldId) -> Option<Fact> {
        match field {
            conn::ADDR => Some(Fact::Addr),
            conn::PORT => Some(Fact::Port),
            conn::PEER_ADDR => Some(Fact::PeerAddr),
            conn::PEER_PORT => Some(Fact::PeerPort),
            _ => None,
        }
    }
}

/// The filter of one direction.
pub(super) fn direction(program: &hir::Program, protocols: &[String], direction: Direction) -> Filter {
    any(protocols.iter().map(|protocol| protocol_filter(program, protocol, direction)).collect())
}

/// What one protocol wants of connections of a direction.
fn protocol_filter(program: &hir::Program, protocol: &str, direction: Direction) -> Filter {
    let mut selects = Vec::new();
    let mut skips = Vec::new();
    for clause in &program.clauses {
        let Header::Rule(rule) = &clause.header else {
            continue;
        };
        if !speaks_of(rule, protocol, direction) {
            continue;
        }
        let holds = |upper| match &clause.predicate {
            Some(predicate) => approximate(predicate, direction, upper),
            None => Filter::Const(true),
        };
        match role(clause) {
            Role::Selects => selects.push(holds(true)),
            Role::Skips => skips.push(not(holds(false))),
            Role::Annotates => {}
        }
    }
    if selects.is_empty() {
        selects.push(Filter::ALL);
    }
    skips.push(any(selects));
    all(skips)
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
            equality(Filter::Address { fact, is })
        }
        ExprKind::Int(number) => {
            let fact = Fact::of(field).filter(|fact| matches!(fact, Fact::Port | Fact::PeerPort))?;
            Some(Filter::Port { fact, op, number: *number })
        }
        _ => None,
    }
}

fn bare(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Cast(inner) => bare(inner),
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

impl Filter {
    /// Lets everything pass.
    pub const ALL: Filter = Filter::Const(true);
}

fn not(filter: Filter) -> Filter {
    match filter {
        Filter::Const(truth) => Filter::Const(!truth),
        Filter::Not(inner) => *inner,
        other => Filter::Not(Box::new(other)),
    }
}

fn all(parts: Vec<Filter>) -> Filter {
    join(parts, false, Filter::All)
}

fn any(parts: Vec<Filter>) -> Filter {
    join(parts, true, Filter::Any)
}

/// Joins parts, of which one that is `decides` settles the whole and one that is its opposite says nothing.
fn join(parts: Vec<Filter>, decides: bool, make: fn(Vec<Filter>) -> Filter) -> Filter {
    let mut kept: Vec<Filter> = Vec::new();
    for part in parts {
        match part {
            Filter::Const(truth) if truth == decides => return Filter::Const(decides),
            Filter::Const(_) => {}
            part if kept.contains(&part) => {}
            part => kept.push(part),
        }
    }
    match kept.len() {
        0 => Filter::Const(!decides),
        1 => kept.remove(0),
        _ => make(kept),
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Filter], between: &str| {
            for (index, part) in parts.iter().enumerate() {
                let between = if index == 0 { "" } else { between };
                match part {
                    Filter::All(_) | Filter::Any(_) => write!(f, "{between}({part})")?,
                    _ => write!(f, "{between}{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Filter::Const(truth) => write!(f, "{truth}"),
            Filter::All(parts) => list(f, parts, " && "),
            Filter::Any(parts) => list(f, parts, " || "),
            Filter::Not(part) => write!(f, "!({part})"),
            Filter::Port { fact, op, number } => write!(f, "{} {} {number}", fact.name(), symbol(*op)),
            Filter::Address { fact, is } => write!(f, "{} == \"{is}\"", fact.name()),
        }
    }
}

pub(super) fn symbol(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => "==",
        CompareOp::Ne => "!=",
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
    }
}

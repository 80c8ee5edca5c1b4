//! The connection-level filter: a predicate over what is known of a connection when it opens.
//!
//! [`super::derive`] makes one of a program: true wherever a clause could want something of a connection, false only where none can.
//! The kernel asks it once for each connection ([`super::emit`] writes it in the language); of connections that were open before, reel
//! asks it itself ([`Filters::may_want`]). Both must say the same, which a test holds.

use std::cmp::Ordering;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use reel_lang::schema::{Direction, FieldId, conn};

use crate::ir::CompareOp;
use crate::native;

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

    /// What is wanted of connections of a direction.
    pub fn of(&self, direction: Direction) -> &Filter {
        match direction {
            Direction::In => &self.incoming,
            Direction::Out => &self.outgoing,
        }
    }

    /// Whether a connection with these ends could be wanted, whichever of them serves: who opened it is not known for certain of one
    /// that was open before.
    pub fn may_want(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        self.incoming.holds(local, remote) || self.outgoing.holds(remote, local)
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

    pub(super) fn of(field: FieldId) -> Option<Fact> {
        match field {
            conn::ADDR => Some(Fact::Addr),
            conn::PORT => Some(Fact::Port),
            conn::PEER_ADDR => Some(Fact::PeerAddr),
            conn::PEER_PORT => Some(Fact::PeerPort),
            _ => None,
        }
    }
}

impl Filter {
    /// Lets everything pass.
    pub const ALL: Filter = Filter::Const(true);

    /// Whether it is true of a connection with these ends. An IPv4 address is never written as an IPv6 one.
    pub fn holds(&self, server: SocketAddr, client: SocketAddr) -> bool {
        let end = |fact: Fact| match fact {
            Fact::Addr | Fact::Port => server,
            Fact::PeerAddr | Fact::PeerPort => client,
        };
        match self {
            Filter::Const(truth) => *truth,
            Filter::All(parts) => parts.iter().all(|part| part.holds(server, client)),
            Filter::Any(parts) => parts.iter().any(|part| part.holds(server, client)),
            Filter::Not(part) => !part.holds(server, client),
            Filter::Port { fact, op, number } => {
                let order: Ordering = i64::from(end(*fact).port()).cmp(number);
                native::equal::holds(*op, order)
            }
            Filter::Address { fact, is } => end(*fact).ip() == *is,
        }
    }
}

pub(super) fn not(filter: Filter) -> Filter {
    match filter {
        Filter::Const(truth) => Filter::Const(!truth),
        Filter::Not(inner) => *inner,
        other => Filter::Not(Box::new(other)),
    }
}

pub(super) fn all(parts: Vec<Filter>) -> Filter {
    join(parts, false, Filter::All)
}

pub(super) fn any(parts: Vec<Filter>) -> Filter {
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

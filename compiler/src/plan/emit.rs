//! A filter as code of the capture program: what `wanted(outgoing, local, remote)` becomes.
//!
//! The ends of a connection are tuples (family, port, four words of the address in network order), as the kernel keeps them;
//! an IPv4 address is in the first word, or mapped into IPv6.

use std::net::{IpAddr, Ipv6Addr};

use reel_lang::span::Span;

use super::filter::{Fact, Filter, Filters};
use crate::ir::{Block, CompareOp, Inst, Reg};
use crate::lower::Lower;

/// AF_INET
const INET: i64 = 2;

/// One end of a connection, in registers of 64 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) family: Reg,
    pub(crate) port: Reg,
    pub(crate) words: [Reg; 4],
}

/// The ends of a connection by who serves.
#[derive(Debug, Clone, Copy)]
struct Ends {
    server: End,
    client: End,
}

/// Lowers the filters of both directions: gives a bool.
pub(crate) fn wanted(
    lower: &mut Lower<'_>,
    filters: &Filters,
    outgoing: Reg,
    local: End,
    remote: End,
    span: Span,
) -> Reg {
    let dst = lower.b.reg(crate::ir::RegTy::Bool);
    let [incoming_block, outgoing_block, yes, no, end] = [(); 5].map(|()| lower.b.block());
    lower.b.branch(outgoing, outgoing_block, incoming_block);
    lower.b.at(outgoing_block);
    test(lower, &filters.outgoing, Ends { server: remote, client: local }, yes, no, span);
    lower.b.at(incoming_block);
    test(lower, &filters.incoming, Ends { server: local, client: remote }, yes, no, span);
    for (block, value) in [(yes, 1), (no, 0)] {
        lower.b.at(block);
        lower.b.push(Inst::Const { dst, value }, span);
        lower.b.jump(end);
    }
    lower.b.at(end);
    dst
}

/// Goes to one of two blocks by a filter.
fn test(lower: &mut Lower<'_>, filter: &Filter, ends: Ends, yes: Block, no: Block, span: Span) {
    match filter {
        Filter::Const(true) => lower.b.jump(yes),
        Filter::Const(false) => lower.b.jump(no),
        Filter::Not(part) => test(lower, part, ends, no, yes, span),
        Filter::All(parts) => {
            for part in parts {
                let next = lower.b.block();
                test(lower, part, ends, next, no, span);
                lower.b.at(next);
            }
            lower.b.jump(yes);
        }
        Filter::Any(parts) => {
            for part in parts {
                let next = lower.b.block();
                test(lower, part, ends, yes, next, span);
                lower.b.at(next);
            }
            lower.b.jump(no);
        }
        Filter::Port { fact, op, number } => {
            let holds = lower.b.compare_const(*op, end(ends, *fact).port, *number, span);
            lower.b.branch(holds, yes, no);
        }
        Filter::Address { fact, is } => address(lower, end(ends, *fact), *is, yes, no, span),
    }
}

fn end(ends: Ends, fact: Fact) -> End {
    match fact {
        Fact::Addr | Fact::Port => ends.server,
        Fact::PeerAddr | Fact::PeerPort => ends.client,
    }
}

/// Whether an end has this address: as IPv4, or all four words of IPv6 (of a mapped IPv4 too).
fn address(lower: &mut Lower<'_>, end: End, is: IpAddr, yes: Block, no: Block, span: Span) {
    let word = |bytes: &[u8]| {
        let mut four = [0; 4];
        four.copy_from_slice(bytes);
        i64::from(u32::from_ne_bytes(four))
    };
    let six = lower.b.block();
    let four = lower.b.block();
    let is_four = lower.b.compare_const(CompareOp::Eq, end.family, INET, span);
    lower.b.branch(is_four, four, six);
    lower.b.at(four);
    match is {
        IpAddr::V4(ip) => {
            let equal = lower.b.compare_const(CompareOp::Eq, end.words[0], word(&ip.octets()), span);
            lower.b.branch(equal, yes, no);
        }
        IpAddr::V6(_) => lower.b.jump(no),
    }
    lower.b.at(six);
    let full: Ipv6Addr = match is {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    for (reg, bytes) in end.words.iter().zip(full.octets().chunks_exact(4)) {
        let next = lower.b.block();
        let equal = lower.b.compare_const(CompareOp::Eq, *reg, word(bytes), span);
        lower.b.branch(equal, next, no);
        lower.b.at(next);
    }
    lower.b.jump(yes);
}

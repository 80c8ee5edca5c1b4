//! A filter as text of the capture program: the macros `filtered()` and `wanted(...)`, which stand before it.
//!
//! What a script or rules add to the program is in the language too, so that what `reel plan --capture` prints is all that runs. The ends
//! of a connection are the program's variables: a family, ports, and four words of each address in network order; an IPv4
//! address is in the first word, or mapped into IPv6.

use std::net::{IpAddr, Ipv6Addr};

use super::filter::{Fact, Filter, Filters, symbol};

/// The variables of one end: its port, and the letter of its address's words.
struct End {
    port: &'static str,
    word: char,
}

const LOCAL: End = End { port: "$local_port", word: 'l' };
const REMOTE: End = End { port: "$remote_port", word: 'r' };

impl Filters {
    /// Writes the macros that the capture program calls: whether any connection is excluded at all, and whether one is
    /// wanted, by who opened it and its ends.
    pub fn macros(&self) -> String {
        let incoming = text(&self.incoming, &LOCAL, &REMOTE);
        let outgoing = text(&self.outgoing, &REMOTE, &LOCAL);
        let says = |filter: &Filter| match filter {
            Filter::Const(true) => "every connection".to_owned(),
            Filter::Const(false) => "no connection".to_owned(),
            filter => format!("connections with {filter}"),
        };
        format!(
            "// What is wanted, of connections to the app: {}; of its own to others: {}.\n\
             macro filtered() {{ {} }}\n\
             macro wanted(outgoing, $family, $local_port, $l0, $l1, $l2, $l3, $remote_port, $r0, $r1, $r2, $r3) {{\n    \
             (outgoing && {outgoing}) || (!outgoing && {incoming})\n}}\n",
            says(&self.incoming),
            says(&self.outgoing),
            !self.keep_all(),
        )
    }
}

/// A filter as an expression, in brackets where it is not one word.
fn text(filter: &Filter, server: &End, client: &End) -> String {
    let list = |parts: &[Filter], between: &str| {
        let parts: Vec<String> = parts.iter().map(|part| text(part, server, client)).collect();
        format!("({})", parts.join(between))
    };
    let end = |fact: Fact| match fact {
        Fact::Addr | Fact::Port => server,
        Fact::PeerAddr | Fact::PeerPort => client,
    };
    match filter {
        Filter::Const(truth) => truth.to_string(),
        Filter::Not(part) => format!("!{}", text(part, server, client)),
        Filter::All(parts) => list(parts, " && "),
        Filter::Any(parts) => list(parts, " || "),
        Filter::Port { fact, op, number } => format!("({} {} {number})", end(*fact).port, symbol(*op)),
        Filter::Address { fact, is } => address(end(*fact).word, *is),
    }
}

/// Whether an end has this address: as IPv4 (AF_INET is 2), or all four words of IPv6 (of a mapped IPv4 too).
fn address(word: char, is: IpAddr) -> String {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let full: Ipv6Addr = match is {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let words = full.octets();
    let words = words.chunks_exact(4).enumerate().map(|(index, bytes)| format!("${word}{index} == {}", number(bytes)));
    let six = words.collect::<Vec<_>>().join(" && ");
    match is {
        IpAddr::V4(ip) => {
            format!("(($family == 2 && ${word}0 == {}) || ($family != 2 && {six}))", number(&ip.octets()))
        }
        IpAddr::V6(_) => format!("($family != 2 && {six})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::CompareOp;

    #[test]
    fn the_ends_are_told_apart_by_who_serves() {
        let port = |fact| Filter::Port { fact, op: CompareOp::Eq, number: 80 };
        let filters = Filters { incoming: port(Fact::Port), outgoing: Filter::Not(Box::new(port(Fact::PeerPort))) };
        let macros = filters.macros();
        assert!(
            macros.contains("(outgoing && !($local_port == 80)) || (!outgoing && ($local_port == 80))"),
            "{macros}"
        );
        assert!(macros.contains("macro filtered() { true }"), "{macros}");
        assert!(Filters::default().macros().contains("macro filtered() { false }"));
    }

    #[test]
    fn addresses_are_words_in_the_order_of_the_network() {
        // Read by the little-endian machine on which the program runs.
        let four = address('l', IpAddr::from([10, 0, 0, 1]));
        assert_eq!(
            four,
            "(($family == 2 && $l0 == 16777226) || ($family != 2 && $l0 == 0 && $l1 == 0 && $l2 == 4294901760 && $l3 == 16777226))"
        );
        let six = address('r', IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(six, "($family != 2 && $r0 == 0 && $r1 == 0 && $r2 == 0 && $r3 == 16777216)");
    }
}

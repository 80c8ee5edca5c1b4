//! Finds the TCP segment or the datagram in a packet: link layer, VLAN tags, IP with its extension headers, TCP, UDP.
//!
//! Ethernet, Linux cooked capture (v1 and v2), BSD loopback and raw IP are read. A packet that was cut when it was captured still
//! tells its true length, so that what is missing is a hole of known size.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice, ip_number};
use pcap_parser::Linktype;

use super::counts::Counts;
use super::file::Packet;

/// The parts of a TCP segment that matter here (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub time_ns: u64,
    pub seq: u32,
    pub ack: Option<u32>,
    pub syn: bool,
    pub fin: bool,
    pub rst: bool,
    pub payload: &'a [u8],
    /// The payload's length on the wire.
    pub total_len: u32,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried<'a> {
    Segment(Segment<'a>),
    Datagram(Datagram<'a>),
}

/// A whole datagram (RFC 768).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub time_ns: u64,
    pub payload: &'a [u8],
}

/// Finds what a packet carries; what is neither, or cannot be read, is counted.
pub fn carried<'a>(packet: Packet<'a>, counts: &mut Counts) -> Option<Carried<'a>> {
    counts.packets += 1;
    let sliced = match slice(packet) {
        Sliced::Found(sliced) => *sliced,
        Sliced::Malformed => {
            counts.malformed += 1;
            return None;
        }
        Sliced::OtherLink => {
            counts.other_link += 1;
            counts.first_other_link.get_or_insert(packet.link.0);
            return None;
        }
    };
    let Some((source, destination)) = addresses(&sliced) else {
        let count = if sliced.stop_err.is_some() { &mut counts.malformed } else { &mut counts.not_ip };
        *count += 1;
        return None;
    };
    let payload = sliced.net.as_ref().and_then(LaxNetSlice::ip_payload_ref);
    if payload.is_some_and(|payload| payload.fragmented) {
        counts.fragments += 1;
        return None;
    }
    let missing = packet.wire_len.saturating_sub(packet.bytes.len() as u64);
    // Without a length of its own (segmentation offload), an IP packet is as long as what is there.
    let is_cut = missing > 0
        && payload.is_some_and(|payload| payload.incomplete || payload.len_source == etherparse::LenSource::Slice);
    let tcp = match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => tcp,
        Some(TransportSlice::Udp(udp)) if !is_cut => {
            return Some(Carried::Datagram(Datagram {
                from: SocketAddr::new(source, udp.source_port()),
                to: SocketAddr::new(destination, udp.destination_port()),
                time_ns: packet.time_ns,
                payload: udp.payload(),
            }));
        }
        Some(TransportSlice::Udp(_)) => {
            counts.cut_datagrams += 1;
            return None;
        }
        None if sliced.stop_err.is_some() && payload.is_some_and(|payload| payload.ip_number == ip_number::TCP) => {
            counts.malformed += 1;
            return None;
        }
        _ => {
            counts.other_transport += 1;
            return None;
        }
    };
    let payload = tcp.payload();
    let missing = if is_cut { u32::try_from(missing).unwrap_or(u32::MAX) } else { 0 };
    if is_cut {
        counts.cut += 1;
        counts.cut_bytes += u64::from(missing);
    }
    Some(Carried::Segment(Segment {
        from: SocketAddr::new(source, tcp.source_port()),
        to: SocketAddr::new(destination, tcp.destination_port()),
        time_ns: packet.time_ns,
        seq: tcp.sequence_number(),
        ack: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload,
        total_len: u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(missing),
    }))
}

enum Sliced<'a> {
    Found(Box<LaxSlicedPacket<'a>>),
    Malformed,
    OtherLink,
}

/// Takes the link layer off.
fn slice(packet: Packet<'_>) -> Sliced<'_> {
    let bytes = packet.bytes;
    let after = |len: usize| bytes.get(len..).unwrap_or_default();
    let ether_type = |at: usize| match bytes.get(at..) {
        Some([high, low, ..]) => EtherType(u16::from_be_bytes([*high, *low])),
        _ => EtherType(0),
    };
    let found = match packet.link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(bytes).ok(),
        // LINKTYPE_LINUX_SLL: 16 bytes, the last two the protocol. LINKTYPE_LINUX_SLL2: 20 bytes, the first two.
        Linktype::LINUX_SLL => Some(LaxSlicedPacket::from_ether_type(ether_type(14), after(16))),
        Linktype::LINUX_SLL2 => Some(LaxSlicedPacket::from_ether_type(ether_type(0), after(20))),
        // A family in the byte order of whoever captured, or in network order; the IP header says the version itself.
        Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(after(4)).ok(),
        // DLT_RAW has another number on some systems (LINKTYPE_RAW in pcap's registry).
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | Linktype(12 | 14) => LaxSlicedPacket::from_ip(bytes).ok(),
        _ => return Sliced::OtherLink,
    };
    found.map_or(Sliced::Malformed, |sliced| Sliced::Found(Box::new(sliced)))
}

fn addresses(sliced: &LaxSlicedPacket<'_>) -> Option<(IpAddr, IpAddr)> {
    match sliced.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => Some((ip.header().source_addr().into(), ip.header().destination_addr().into())),
        LaxNetSlice::Ipv6(ip) => {
            let (source, destination) = (ip.header().source_addr(), ip.header().destination_addr());
            Some((source.to_canonical(), destination.to_canonical()))
        }
        LaxNetSlice::Arp(_) => None,
    }
}

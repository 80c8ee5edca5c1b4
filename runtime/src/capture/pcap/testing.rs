//! Packet files made of a few lines, for tests of what reads them.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use etherparse::{PacketBuilder, TcpHeader};

/// Who sends a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Client,
    Server,
}

pub(crate) use Who::{Client, Server};

/// What lies around the IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    Vlan,
    DoubleVlan,
    Sll,
    Sll2,
    Null,
    Raw,
}

impl Link {
    pub(crate) const ALL: [Link; 7] =
        [Link::Ethernet, Link::Vlan, Link::DoubleVlan, Link::Sll, Link::Sll2, Link::Null, Link::Raw];

    fn number(self) -> u32 {
        match self {
            Link::Ethernet | Link::Vlan | Link::DoubleVlan => 1,
            Link::Sll => 113,
            Link::Sll2 => 276,
            Link::Null => 0,
            Link::Raw => 101,
        }
    }
}

/// A packet with its time, and how much of it was kept.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    pub(crate) time_ns: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) kept: usize,
}

/// A connection whose packets are written down.
#[derive(Debug, Clone)]
pub(crate) struct Tape {
    pub(crate) link: Link,
    pub(crate) ends: [SocketAddr; 2],
    pub(crate) packets: Vec<Packet>,
    pub(crate) now_ns: u64,
    pub(crate) seqs: [u32; 2],
}

/// The length of what one packet carries at most.
pub(crate) const SEGMENT_LEN: usize = 16;

impl Tape {
    /// A tape of a client at port 40000 and a server at port 80, whose sequence numbers wrap soon.
    pub(crate) fn new(link: Link) -> Tape {
        Tape::between(link, "10.0.0.1:40000", "10.0.0.2:80")
    }

    pub(crate) fn between(link: Link, client: &str, server: &str) -> Tape {
        let ends = [client.parse().unwrap(), server.parse().unwrap()];
        Tape { link, ends, packets: Vec::new(), now_ns: 1_700_000_000_000_000_000, seqs: [u32::MAX - 30, 1000] }
    }

    fn send(&mut self, who: Who, payload: &[u8], flags: impl Fn(&mut TcpHeader)) {
        let (me, peer) = (who as usize, 1 - who as usize);
        let mut header = TcpHeader::new(self.ends[me].port(), self.ends[peer].port(), self.seqs[me], 65_535);
        header.ack = true;
        header.acknowledgment_number = self.seqs[peer];
        flags(&mut header);
        self.seqs[me] =
            self.seqs[me].wrapping_add(payload.len() as u32 + u32::from(header.syn) + u32::from(header.fin));
        let bytes = self.packet(header, me, payload);
        self.packets.push(Packet { time_ns: self.now_ns, kept: bytes.len(), bytes });
        self.now_ns += 1_000_000;
    }

    fn packet(&self, header: TcpHeader, me: usize, payload: &[u8]) -> Vec<u8> {
        let step = match (self.ends[me], self.ends[1 - me]) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 9),
            (SocketAddr::V6(from), SocketAddr::V6(to)) => PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 9),
            _ => unreachable!("both ends are of one family"),
        };
        let mut bytes = self.front();
        step.tcp_header(header).write(&mut bytes, payload).unwrap();
        bytes
    }

    /// What stands before the IP packet.
    fn front(&self) -> Vec<u8> {
        let is_ipv4 = self.ends[0].is_ipv4();
        let ether_type: [u8; 2] = if is_ipv4 { [0x08, 0x00] } else { [0x86, 0xdd] };
        match self.link {
            Link::Ethernet => [&[1; 12][..], &ether_type].concat(),
            Link::Vlan => [&[1; 12][..], &[0x81, 0x00, 0, 7], &ether_type].concat(),
            Link::DoubleVlan => [&[1; 12][..], &[0x88, 0xa8, 0, 8, 0x81, 0x00, 0, 7], &ether_type].concat(),
            Link::Sll => [&[0; 14][..], &ether_type].concat(),
            Link::Sll2 => [&ether_type[..], &[0; 18]].concat(),
            Link::Null => vec![if is_ipv4 { 2 } else { 30 }, 0, 0, 0],
            Link::Raw => Vec::new(),
        }
    }

    /// Opens the connection.
    pub(crate) fn open(mut self) -> Tape {
        self.send(Client, b"", |tcp| {
            tcp.syn = true;
            tcp.ack = false;
        });
        self.send(Server, b"", |tcp| tcp.syn = true);
        self.send(Client, b"", |_| {});
        self
    }

    /// Sends a text in segments of [`SEGMENT_LEN`].
    pub(crate) fn say(mut self, who: Who, text: &str) -> Tape {
        for part in text.as_bytes().chunks(SEGMENT_LEN) {
            self.send(who, part, |_| {});
        }
        self
    }

    /// Asks for a path, and answers with a body.
    pub(crate) fn get(self, path: &str, body: &str) -> Tape {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.say(Client, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).say(Server, &answer)
    }

    /// Closes both ways, the server first.
    pub(crate) fn close(mut self) -> Tape {
        self.send(Server, b"", |tcp| tcp.fin = true);
        self.send(Client, b"", |tcp| tcp.fin = true);
        self.send(Server, b"", |_| {});
        self
    }

    /// Sends a datagram.
    pub(crate) fn datagram(mut self, who: Who, payload: &[u8]) -> Tape {
        let (from, to) = (self.ends[who as usize], self.ends[1 - who as usize]);
        let step = match (from, to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 9),
            (SocketAddr::V6(from), SocketAddr::V6(to)) => PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 9),
            _ => unreachable!("both ends are of one family"),
        };
        let mut bytes = self.front();
        step.udp(from.port(), to.port()).write(&mut bytes, payload).unwrap();
        self.packets.push(Packet { time_ns: self.now_ns, kept: bytes.len(), bytes });
        self.now_ns += 1_000_000;
        self
    }

    /// Changes the list of packets.
    pub(crate) fn edit(mut self, change: impl FnOnce(&mut Vec<Packet>)) -> Tape {
        change(&mut self.packets);
        self
    }

    /// The tape as a pcap file with times in microseconds.
    pub(crate) fn pcap(&self) -> Vec<u8> {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, self.link.number()]);
        for packet in &self.packets {
            let (s, us) = ((packet.time_ns / 1_000_000_000) as u32, (packet.time_ns % 1_000_000_000 / 1000) as u32);
            file.extend(words(&[s, us, packet.kept as u32, packet.bytes.len() as u32]));
            file.extend(&packet.bytes[..packet.kept]);
        }
        file
    }

    /// The tape as a pcapng file with times in nanoseconds.
    pub(crate) fn pcapng(&self) -> Vec<u8> {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let block = |kind: u32, body: Vec<u8>| {
            let len = body.len() as u32 + 12;
            [words(&[kind, len]), body, words(&[len])].concat()
        };
        let mut file = block(0x0a0d_0d0a, words(&[0x1a2b_3c4d, 0x0000_0001, u32::MAX, u32::MAX]));
        // Option 9 (if_tsresol), one byte: 10^-9.
        file.extend(block(1, words(&[self.link.number(), 65_535, 0x0001_0009, 9, 0])));
        for packet in &self.packets {
            let mut body = words(&[
                0,
                (packet.time_ns >> 32) as u32,
                packet.time_ns as u32,
                packet.kept as u32,
                packet.bytes.len() as u32,
            ]);
            body.extend(&packet.bytes[..packet.kept]);
            body.resize(body.len().next_multiple_of(4), 0);
            file.extend(block(6, body));
        }
        file
    }
}

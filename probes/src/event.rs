//! What the capture program tells user space: the records of its ring buffer.
//!
//! The program is in `programs/capture`; this module is the other end of its tuples, which lie in memory as C would lay
//! them out (little endian here, naturally aligned). Positions are TCP sequence numbers, so user space can put a stream in
//! order and knows exactly what is missing.
//!
//! ```text
//! data:  kind=1 u32, direction u32, time u64, cookie u64, tgid u32, tid u32, seq u32, total u32, kept u32, flags u32, bytes
//! state: kind=2 u32, old u32, time u64, cookie u64, tgid u32, tid u32, write_seq u32, copied_seq u32, new u32, family u32,
//!        local [u8; 16], remote [u8; 16], local_port u32, remote_port u32, received u64, sent u64
//! left out: kind=4, else as a state: a connection that nobody wants was opened, or has closed
//! datagram: kind=3 u32, direction u32, time u64, socket u64, tgid u32, tid u32, offset u32, total u32, kept u32, family u32,
//!        local [u8; 16], remote [u8; 16], local_port u32, remote_port u32, peer sockaddr [u8; 32], bytes
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Names a socket for as long as the machine runs (`sock_gen_cookie` of net/core/sock_diag.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub u64);

/// The thread that a hook ran in. In softirq that is whatever thread was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Task {
    pub tgid: u32,
    pub tid: u32,
}

/// The way of bytes through a socket, as the app sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    Received,
    Sent,
}

/// A TCP state (`include/net/tcp_states.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[doc(alias = "TCP_ESTABLISHED")]
pub enum TcpState {
    Established = 1,
    SynSent = 2,
    SynRecv = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Close = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
    NewSynRecv = 12,
}

impl TcpState {
    fn from_kernel(number: u32) -> Option<TcpState> {
        use TcpState::*;
        [
            Established,
            SynSent,
            SynRecv,
            FinWait1,
            FinWait2,
            TimeWait,
            Close,
            CloseWait,
            LastAck,
            Listen,
            Closing,
            NewSynRecv,
        ]
        .into_iter()
        .find(|state| *state as u32 == number)
    }
}

/// Bytes that the app sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data<'a> {
    pub flow: Flow,
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub time_ns: u64,
    pub cookie: Cookie,
    pub task: Task,
    /// The TCP sequence number of the first byte.
    pub seq: u32,
    /// How many bytes the call moved.
    pub total_len: u32,
    /// The first of them; fewer than `total_len` where the rest could not be read or exceeds the limit.
    pub bytes: &'a [u8],
}

/// A socket changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    pub time_ns: u64,
    pub cookie: Cookie,
    pub task: Task,
    pub old: TcpState,
    pub new: TcpState,
    /// The sequence number of the next byte that the app sends.
    pub write_seq: u32,
    /// The sequence number of the next byte that the app reads.
    pub copied_seq: u32,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// Bytes of payload that the kernel has received in order (`bytes_received`, RFC 4898 tcpEStatsAppHCThruOctetsReceived).
    pub received_bytes: u64,
    /// Bytes of payload that the kernel has sent, each counted once (`bytes_sent` less `bytes_retrans`).
    pub sent_bytes: u64,
}

/// A datagram that the app sent or received, or the part of it that was in one buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram<'a> {
    pub flow: Flow,
    pub time_ns: u64,
    /// The socket's address in the kernel: another socket may have it later.
    pub socket: Cookie,
    pub task: Task,
    /// Where this part begins in the datagram.
    pub offset: u32,
    /// The datagram's length.
    pub total_len: u32,
    pub local: SocketAddr,
    /// The peer; none where the app did not ask who it was.
    pub remote: Option<SocketAddr>,
    /// The part; empty where it could not be read.
    pub bytes: &'a [u8],
}

/// A record of the capture ring buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    Data(Data<'a>),
    State(StateChange),
    /// The program left a connection's bytes out, by its filter: that it is open, and that it has closed.
    LeftOut(StateChange),
    Datagram(Datagram<'a>),
}

/// A record that the capture program cannot have written: a version skew between program and reader, never the app's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("capture record of {len} bytes is not understood: {reason}")]
pub struct BadRecord {
    pub len: usize,
    pub reason: &'static str,
}

/// The length of a data record's head; the bytes follow.
pub const DATA_HEAD_LEN: usize = 48;
/// The length of a state record.
pub const STATE_LEN: usize = 104;
/// The most bytes of a buffer that a datagram record holds.
pub const MAX_PART_LEN: usize = 16_384;
/// The length of a datagram record's head; the bytes follow.
pub const DATAGRAM_HEAD_LEN: usize = 120;
const BAD_STATE: &str = "a state record is cut short or names no state";
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

impl<'a> Event<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`BadRecord`] where the record is too short or a number in it has no meaning.
    pub fn parse(record: &'a [u8]) -> Result<Event<'a>, BadRecord> {
        let bad = |reason| BadRecord { len: record.len(), reason };
        match u32_at(record, 0) {
            Some(1) => data(record).ok_or_else(|| bad("a data record is cut short")),
            Some(2) => state(record).map(Event::State).ok_or_else(|| bad(BAD_STATE)),
            Some(4) => state(record).map(Event::LeftOut).ok_or_else(|| bad(BAD_STATE)),
            Some(3) => datagram(record).ok_or_else(|| bad("a datagram's record is cut short")),
            _ => Err(bad("its kind is neither data, state, datagram nor left out")),
        }
    }

    /// The thread that a hook ran in.
    pub fn task(&self) -> Task {
        match self {
            Event::Data(data) => data.task,
            Event::State(change) | Event::LeftOut(change) => change.task,
            Event::Datagram(datagram) => datagram.task,
        }
    }
}

fn data(record: &[u8]) -> Option<Event<'_>> {
    let kept = u32_at(record, 40)? as usize;
    let bytes = record.get(DATA_HEAD_LEN..DATA_HEAD_LEN.checked_add(kept)?)?;
    Some(Event::Data(Data {
        flow: if u32_at(record, 4)? == 0 { Flow::Received } else { Flow::Sent },
        time_ns: u64_at(record, 8)?,
        cookie: Cookie(u64_at(record, 16)?),
        task: Task { tgid: u32_at(record, 24)?, tid: u32_at(record, 28)? },
        seq: u32_at(record, 32)?,
        total_len: u32_at(record, 36)?,
        bytes,
    }))
}

fn state(record: &[u8]) -> Option<StateChange> {
    let family = u32_at(record, 44)?;
    Some(StateChange {
        old: TcpState::from_kernel(u32_at(record, 4)?)?,
        time_ns: u64_at(record, 8)?,
        cookie: Cookie(u64_at(record, 16)?),
        task: Task { tgid: u32_at(record, 24)?, tid: u32_at(record, 28)? },
        write_seq: u32_at(record, 32)?,
        copied_seq: u32_at(record, 36)?,
        new: TcpState::from_kernel(u32_at(record, 40)?)?,
        local: address(record, family, 48, 80)?,
        remote: address(record, family, 64, 84)?,
        received_bytes: u64_at(record, 88)?,
        sent_bytes: u64_at(record, 96)?,
    })
}

fn datagram(record: &[u8]) -> Option<Event<'_>> {
    let kept = u32_at(record, 40)? as usize;
    let bytes = record.get(DATAGRAM_HEAD_LEN..DATAGRAM_HEAD_LEN.checked_add(kept)?)?;
    let family = u32_at(record, 44)?;
    let connected = address(record, family, 64, 84)?;
    let remote = if connected.port() == 0 { named(record, 88) } else { Some(connected) };
    Some(Event::Datagram(Datagram {
        flow: if u32_at(record, 4)? == 0 { Flow::Received } else { Flow::Sent },
        time_ns: u64_at(record, 8)?,
        socket: Cookie(u64_at(record, 16)?),
        task: Task { tgid: u32_at(record, 24)?, tid: u32_at(record, 28)? },
        offset: u32_at(record, 32)?,
        total_len: u32_at(record, 36)?,
        local: address(record, family, 48, 80)?,
        remote,
        bytes,
    }))
}

/// Reads a `struct sockaddr_in` or `struct sockaddr_in6`; none where there is neither.
fn named(record: &[u8], at: usize) -> Option<SocketAddr> {
    let family = u32::from(u16::from_le_bytes(record.get(at..at + 2)?.try_into().ok()?));
    let port = u16::from_be_bytes(record.get(at + 2..at + 4)?.try_into().ok()?);
    let ip = match family {
        AF_INET => IpAddr::from(<[u8; 4]>::try_from(record.get(at + 4..at + 8)?).ok()?),
        AF_INET6 => Ipv6Addr::from(<[u8; 16]>::try_from(record.get(at + 8..at + 24)?).ok()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Reads an address; an IPv4 address in an IPv6 socket (`::ffff:a.b.c.d`) is given as IPv4.
fn address(record: &[u8], family: u32, at: usize, port_at: usize) -> Option<SocketAddr> {
    let port = u16::try_from(u32_at(record, port_at)?).ok()?;
    let octets: [u8; 16] = record.get(at..at + 16)?.try_into().ok()?;
    let ip = if family == AF_INET6 {
        Ipv6Addr::from(octets).to_canonical()
    } else {
        IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]))
    };
    Some(SocketAddr::new(ip, port))
}

fn u32_at(record: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(record.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(record: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(record.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_data_record_is_read() {
        let mut record = words(&[1, 1, 5, 0, 7, 0, 100, 101, 4_000_000_000, 10, 3, 0]);
        record.extend(b"abc");
        let Event::Data(data) = Event::parse(&record).unwrap() else { panic!("not data") };
        assert_eq!((data.flow, data.time_ns, data.cookie), (Flow::Sent, 5, Cookie(7)));
        assert_eq!((data.seq, data.total_len, data.bytes), (4_000_000_000, 10, &b"abc"[..]));
    }

    #[test]
    fn a_mapped_address_is_an_ipv4_address() {
        let mut record = words(&[2, 3, 5, 0, 7, 0, 100, 101, 1, 2, 1, 10]);
        record.extend(Ipv4Addr::new(127, 0, 0, 1).to_ipv6_mapped().octets());
        record.extend(Ipv6Addr::LOCALHOST.octets());
        record.extend(words(&[8080, 40_000, 3, 0, 6, 0]));
        assert_eq!(record.len(), STATE_LEN);
        let Event::State(change) = Event::parse(&record).unwrap() else { panic!("not state") };
        assert_eq!(change.local.to_string(), "127.0.0.1:8080");
        assert_eq!(change.remote.to_string(), "[::1]:40000");
        assert_eq!((change.old, change.new), (TcpState::SynRecv, TcpState::Established));
        record[0] = 4;
        assert_eq!(Event::parse(&record).unwrap(), Event::LeftOut(change));
    }

    /// A datagram of three bytes from a socket, connected to a port or not, and what the call says of the peer.
    fn datagram_record(connected_port: u32, peer: &[u8]) -> Vec<u8> {
        let mut record = words(&[3, 0, 5, 0, 7, 0, 100, 101, 0, 3, 3, 2]);
        record.extend(words(&[0x0100_007f, 0, 0, 0, 0x0200_007f, 0, 0, 0, 40_000, connected_port]));
        record.extend(peer);
        record.resize(DATAGRAM_HEAD_LEN, 0);
        record.extend(b"abc");
        record
    }

    #[test]
    fn a_datagrams_peer_is_the_sockets_or_the_calls() {
        let four = [2, 0, 0, 53, 127, 0, 0, 53];
        let six = [&[10, 0, 0, 53, 0, 0, 0, 0][..], &Ipv4Addr::new(127, 0, 0, 9).to_ipv6_mapped().octets()].concat();
        let cases: [(u32, &[u8], Option<&str>); 4] = [
            (53, &four, Some("127.0.0.2:53")),
            (0, &four, Some("127.0.0.53:53")),
            (0, &six, Some("127.0.0.9:53")),
            (0, &[], None),
        ];
        for (port, peer, expect) in cases {
            let record = datagram_record(port, peer);
            let Event::Datagram(datagram) = Event::parse(&record).unwrap() else { panic!("no datagram") };
            assert_eq!(datagram.remote.map(|remote| remote.to_string()).as_deref(), expect);
            assert_eq!((datagram.local.to_string().as_str(), datagram.bytes), ("127.0.0.1:40000", &b"abc"[..]));
        }
    }

    #[test]
    fn every_cut_of_a_record_is_refused() {
        let mut data = words(&[1, 1, 5, 0, 7, 0, 100, 101, 1, 3, 3, 0]);
        data.extend(b"abc");
        for record in [data, datagram_record(53, &[])] {
            for len in 0..record.len() {
                assert!(Event::parse(&record[..len]).is_err(), "{len} bytes were accepted");
            }
        }
    }
}

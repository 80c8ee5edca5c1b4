//! Which datagrams belong together: those of one socket with one peer, or of two ends in a packet file.
//!
//! Nothing opens or closes such a conversation. What a datagram says tells its protocol and which end asks, on whatever port; what no
//! protocol claims is counted, but for datagrams of DNS's own port, which break DNS. A conversation ends after [`IDLE_NS`] of silence.

use std::collections::HashMap;
use std::net::SocketAddr;

use reel_lang::schema::{Direction, Side};
use reel_probes::event::{self, Cookie, Flow, Task};
use reel_protocols::conversation::ANSWER_NS;
use reel_protocols::protocols;

use super::connections::{ConnId, Ends, Moment, NOBODY, Sink};
use super::stream::Piece;

/// A conversation ends after so long a silence, by the datagrams' own time.
pub const IDLE_NS: u64 = ANSWER_NS;
/// The most conversations that are remembered; beyond it those that are silent for longest end.
pub const MAX_CONVERSATIONS: usize = 32_768;
/// The most threads that have sent part of a datagram.
const MAX_PARTS: usize = 1024;
const DNS_PORT: u16 = 53;

/// A datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// The socket, where one was seen to move it.
    pub socket: Option<(Cookie, Flow)>,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub moment: Moment,
    pub bytes: Vec<u8>,
}

/// What makes a conversation one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    socket: Option<Cookie>,
    server: SocketAddr,
    client: SocketAddr,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    id: ConnId,
    last_ns: u64,
}

/// The conversations of datagrams that are going on.
#[derive(Debug, Default)]
pub struct Datagrams {
    open: HashMap<Key, Open>,
    swept_ns: u64,
    /// Datagrams that no protocol claims.
    pub unclaimed: u64,
}

impl Datagrams {
    /// Takes the next datagram.
    pub fn add(&mut self, datagram: &Datagram, next_id: &mut u32, sink: &mut impl Sink) {
        let Datagram { socket, from, to, moment, bytes } = datagram;
        let Some(side) = side(*from, *to, bytes) else {
            self.unclaimed += 1;
            return;
        };
        self.sweep(moment.time_ns, sink);
        let (server, client) = if side == Side::Request { (*to, *from) } else { (*from, *to) };
        let direction = match (socket, side) {
            (Some((_, Flow::Received)), Side::Request) | (Some((_, Flow::Sent)), Side::Response) => Direction::In,
            _ => Direction::Out,
        };
        let key = Key { socket: socket.map(|(cookie, _)| cookie), server, client };
        let open = self.open.entry(key).or_insert_with(|| {
            let id = ConnId(*next_id);
            *next_id += 1;
            sink.joined(id, Ends { direction, server, client }, *moment);
            Open { id, last_ns: moment.time_ns }
        });
        open.last_ns = open.last_ns.max(moment.time_ns);
        sink.piece(open.id, side, Piece::Datagram(bytes.clone()), *moment);
    }

    /// Ends every conversation, in the order in which they began.
    pub fn finish(&mut self, moment: Moment, sink: &mut impl Sink) {
        let mut open: Vec<ConnId> = self.open.drain().map(|(_, open)| open.id).collect();
        open.sort_unstable();
        for id in open {
            sink.left(id, None, moment);
        }
    }

    /// Ends what has been silent for long; where there are too many, an eighth of them.
    fn sweep(&mut self, now_ns: u64, sink: &mut impl Sink) {
        let is_full = self.open.len() >= MAX_CONVERSATIONS;
        if !is_full && now_ns < self.swept_ns.saturating_add(IDLE_NS / 8) {
            return;
        }
        self.swept_ns = now_ns;
        let mut oldest: Vec<(u64, ConnId, Key)> =
            self.open.iter().map(|(key, open)| (open.last_ns, open.id, *key)).collect();
        oldest.sort_unstable_by_key(|(last_ns, id, _)| (*last_ns, *id));
        let idle = oldest.iter().take_while(|(last_ns, ..)| last_ns.saturating_add(IDLE_NS) < now_ns).count();
        let many = if is_full { MAX_CONVERSATIONS / 8 } else { 0 };
        for (_, id, key) in oldest.into_iter().take(idle.max(many)) {
            self.open.remove(&key);
            sink.left(id, None, Moment { time_ns: now_ns, task: NOBODY });
        }
    }
}

/// Which side sent a datagram, if it is a protocol's.
fn side(from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Option<Side> {
    let claimed = protocols().iter().find_map(|protocol| protocol.infer_datagram(bytes));
    claimed.or(match (from.port(), to.port()) {
        (_, DNS_PORT) => Some(Side::Request),
        (DNS_PORT, _) => Some(Side::Response),
        _ => None,
    })
}

/// Datagrams that went through more than one buffer, put together.
#[derive(Debug, Default)]
pub struct Parts {
    begun: HashMap<Task, Vec<u8>>,
    /// Bytes of datagrams that could not be read whole.
    pub missing_bytes: u64,
}

impl Parts {
    /// Takes a part, and gives the datagram once it is whole.
    pub fn add(&mut self, part: &event::Datagram<'_>) -> Option<Datagram> {
        let begun = self.begun.remove(&part.task).filter(|_| part.offset > 0);
        let mut bytes = begun.unwrap_or_default();
        if bytes.len() != part.offset as usize {
            // What came before was passed over, in the kernel or here.
            return None;
        }
        bytes.extend_from_slice(part.bytes);
        match (bytes.len() >= part.total_len as usize, part.bytes.is_empty()) {
            (true, _) => Some(whole(part, bytes)),
            (false, false) if self.begun.len() < MAX_PARTS && bytes.len() < event::MAX_PART_LEN => {
                self.begun.insert(part.task, bytes);
                None
            }
            _ => {
                self.missing_bytes += u64::from(part.total_len);
                None
            }
        }
    }
}

fn whole(part: &event::Datagram<'_>, bytes: Vec<u8>) -> Datagram {
    // A peer that the app does not ask for is nobody.
    let nobody = SocketAddr::new(part.local.ip(), 0);
    let remote = part.remote.unwrap_or(nobody);
    let (from, to) = match part.flow {
        Flow::Sent => (part.local, remote),
        Flow::Received => (remote, part.local),
    };
    let moment = Moment { time_ns: part.time_ns, task: part.task };
    Datagram { socket: Some((part.socket, part.flow)), from, to, moment, bytes }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const QUESTION: &[u8] = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x03svc\x04test\0\0\x01\0\x01";

    fn answer() -> Vec<u8> {
        let mut answer = QUESTION.to_vec();
        answer[2] = 0x81;
        answer
    }

    #[derive(Default)]
    struct Transcript(String);

    impl Sink for Transcript {
        fn listening(&mut self, _: SocketAddr, _: Moment) {}
        fn opened(&mut self, conn: ConnId, ends: Ends, _: Moment) {
            let Ends { direction, server, client } = ends;
            let _ = writeln!(self.0, "{} opened {} {client} -> {server}", conn.0, direction.name());
        }
        fn piece(&mut self, conn: ConnId, side: Side, piece: Piece, _: Moment) {
            let len = if let Piece::Datagram(bytes) = piece { bytes.len() } else { 0 };
            let _ = writeln!(self.0, "{} {} of {len}", conn.0, side.name());
        }
        fn closed(&mut self, _: ConnId, _: Side, _: Moment) {}
        fn ended(&mut self, conn: ConnId, _: Option<Side>, _: Moment) {
            let _ = writeln!(self.0, "{} ended", conn.0);
        }
        fn refused(&mut self, _: Ends, _: Moment) {}
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// The way through a socket, the ports, the second and the bytes of a datagram.
    type Sent<'a> = (Option<Flow>, u16, u16, u64, &'a [u8]);

    #[track_caller]
    fn check(datagrams: &[Sent<'_>], unclaimed: u64, expect: &str) {
        let (mut flows, mut transcript, mut next_id) = (Datagrams::default(), Transcript::default(), 0);
        for (flow, from, to, time_s, bytes) in datagrams {
            let moment = Moment { time_ns: time_s * 1_000_000_000, task: NOBODY };
            let socket = flow.map(|flow| (Cookie(9), flow));
            let datagram = Datagram { socket, from: at(*from), to: at(*to), moment, bytes: bytes.to_vec() };
            flows.add(&datagram, &mut next_id, &mut transcript);
        }
        flows.finish(Moment { time_ns: 0, task: NOBODY }, &mut transcript);
        assert_eq!((transcript.0.as_str(), flows.unclaimed), (expect, unclaimed));
    }

    #[test]
    fn what_a_datagram_says_tells_who_asks() {
        let answer = answer();
        let expect = "0 opened out 127.0.0.1:40000 -> 127.0.0.1:5399\n0 request of 26\n0 response of 26\n0 ended\n";
        check(&[(None, 40_000, 5399, 1, QUESTION), (None, 5399, 40_000, 1, &answer)], 0, expect);
        let expect = "0 opened in 127.0.0.1:40000 -> 127.0.0.1:5399\n0 request of 26\n0 response of 26\n0 ended\n";
        let served = [(Flow::Received, 40_000, 5399, QUESTION), (Flow::Sent, 5399, 40_000, &answer)];
        check(&served.map(|(flow, from, to, bytes)| (Some(flow), from, to, 1, bytes)), 0, expect);
    }

    #[test]
    fn what_no_protocol_claims_is_counted_but_on_the_port_of_dns() {
        check(&[(None, 40_000, 5399, 1, b"hello"), (None, 5399, 40_000, 1, &QUESTION[1..])], 2, "");
        let expect = "0 opened out 127.0.0.1:40000 -> 127.0.0.1:53\n0 request of 5\n0 ended\n";
        check(&[(None, 40_000, 53, 1, b"hello")], 0, expect);
    }

    #[test]
    fn a_conversation_ends_after_silence() {
        let expect = "0 opened out 127.0.0.1:40000 -> 127.0.0.1:53\n0 request of 26\n0 ended\n\
                      1 opened out 127.0.0.1:40000 -> 127.0.0.1:53\n1 request of 26\n1 ended\n";
        check(&[(None, 40_000, 53, 1, QUESTION), (None, 40_000, 53, 32, QUESTION)], 0, expect);
    }

    #[test]
    fn parts_are_put_together_and_a_lost_one_is_missed() {
        let part = |offset, total_len, bytes| event::Datagram {
            flow: Flow::Sent,
            time_ns: 1,
            socket: Cookie(1),
            task: Task { tgid: 1, tid: 1 },
            offset,
            total_len,
            local: at(40_000),
            remote: Some(at(53)),
            bytes,
        };
        let mut parts = Parts::default();
        assert_eq!(parts.add(&part(0, 5, b"ab")), None);
        assert_eq!(parts.add(&part(2, 5, b"cde")).map(|whole| whole.bytes), Some(b"abcde".to_vec()));
        assert_eq!(parts.add(&part(2, 5, b"cde")), None);
        assert_eq!((parts.missing_bytes, parts.add(&part(0, 5, b"")), parts.missing_bytes), (0, None, 5));
    }
}

//! One TCP connection of a packet file: segments in, pieces of its two streams out.
//!
//! A SYN tells who the client is, and where both streams begin. A connection whose SYN is not in the file stays untold until a
//! segment plainly begins a request ([`pickup`](crate::capture::pickup)). A segment that acknowledges what has not come yet waits for
//! it: packets are captured out of order now and then, and a response that is told after the next request would be taken for
//! that one's. What has not come after [`REORDER_NS`] never will, and is a hole.

use std::collections::VecDeque;
use std::net::SocketAddr;

use reel_lang::schema::{Direction, Side};

use super::counts::Counts;
use super::packet::Segment;
use crate::capture::connections::{ConnId, Ends, Moment, NOBODY, Sink};
use crate::capture::pickup::{self, Begins};
use crate::capture::stream::{Piece, Stream};

/// How long a segment waits for one that was captured after it.
pub const REORDER_NS: u64 = 50_000_000;
/// The most segments of a connection that wait.
pub const MAX_HELD: usize = 256;

/// Where the pieces of a connection go, and what is counted.
pub struct Out<'a, S> {
    pub sink: &'a mut S,
    pub counts: &'a mut Counts,
    pub next_id: &'a mut u32,
}

/// A connection. Its two ends are numbered as they were first seen.
#[derive(Debug)]
pub struct Flow {
    ends: [SocketAddr; 2],
    phase: Phase,
    streams: [Stream; 2],
    /// The sequence number of each end's FIN.
    fins: [Option<u32>; 2],
    closed: [bool; 2],
    first_closed: Option<usize>,
    is_reset: bool,
    held: VecDeque<Held>,
    held_len_bytes: usize,
    pub last_ns: u64,
    /// Who sent bytes last, while the connection is untold.
    turn: Option<usize>,
    /// What it keeps, as it was last counted.
    pub kept_len_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its beginning was not seen, and no request was recognised yet.
    Untold,
    Open {
        id: ConnId,
        client: usize,
    },
    /// It has ended; what still comes is late.
    Over,
}

/// A segment that waits.
#[derive(Debug)]
struct Held {
    half: usize,
    time_ns: u64,
    seq: u32,
    ack: u32,
    fin: bool,
    rst: bool,
    payload: Vec<u8>,
    total_len: u32,
}

impl Held {
    fn of(half: usize, segment: &Segment<'_>, ack: u32) -> Held {
        let Segment { time_ns, seq, fin, rst, payload, total_len, .. } = *segment;
        Held { half, time_ns, seq, ack, fin, rst, payload: payload.to_vec(), total_len }
    }

    fn segment(&self, ends: [SocketAddr; 2]) -> Segment<'_> {
        Segment {
            from: ends[self.half],
            to: ends[1 - self.half],
            time_ns: self.time_ns,
            seq: self.seq,
            ack: Some(self.ack),
            syn: false,
            fin: self.fin,
            rst: self.rst,
            payload: &self.payload,
            total_len: self.total_len,
        }
    }
}

impl Flow {
    /// A connection of which nothing is known but the ends of its first segment.
    pub fn new(segment: &Segment<'_>) -> Flow {
        Flow {
            ends: [segment.from, segment.to],
            phase: Phase::Untold,
            streams: Default::default(),
            fins: [None; 2],
            closed: [false; 2],
            first_closed: None,
            is_reset: false,
            held: VecDeque::new(),
            held_len_bytes: 0,
            last_ns: segment.time_ns,
            turn: None,
            kept_len_bytes: 0,
        }
    }

    /// Its id, while it is open.
    pub fn id(&self) -> Option<ConnId> {
        match self.phase {
            Phase::Open { id, .. } => Some(id),
            Phase::Untold | Phase::Over => None,
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// How many bytes wait for others.
    pub fn waiting_len_bytes(&self) -> usize {
        self.held_len_bytes + self.streams.iter().map(Stream::pending_len_bytes).sum::<usize>()
    }

    /// Whether a SYN belongs to this connection: it is its own, seen again.
    pub fn has_syn(&self, segment: &Segment<'_>) -> bool {
        let start = self.streams[self.half(segment)].start();
        !self.is_over() && (start == Some(segment.seq.wrapping_add(1)) || (segment.ack.is_some() && start.is_none()))
    }

    fn half(&self, segment: &Segment<'_>) -> usize {
        usize::from(segment.from != self.ends[0])
    }

    /// Takes a segment.
    pub fn segment<S: Sink>(&mut self, segment: &Segment<'_>, out: &mut Out<'_, S>) {
        self.last_ns = self.last_ns.max(segment.time_ns);
        let half = self.half(segment);
        if segment.syn {
            self.syn(half, segment, out);
        }
        match self.phase {
            Phase::Untold => self.untold(half, segment, out),
            Phase::Open { .. } => self.order(half, segment, out),
            Phase::Over => {}
        }
    }

    fn syn<S: Sink>(&mut self, half: usize, segment: &Segment<'_>, out: &mut Out<'_, S>) {
        // A SYN that acknowledges another is the server's.
        let client = if segment.ack.is_some() { 1 - half } else { half };
        self.streams[half].starts_at(segment.seq.wrapping_add(1));
        if let Some(ack) = segment.ack {
            self.streams[1 - half].starts_at(ack);
        }
        if self.phase == Phase::Untold {
            let (id, ends) = self.open(client, out);
            out.sink.opened(id, ends, moment(segment.time_ns));
        }
    }

    fn open<S: Sink>(&mut self, client: usize, out: &mut Out<'_, S>) -> (ConnId, Ends) {
        let id = ConnId(*out.next_id);
        *out.next_id = out.next_id.wrapping_add(1);
        out.counts.connections += 1;
        self.phase = Phase::Open { id, client };
        // A packet file does not say whose machine it is from: scripts over one cannot ask for the direction.
        let ends = Ends { direction: Direction::In, server: self.ends[1 - client], client: self.ends[client] };
        (id, ends)
    }

    /// Looks for a request that plainly begins with this segment.
    fn untold<S: Sink>(&mut self, half: usize, segment: &Segment<'_>, out: &mut Out<'_, S>) {
        if segment.rst {
            return self.end(out);
        }
        if segment.payload.is_empty() {
            return;
        }
        if self.turn.is_none() {
            out.counts.joined += 1;
        }
        if self.turn.replace(half) != Some(half) {
            // A turn begins: what it begins with decides. A repeated segment is no new turn's.
            self.skip_held(out);
        } else if self.held.back().is_none_or(|last| last.seq.wrapping_add(last.total_len) != segment.seq) {
            self.skip_held(out);
            out.counts.skipped_bytes += u64::from(segment.total_len);
            return;
        }
        self.hold(half, segment, segment.ack.unwrap_or_default());
        // Clients get their ports from the upper range.
        let begun: Vec<u8> = self.held.iter().flat_map(|held| &held.payload).copied().collect();
        match pickup::begins_request(&begun, segment.from.port() > segment.to.port()) {
            Begins::Yes => self.pick_up(half, out),
            Begins::No => self.skip_held(out),
            Begins::Unsure => {}
        }
    }

    /// Opens an untold connection with the turn that waits, which begins a request.
    fn pick_up<S: Sink>(&mut self, half: usize, out: &mut Out<'_, S>) {
        let Some((seq, ack, time_ns)) = self.held.front().map(|held| (held.seq, held.ack, held.time_ns)) else {
            return;
        };
        self.streams[half].starts_at(seq);
        self.streams[1 - half].starts_at(ack);
        let (id, ends) = self.open(half, out);
        out.sink.joined(id, ends, moment(time_ns));
        self.release(time_ns, out);
    }

    /// Leaves out what waits of an untold connection.
    fn skip_held<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        out.counts.skipped_bytes += self.held.drain(..).map(|held| u64::from(held.total_len)).sum::<u64>();
        self.held_len_bytes = 0;
    }

    fn hold(&mut self, half: usize, segment: &Segment<'_>, ack: u32) {
        self.held_len_bytes += segment.payload.len();
        self.held.push_back(Held::of(half, segment, ack));
    }

    /// Lets a segment wait where it acknowledges what has not come.
    fn order<S: Sink>(&mut self, half: usize, segment: &Segment<'_>, out: &mut Out<'_, S>) {
        match segment.ack {
            Some(ack) if self.must_wait(half, segment, ack) => {
                self.hold(half, segment, ack);
            }
            _ => self.apply(half, segment, out),
        }
        self.release(segment.time_ns, out);
    }

    fn must_wait(&mut self, half: usize, segment: &Segment<'_>, ack: u32) -> bool {
        if segment.payload.is_empty() && !segment.fin {
            return false;
        }
        match self.held.front() {
            // What is waited for goes first, whatever it acknowledges.
            Some(front) if front.half != half => !is_before(segment.seq, front.ack),
            Some(_) => true,
            None => self.is_ahead(half, ack),
        }
    }

    /// Whether an end acknowledges what has not come from the other.
    fn is_ahead(&mut self, half: usize, ack: u32) -> bool {
        let ack = self.data_ack(half, ack);
        self.streams[1 - half].is_behind(ack)
    }

    /// An acknowledgement without the other end's FIN, which is no byte of the stream.
    fn data_ack(&self, half: usize, ack: u32) -> u32 {
        let fin = ack.wrapping_sub(1);
        if self.fins[1 - half] == Some(fin) { fin } else { ack }
    }

    /// Takes what waits, as far as it need not wait any longer.
    fn release<S: Sink>(&mut self, now_ns: u64, out: &mut Out<'_, S>) {
        while let Some((half, ack, time_ns)) = self.held.front().map(|held| (held.half, held.ack, held.time_ns)) {
            if self.is_ahead(half, ack) {
                if now_ns.saturating_sub(time_ns) < REORDER_NS && self.held.len() <= MAX_HELD {
                    return;
                }
                let ack = self.data_ack(half, ack);
                self.reach(1 - half, ack, time_ns, out);
            }
            self.apply_first(out);
        }
    }

    fn apply_first<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if let Some(held) = self.held.pop_front() {
            self.held_len_bytes -= held.payload.len();
            self.apply(held.half, &held.segment(self.ends), out);
        }
    }

    fn apply<S: Sink>(&mut self, half: usize, segment: &Segment<'_>, out: &mut Out<'_, S>) {
        let Phase::Open { id, client } = self.phase else { return };
        let side = side(half, client);
        let seq = segment.seq.wrapping_add(u32::from(segment.syn));
        if segment.total_len > 0 {
            self.streams[half].add(seq, segment.payload, segment.total_len, &mut |piece| {
                out.sink.piece(id, side, piece, moment(segment.time_ns));
            });
        }
        if segment.fin {
            self.fins[half].get_or_insert(seq.wrapping_add(segment.total_len));
        }
        if segment.rst {
            self.is_reset = true;
            return self.end(out);
        }
        if let Some(fin) = self.fins[half]
            && !self.closed[half]
            && !self.streams[half].is_behind(fin)
        {
            self.close(half, segment.time_ns, out);
        }
        if self.closed == [true; 2] && self.held.is_empty() {
            self.end(out);
        }
    }

    /// Declares what has not come before a sequence number a hole.
    fn reach<S: Sink>(&mut self, half: usize, seq: u32, time_ns: u64, out: &mut Out<'_, S>) {
        let Phase::Open { id, client } = self.phase else { return };
        let side = side(half, client);
        self.streams[half].reaches(seq, &mut |piece: Piece| out.sink.piece(id, side, piece, moment(time_ns)));
    }

    fn close<S: Sink>(&mut self, half: usize, time_ns: u64, out: &mut Out<'_, S>) {
        let Phase::Open { id, client } = self.phase else { return };
        self.closed[half] = true;
        self.first_closed.get_or_insert(half);
        out.sink.closed(id, side(half, client), moment(time_ns));
    }

    /// Ends the connection: what waits has nothing more to wait for.
    pub fn end<S: Sink>(&mut self, out: &mut Out<'_, S>) {
        if self.phase == Phase::Untold {
            out.counts.untold += u64::from(self.turn.is_some());
            self.skip_held(out);
        }
        while let Some((half, ack, time_ns)) = self.held.front().map(|held| (held.half, held.ack, held.time_ns)) {
            let ack = self.data_ack(half, ack);
            self.reach(1 - half, ack, time_ns, out);
            self.apply_first(out);
        }
        let Phase::Open { id, client } = std::mem::replace(&mut self.phase, Phase::Over) else { return };
        let at = moment(self.last_ns);
        for half in [client, 1 - client] {
            let mut stream = std::mem::take(&mut self.streams[half]);
            let mut give = |piece| out.sink.piece(id, side(half, client), piece, at);
            stream.finish(&mut give);
            if let Some(fin) = self.fins[half] {
                stream.reaches(fin, &mut give);
            }
            out.counts.missing_bytes += stream.missing_bytes;
            if !self.closed[half] {
                out.sink.closed(id, side(half, client), at);
            }
        }
        let first = self.first_closed.map(|half| side(half, client));
        if self.is_reset || self.fins.iter().all(Option::is_some) {
            out.sink.ended(id, first, at);
        } else {
            out.sink.left(id, first, at);
        }
    }
}

fn side(half: usize, client: usize) -> Side {
    if half == client { Side::Request } else { Side::Response }
}

fn moment(time_ns: u64) -> Moment {
    Moment { time_ns, task: NOBODY }
}

/// Whether a sequence number comes before another (RFC 9293 section 3.4).
fn is_before(seq: u32, other: u32) -> bool {
    seq.wrapping_sub(other).cast_signed() < 0
}

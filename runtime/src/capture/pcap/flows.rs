//! The connections of a packet file, by their two ends, within limits of number, silence and memory.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::counts::Counts;
use super::flow::{Flow, Out};
use super::packet::{self, Carried, Segment};
use crate::capture::connections::{ConnId, Moment, NOBODY, Sink};
use crate::capture::datagrams::{self, Datagrams};

/// The most connections that are remembered, those that have ended lately among them.
pub const MAX_FLOWS: usize = 32_768;
/// A connection is given up after so long a silence, by the packets' time.
pub const IDLE_NS: u64 = 300 * 1_000_000_000;
/// The most bytes that all connections together keep: beyond it, the one that keeps most is given up.
pub const MAX_KEPT_LEN_BYTES: usize = 128 << 20;
/// How often silent connections are looked for, by the packets' time.
const SWEEP_NS: u64 = 30 * 1_000_000_000;

/// A sink that says what it keeps.
pub trait Keeps: Sink {
    /// How many bytes are kept of a connection.
    fn kept_len_bytes(&self, conn: ConnId) -> usize;
}

/// Both ends, the lesser first.
type Key = (SocketAddr, SocketAddr);

/// The connections of a packet file.
#[derive(Debug, Default)]
pub struct Flows {
    open: HashMap<Key, Flow>,
    next_id: u32,
    kept_len_bytes: usize,
    swept_ns: u64,
    datagrams: Datagrams,
    pub counts: Counts,
}

impl Flows {
    /// Takes what the next packet carries.
    pub fn carried<S: Keeps>(&mut self, carried: &Carried<'_>, sink: &mut S) {
        match carried {
            Carried::Segment(segment) => self.segment(segment, sink),
            Carried::Datagram(datagram) => self.datagram(datagram, sink),
        }
    }

    fn datagram<S: Keeps>(&mut self, datagram: &packet::Datagram<'_>, sink: &mut S) {
        let packet::Datagram { from, to, time_ns, payload } = *datagram;
        let moment = Moment { time_ns, task: NOBODY };
        let datagram = datagrams::Datagram { socket: None, from, to, moment, bytes: payload.to_vec() };
        self.datagrams.add(&datagram, &mut self.next_id, sink);
        self.counts.udp = self.datagrams.unclaimed;
    }

    /// Takes the next segment.
    pub fn segment<S: Keeps>(&mut self, segment: &Segment<'_>, sink: &mut S) {
        self.sweep(segment.time_ns, sink);
        let key = (segment.from.min(segment.to), segment.from.max(segment.to));
        let is_anew = segment.syn && self.open.get(&key).is_some_and(|flow| !flow.has_syn(segment));
        if is_anew {
            self.remove(&key, sink);
        }
        // A bare acknowledgement of a connection that is not known tells nothing.
        if !self.open.contains_key(&key) && !segment.syn && segment.payload.is_empty() {
            return;
        }
        let Flows { open, counts, next_id, .. } = self;
        let flow = open.entry(key).or_insert_with(|| Flow::new(segment));
        flow.segment(segment, &mut Out { sink, counts, next_id });
        let kept = flow.waiting_len_bytes() + flow.id().map_or(0, |id| sink.kept_len_bytes(id));
        self.kept_len_bytes = self.kept_len_bytes + kept - std::mem::replace(&mut flow.kept_len_bytes, kept);
        self.thin(sink);
    }

    /// Ends every connection, in the order in which they were opened.
    pub fn finish<S: Keeps>(&mut self, sink: &mut S) {
        let mut open: Vec<Flow> = self.open.drain().map(|(_, flow)| flow).collect();
        open.sort_by_key(Flow::id);
        for mut flow in open {
            flow.end(&mut Out { sink, counts: &mut self.counts, next_id: &mut self.next_id });
        }
        self.datagrams.finish(Moment { time_ns: 0, task: NOBODY }, sink);
    }

    fn remove<S: Keeps>(&mut self, key: &Key, sink: &mut S) {
        if let Some(mut flow) = self.open.remove(key) {
            self.kept_len_bytes -= flow.kept_len_bytes;
            flow.end(&mut Out { sink, counts: &mut self.counts, next_id: &mut self.next_id });
        }
    }

    /// Gives up what has been silent for long.
    fn sweep<S: Keeps>(&mut self, now_ns: u64, sink: &mut S) {
        if now_ns < self.swept_ns.saturating_add(SWEEP_NS) {
            return;
        }
        self.swept_ns = now_ns;
        let silent = |flow: &Flow| flow.last_ns.saturating_add(IDLE_NS) < now_ns;
        for key in self.oldest(silent) {
            self.counts.idle += u64::from(self.open.get(&key).is_some_and(|flow| flow.id().is_some()));
            self.remove(&key, sink);
        }
    }

    /// Gives up connections while there are too many, or they keep too much.
    fn thin<S: Keeps>(&mut self, sink: &mut S) {
        if self.open.len() > MAX_FLOWS {
            let keys = self.oldest(|_| true);
            for key in keys.into_iter().take(MAX_FLOWS / 8) {
                self.give_up(&key, sink);
            }
        }
        while self.kept_len_bytes > MAX_KEPT_LEN_BYTES {
            let Some((&key, _)) = self.open.iter().max_by_key(|(_, flow)| flow.kept_len_bytes) else { return };
            self.give_up(&key, sink);
        }
    }

    fn give_up<S: Keeps>(&mut self, key: &Key, sink: &mut S) {
        self.counts.crowded += u64::from(self.open.get(key).is_some_and(|flow| !flow.is_over()));
        self.remove(key, sink);
    }

    /// The connections for which something holds, longest silent first.
    fn oldest(&self, holds: impl Fn(&Flow) -> bool) -> Vec<Key> {
        let mut found: Vec<(u64, Key)> =
            self.open.iter().filter(|(_, flow)| holds(flow)).map(|(key, flow)| (flow.last_ns, *key)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, key)| key).collect()
    }
}

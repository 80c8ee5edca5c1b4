//! Connections that were open before a live capture began: where each can be listened to.
//!
//! The kernel's table of sockets tells their ends and who listens, so who is the client; the first turn that plainly begins a
//! request tells where to begin ([`super::pickup`]). What comes before is left out and counted.

use std::collections::{HashMap, HashSet};

use reel_lang::schema::Direction;
use reel_probes::event::{Cookie, Data, Flow};
use reel_probes::sockets::Socket;

use super::connections::{Ends, Moment};
use super::pickup::{Begins, begins_request};

/// What is known of connections that were open before.
#[derive(Debug, Default)]
pub struct Joining {
    sockets: HashMap<Cookie, Known>,
    /// The turn that each is in, where it was seen to move bytes.
    turns: HashMap<Cookie, Turn>,
    pub counts: Joined,
}

/// How many connections were open before and have moved bytes since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Joined {
    pub connections: u64,
    pub picked_up: u64,
    pub skipped_bytes: u64,
}

#[derive(Debug)]
struct Known {
    ends: Ends,
    /// The way that its requests go.
    requests: Flow,
}

#[derive(Debug)]
struct Turn {
    flow: Flow,
    runs: Vec<Run>,
}

/// Bytes that were moved at once.
#[derive(Debug)]
pub struct Run {
    pub seq: u32,
    pub bytes: Vec<u8>,
    pub total_len: u32,
    pub moment: Moment,
}

/// A connection with the turn that begins with a request.
#[derive(Debug)]
pub struct PickedUp {
    pub ends: Ends,
    pub flow: Flow,
    pub runs: Vec<Run>,
}

impl Joining {
    /// Takes the sockets that there are.
    pub fn new(sockets: &[Socket]) -> Joining {
        let listens: HashSet<u16> = sockets.iter().filter(|one| one.is_listening).map(|one| one.local.port()).collect();
        let known = |socket: &Socket| {
            let Socket { cookie, local, remote, .. } = *socket;
            let known = if listens.contains(&local.port()) {
                let ends = Ends { direction: Direction::In, server: local, client: remote };
                Known { ends, requests: Flow::Received }
            } else {
                let ends = Ends { direction: Direction::Out, server: remote, client: local };
                Known { ends, requests: Flow::Sent }
            };
            (cookie, known)
        };
        let open = sockets.iter().filter(|socket| !socket.is_listening && socket.remote.port() != 0);
        Joining { sockets: open.map(known).collect(), ..Joining::default() }
    }

    /// Whether a connection was open before.
    pub fn knows(&self, cookie: Cookie) -> bool {
        self.sockets.contains_key(&cookie)
    }

    /// Takes bytes of a connection that was open before: gives the turn, once it plainly begins with a request.
    pub fn data(&mut self, data: &Data<'_>) -> Option<PickedUp> {
        let known = self.sockets.get(&data.cookie)?;
        let (ends, requests) = (known.ends, known.requests);
        let is_turn = self.turns.get(&data.cookie).is_none_or(|turn| turn.flow != data.flow);
        let turn = self.turns.entry(data.cookie).or_insert_with(|| {
            self.counts.connections += 1;
            Turn { flow: data.flow, runs: Vec::new() }
        });
        let follows = turn.runs.last().is_some_and(|last| last.seq.wrapping_add(last.total_len) == data.seq);
        turn.flow = data.flow;
        if is_turn || !follows {
            self.counts.skipped_bytes += turn.runs.drain(..).map(|run| u64::from(run.total_len)).sum::<u64>();
        }
        if data.flow != requests || !(is_turn || follows) {
            self.counts.skipped_bytes += u64::from(data.total_len);
            return None;
        }
        let moment = Moment { time_ns: data.time_ns, task: data.task };
        turn.runs.push(Run { seq: data.seq, bytes: data.bytes.to_vec(), total_len: data.total_len, moment });
        let begun: Vec<u8> = turn.runs.iter().flat_map(|run| &run.bytes).copied().collect();
        match begins_request(&begun, true) {
            Begins::Unsure => None,
            Begins::No => {
                self.counts.skipped_bytes += turn.runs.drain(..).map(|run| u64::from(run.total_len)).sum::<u64>();
                None
            }
            Begins::Yes => {
                self.counts.picked_up += 1;
                self.sockets.remove(&data.cookie);
                let turn = self.turns.remove(&data.cookie)?;
                Some(PickedUp { ends, flow: turn.flow, runs: turn.runs })
            }
        }
    }

    /// Forgets a connection that has closed.
    pub fn closed(&mut self, cookie: Cookie) {
        self.sockets.remove(&cookie);
        if let Some(turn) = self.turns.remove(&cookie) {
            self.counts.skipped_bytes += turn.runs.iter().map(|run| u64::from(run.total_len)).sum::<u64>();
        }
    }
}

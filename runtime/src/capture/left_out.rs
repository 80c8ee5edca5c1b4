//! Connections whose bytes the capture program left out, since no clause can want them.
//!
//! The program tells that they were opened and have closed, so that they can be counted. What an app still reads of one that was reset
//! comes up after all, since the program has forgotten it by then; it is left out here. Of connections that were open before it is told
//! once they are used: its memory is for some thousands, and most of a machine's sockets are idle or nobody's.

use std::collections::{HashMap, HashSet, VecDeque};

use reel_probes::event::{Cookie, StateChange, TcpState};

/// The most connections that are remembered after they have closed.
const MAX_CLOSED: usize = 65_536;

/// How much the program left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    pub connections: u64,
    /// What those that were opened and have closed since had moved, by the kernel's own counters.
    pub bytes: u64,
}

impl LeftOut {
    /// A sentence for people, where there is anything to tell: what could not want them is a `clause`.
    pub fn told(self, clause: &str) -> Option<String> {
        let LeftOut { connections, bytes } = self;
        let noun = if connections == 1 { "connection" } else { "connections" };
        (connections > 0).then(|| {
            format!(
                "{connections} {noun} that no {clause} can want stayed in the kernel, with {bytes} bytes when closed"
            )
        })
    }
}

/// The connections that were left out.
#[derive(Debug, Default)]
pub struct Unwanted {
    /// Whether each has closed.
    known: HashMap<Cookie, bool>,
    closed: VecDeque<Cookie>,
    /// Those that were open before the capture: the program learns of one once it is used.
    open_before: HashSet<Cookie>,
    to_tell: Vec<Cookie>,
    pub counts: LeftOut,
}

impl Unwanted {
    /// Nobody wants these, which are open already.
    pub fn open_before(sockets: HashSet<Cookie>) -> Unwanted {
        Unwanted { open_before: sockets, ..Unwanted::default() }
    }

    /// The connections of which the program does not know yet that they are left out.
    pub fn to_tell(&mut self) -> Vec<Cookie> {
        std::mem::take(&mut self.to_tell)
    }

    /// Takes what the program tells of one.
    pub fn change(&mut self, change: &StateChange) {
        match change.new {
            TcpState::Established => {
                self.counts.connections += 1;
                self.known.insert(change.cookie, false);
            }
            TcpState::Close => {
                let Some(is_closed) = self.known.get_mut(&change.cookie).filter(|is_closed| !**is_closed) else {
                    return;
                };
                *is_closed = true;
                self.counts.bytes += change.received_bytes + change.sent_bytes;
                self.closed.push_back(change.cookie);
                if self.closed.len() > MAX_CLOSED
                    && let Some(oldest) = self.closed.pop_front()
                {
                    self.forget(oldest);
                }
            }
            _ => {}
        }
    }

    /// Takes that bytes of a socket came up, and says whether they are nobody's.
    pub fn moves(&mut self, cookie: Cookie) -> bool {
        if self.open_before.remove(&cookie) {
            self.counts.connections += 1;
            // What it moves in all its life is not told at its end.
            self.known.insert(cookie, true);
            self.to_tell.push(cookie);
        }
        self.known.contains_key(&cookie)
    }

    /// The name belongs to another connection from now on: one way of reading takes a socket's address for it.
    pub fn forget(&mut self, cookie: Cookie) {
        self.known.remove(&cookie);
    }
}

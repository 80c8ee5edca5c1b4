//! From captured bytes to exchanges: one conversation a connection, and what must be known of each exchange to record it.
//!
//! Exchanges are kept until the recording ends, because whose request a call belongs to is only certain when everything is known
//! (`attribution`). Bytes that no decoder understood, holes, and connections whose first bytes are TLS are counted: each makes
//! the recording incomplete, by name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use reel_lang::schema::{Direction, Side};
use reel_protocols::conversation::{Config, Conversation, Counters, Exchange};

use crate::capture::connections::{ConnId, Ends, Moment, Sink};
use crate::capture::stream::Piece;

/// An exchange with where it happened.
#[derive(Debug)]
pub struct Captured {
    pub conn: ConnId,
    pub ends: Ends,
    pub exchange: Exchange<Moment>,
    /// Whether the server closed the connection after this exchange, or instead of its response.
    pub closed_by_server: bool,
}

/// A call to a dependency that did not answer the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub ends: Ends,
    pub moment: Moment,
}

/// Everything that a capture has told.
#[derive(Debug, Default)]
pub struct Collected {
    /// In the order in which their first bytes were seen.
    pub exchanges: Vec<Captured>,
    pub refusals: Vec<Refusal>,
    /// Where the app listened.
    pub listening: Vec<SocketAddr>,
    pub counters: Counters,
    /// Servers of connections that speak TLS.
    pub encrypted: Vec<SocketAddr>,
}

/// Collects the exchanges of a capture.
pub struct Collector {
    config: Arc<Config>,
    open: BTreeMap<ConnId, Live>,
    collected: Collected,
}

struct Live {
    ends: Ends,
    conversation: Conversation<Moment>,
    /// Whether the first bytes of the request side were looked at.
    is_examined: bool,
    exchanges: Vec<Exchange<Moment>>,
}

impl Collector {
    /// Starts with no connection.
    pub fn new(config: Arc<Config>) -> Self {
        Collector { config, open: BTreeMap::new(), collected: Collected::default() }
    }

    /// The first address on which the app listens.
    pub fn first_listener(&self) -> Option<SocketAddr> {
        self.collected.listening.first().copied()
    }

    /// How many exchanges are complete, for progress.
    pub fn exchange_count(&self) -> usize {
        self.collected.exchanges.len() + self.open.values().map(|live| live.exchanges.len()).sum::<usize>()
    }

    /// Bytes so far that no decoder understood, of connections that have ended.
    pub fn undecoded_bytes(&self) -> u64 {
        self.collected.counters.undecoded_bytes
    }

    /// How many connections speak TLS.
    pub fn encrypted_count(&self) -> u64 {
        self.collected.encrypted.len() as u64
    }

    /// Gives out everything, in order. Connections must have ended (`Connections::finish`).
    pub fn finish(mut self) -> Collected {
        self.collected.exchanges.sort_by_key(|captured| began_ns(&captured.exchange));
        self.collected
    }

    fn drain(live: &mut Live) {
        while let Some(exchange) = live.conversation.next_exchange() {
            live.exchanges.push(exchange);
        }
    }
}

/// When the first byte of an exchange was seen.
pub fn began_ns(exchange: &Exchange<Moment>) -> u64 {
    let first = exchange.request.as_ref().or(exchange.interim.first()).or(exchange.response.as_ref());
    first.map_or(0, |message| message.first_ns)
}

/// Whether bytes begin a TLS connection: a handshake record (RFC 8446 section 5.1) that holds a ClientHello.
fn begins_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x16, 0x03, 0..=4, _, _, 0x01, ..])
}

impl Sink for Collector {
    fn listening(&mut self, local: SocketAddr, _: Moment) {
        self.collected.listening.push(local);
    }

    fn opened(&mut self, conn: ConnId, ends: Ends, _: Moment) {
        let conversation = Conversation::new(Arc::clone(&self.config));
        self.open.insert(conn, Live { ends, conversation, is_examined: false, exchanges: Vec::new() });
    }

    fn piece(&mut self, conn: ConnId, side: Side, piece: Piece, moment: Moment) {
        let Some(live) = self.open.get_mut(&conn) else { return };
        match piece {
            Piece::Bytes(bytes) => {
                if side == Side::Request && !std::mem::replace(&mut live.is_examined, true) && begins_tls(&bytes) {
                    self.collected.encrypted.push(live.ends.server);
                }
                live.conversation.bytes(side, moment.time_ns, &bytes, moment);
            }
            Piece::Hole(len) => live.conversation.hole(side, len),
        }
        Collector::drain(live);
    }

    fn closed(&mut self, conn: ConnId, side: Side, _: Moment) {
        if let Some(live) = self.open.get_mut(&conn) {
            live.conversation.closed(side);
            Collector::drain(live);
        }
    }

    fn ended(&mut self, conn: ConnId, first: Option<Side>, _: Moment) {
        let Some(mut live) = self.open.remove(&conn) else { return };
        live.conversation.finish();
        Collector::drain(&mut live);
        self.collected.counters.add(live.conversation.counters());
        let last = live.exchanges.len();
        for (i, exchange) in live.exchanges.into_iter().enumerate() {
            let closed_by_server = i + 1 == last && first == Some(Side::Response);
            self.collected.exchanges.push(Captured { conn, ends: live.ends, exchange, closed_by_server });
        }
    }

    fn refused(&mut self, ends: Ends, moment: Moment) {
        if ends.direction == Direction::Out {
            self.collected.refusals.push(Refusal { ends, moment });
        }
    }
}

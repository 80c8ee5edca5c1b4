//! The conversations of all open connections: pieces of streams in, exchanges out.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use reel_lang::schema::Side;
use reel_protocols::conversation::{Breach, Config, Conversation, Counters, Exchange};
use reel_protocols::{Demand, Protocol};

use super::connections::{ConnId, Ends, Moment};
use super::stream::Piece;

/// An exchange, and whose it is.
#[derive(Debug)]
pub struct Heard {
    pub conn: ConnId,
    pub ends: Ends,
    pub exchange: Exchange<Moment>,
}

/// Every open connection, decoded.
pub struct Conversations {
    config: Arc<Config>,
    open: BTreeMap<ConnId, Live>,
    heard: VecDeque<Heard>,
    breaches: VecDeque<(ConnId, Breach<Moment>)>,
    counters: Counters,
    /// Servers of connections that speak TLS.
    encrypted: Vec<SocketAddr>,
}

struct Live {
    ends: Ends,
    /// Made when the first byte comes: of many connections nothing else is ever seen.
    conversation: Option<Box<Conversation<Moment>>>,
    /// Whether the first bytes of the request side were looked at; those after a request for TLS count as first.
    is_examined: bool,
}

impl Conversations {
    /// Starts with no connection.
    pub fn new(config: Arc<Config>) -> Self {
        Conversations {
            config,
            open: BTreeMap::new(),
            heard: VecDeque::new(),
            breaches: VecDeque::new(),
            counters: Counters::default(),
            encrypted: Vec::new(),
        }
    }

    /// A connection is open.
    pub fn opened(&mut self, conn: ConnId, ends: Ends) {
        self.open.insert(conn, Live { ends, conversation: None, is_examined: false });
    }

    /// The next piece of one side.
    pub fn piece(&mut self, conn: ConnId, side: Side, piece: Piece, moment: Moment) {
        let Some(live) = self.open.get_mut(&conn) else { return };
        match piece {
            Piece::Bytes(bytes) => {
                if side == Side::Request && !live.is_examined {
                    live.is_examined = !asks_for_encryption(&bytes);
                    if begins_tls(&bytes) {
                        self.encrypted.push(live.ends.server);
                    }
                }
                live.conversation(&self.config).bytes(side, moment.time_ns, &bytes, moment);
            }
            Piece::Hole(len) => live.conversation(&self.config).hole(side, len),
            Piece::Datagram(bytes) => {
                if let Some(conversation) = live.of_datagrams(&self.config, &bytes) {
                    conversation.datagram(side, moment.time_ns, &bytes, moment);
                }
            }
        }
        self.drain(conn);
    }

    /// A side sends nothing more.
    pub fn closed(&mut self, conn: ConnId, side: Side) {
        if let Some(live) = self.open.get_mut(&conn) {
            live.conversation(&self.config).closed(side);
            self.drain(conn);
        }
    }

    /// A connection is over.
    pub fn ended(&mut self, conn: ConnId) {
        if let Some(conversation) = self.open.get_mut(&conn).and_then(|live| live.conversation.as_mut()) {
            conversation.finish();
            self.drain(conn);
        }
        if let Some(conversation) = self.open.remove(&conn).and_then(|live| live.conversation) {
            self.counters.add(conversation.counters());
        }
    }

    /// How many bytes a connection keeps: of messages that are not whole, and of requests that wait for a response.
    pub fn kept_len_bytes(&self, conn: ConnId) -> usize {
        self.open.get(&conn).and_then(|live| live.conversation.as_ref()).map_or(0, |one| one.kept_len_bytes())
    }

    /// The next exchange that is complete.
    pub fn next_heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    /// The next place where a protocol was broken, where [`Config::tells_breaches`] asks for it.
    pub fn next_breach(&mut self) -> Option<(ConnId, Breach<Moment>)> {
        self.breaches.pop_front()
    }

    /// What connections that have ended have seen and lost.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Servers of connections that speak TLS.
    pub fn encrypted(&self) -> &[SocketAddr] {
        &self.encrypted
    }

    fn drain(&mut self, conn: ConnId) {
        let Some(live) = self.open.get_mut(&conn) else { return };
        let (ends, Some(conversation)) = (live.ends, &mut live.conversation) else { return };
        while let Some(exchange) = conversation.next_exchange() {
            self.heard.push_back(Heard { conn, ends, exchange });
        }
        while let Some(breach) = conversation.next_breach() {
            self.breaches.push_back((conn, breach));
        }
    }
}

impl Live {
    /// The conversation of which a datagram is part, or begins.
    fn of_datagrams(&mut self, config: &Arc<Config>, first: &[u8]) -> Option<&mut Conversation<Moment>> {
        if self.conversation.is_none() {
            // What no protocol claims came to a port that is one's own: it breaks that protocol.
            let claims = |(protocol, _): &&(&dyn Protocol, Demand)| protocol.infer_datagram(first).is_some();
            let has_any = |(protocol, _): &&(&dyn Protocol, Demand)| protocol.datagram_codec().is_some();
            let found = config.protocols.iter().find(claims).or_else(|| config.protocols.iter().find(has_any));
            let (protocol, demand) = found?;
            self.conversation = Conversation::of_datagrams(*protocol, *demand, Arc::clone(config)).map(Box::new);
        }
        self.conversation.as_deref_mut()
    }

    fn conversation(&mut self, config: &Arc<Config>) -> &mut Conversation<Moment> {
        self.conversation.get_or_insert_with(|| Box::new(Conversation::new(Arc::clone(config))))
    }
}

/// Whether bytes are PostgreSQL's SSLRequest or GSSENCRequest (section 55.7): TLS follows where the server agrees.
fn asks_for_encryption(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f | 0x30])
}

/// Whether bytes begin a TLS connection: a handshake record (RFC 8446 section 5.1) that holds a ClientHello.
fn begins_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x16, 0x03, 0..=4, _, _, 0x01, ..])
}

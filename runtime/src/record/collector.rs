//! What a capture has told, kept until the recording ends: only then is it certain whose request a call belongs to.
//!
//! Bytes that no decoder understood, holes, and connections whose first bytes are TLS are counted: each makes the recording
//! incomplete, by name. What is kept has a limit (`--memory-mib`), at which the recording ends.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use reel_lang::schema::{Direction, Side};
use reel_protocols::conversation::{Config, Exchange};

use crate::capture::connections::{ConnId, Ends, Moment, Sink};
use crate::capture::conversations::{Conversations, Heard};
use crate::capture::stream::Piece;
use crate::recording::message_len_bytes;

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
    /// Servers of connections that speak TLS.
    pub encrypted: Vec<SocketAddr>,
    /// Whether the app made calls on connections that no rule can want.
    pub has_unseen_calls: bool,
}

/// Collects the exchanges of a capture.
pub struct Collector {
    conversations: Conversations,
    collected: Collected,
    len_bytes: usize,
    /// When the app was told to end.
    over_ns: Option<u64>,
    /// Connections that were open then: that the app closed them says nothing of its answers.
    cut: HashSet<ConnId>,
    /// Connections whose bytes no rule can want.
    left_out: Vec<Ends>,
}

impl Collector {
    /// Starts with no connection.
    pub fn new(config: Arc<Config>) -> Self {
        Collector {
            conversations: Conversations::new(config),
            collected: Collected::default(),
            len_bytes: 0,
            over_ns: None,
            cut: HashSet::new(),
            left_out: Vec::new(),
        }
    }

    /// The app is told to end now: requests that are open stay so in the recording.
    pub fn over(&mut self, now_ns: u64) {
        self.over_ns = Some(now_ns);
    }

    /// The first address on which the app listens.
    pub fn first_listener(&self) -> Option<SocketAddr> {
        self.collected.listening.first().copied()
    }

    /// How many exchanges are complete, for progress.
    pub fn exchange_count(&self) -> usize {
        self.collected.exchanges.len()
    }

    /// What the exchanges so far take in memory. They stay there until the end: only then is it known whose each is, and until its
    /// secrets are taken out nothing of it may reach the disk.
    pub fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Bytes so far that no decoder understood, of connections that have ended.
    pub fn undecoded_bytes(&self) -> u64 {
        self.conversations.counters().undecoded_bytes
    }

    /// How many connections speak TLS.
    pub fn encrypted_count(&self) -> u64 {
        self.conversations.encrypted().len() as u64
    }

    /// Gives out everything, in order. Connections must have ended (`Connections::finish`).
    pub fn finish(mut self) -> Collected {
        drop_own(&mut self.collected.exchanges, &self.left_out);
        self.collected.has_unseen_calls = self.left_out.iter().any(|ends| ends.direction == Direction::Out);
        self.collected.exchanges.sort_by_key(|captured| began_ns(&captured.exchange));
        self.collected.encrypted = self.conversations.encrypted().to_vec();
        self.collected
    }

    fn keep(&mut self) {
        while let Some(Heard { conn, ends, exchange }) = self.conversations.next_heard() {
            // An answer that came twice, or after its time, is nothing that the app asked for once more.
            if exchange.protocol.datagram_codec().is_some() && exchange.request.is_none() && exchange.response.is_some()
            {
                continue;
            }
            let messages = exchange.request.iter().chain(&exchange.interim).chain(&exchange.response);
            self.len_bytes +=
                size_of::<Captured>() + messages.map(|timed| message_len_bytes(&timed.message)).sum::<usize>();
            self.collected.exchanges.push(Captured { conn, ends, exchange, closed_by_server: false });
        }
    }
}

/// Drops what an app says to itself: a connection of which it holds both ends, wanted or not. In a replay it does so again, by itself.
fn drop_own(exchanges: &mut Vec<Captured>, left_out: &[Ends]) {
    let ends = |direction| {
        let all = exchanges.iter().map(|captured| &captured.ends).chain(left_out);
        all.filter(move |ends| ends.direction == direction)
            .map(|ends| (ends.client, ends.server))
            .collect::<HashSet<_>>()
    };
    let own: HashSet<_> = ends(Direction::In).intersection(&ends(Direction::Out)).copied().collect();
    exchanges.retain(|captured| !own.contains(&(captured.ends.client, captured.ends.server)));
}

/// When the first byte of an exchange was seen.
pub fn began_ns(exchange: &Exchange<Moment>) -> u64 {
    let first = exchange.request.as_ref().or(exchange.interim.first()).or(exchange.response.as_ref());
    first.map_or(0, |message| message.first_ns)
}

impl Sink for Collector {
    fn listening(&mut self, local: SocketAddr, _: Moment) {
        self.collected.listening.push(local);
    }

    fn opened(&mut self, conn: ConnId, ends: Ends, _: Moment) {
        self.conversations.opened(conn, ends);
    }

    fn piece(&mut self, conn: ConnId, side: Side, piece: Piece, moment: Moment) {
        self.conversations.piece(conn, side, piece, moment);
        self.keep();
    }

    fn closed(&mut self, conn: ConnId, side: Side, moment: Moment) {
        if side == Side::Response && self.over_ns.is_some_and(|over_ns| moment.time_ns >= over_ns) {
            self.cut.insert(conn);
        }
        self.conversations.closed(conn, side);
        self.keep();
    }

    fn ended(&mut self, conn: ConnId, first: Option<Side>, _: Moment) {
        self.conversations.ended(conn);
        self.keep();
        let last = self.collected.exchanges.iter_mut().rev().find(|captured| captured.conn == conn);
        if let Some(last) = last {
            let is_cut = self.cut.remove(&conn) && last.ends.direction == Direction::In;
            last.closed_by_server = first == Some(Side::Response) && !is_cut;
        }
    }

    fn refused(&mut self, ends: Ends, moment: Moment) {
        if ends.direction == Direction::Out {
            self.collected.refusals.push(Refusal { ends, moment });
        }
    }

    fn left_out(&mut self, ends: Ends) {
        self.len_bytes += size_of::<Ends>();
        self.left_out.push(ends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_protocols::Protocol;
    use reel_protocols::opaque::Tcp;

    fn captured(conn: u32, direction: Direction, client_port: u16, server_port: u16) -> Captured {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let exchange = Exchange {
            protocol: &Tcp as &dyn Protocol,
            request: None,
            interim: Vec::new(),
            response: None,
            fault: None,
        };
        let ends = Ends { direction, server: at(server_port), client: at(client_port) };
        Captured { conn: ConnId(conn), ends, exchange, closed_by_server: false }
    }

    #[test]
    fn an_app_that_is_told_to_end_closes_nothing_by_itself() {
        let at = |time_ns| Moment { time_ns, task: crate::capture::connections::NOBODY };
        // When the server's side was closed, and whether the exchange tells of it; the app was told to end at 100.
        for (direction, closed_ns, expect) in
            [(Direction::In, 99, true), (Direction::In, 100, false), (Direction::Out, 100, true)]
        {
            let mut collector = Collector::new(Arc::default());
            collector.collected.exchanges.push(captured(0, direction, 40_000, 8080));
            collector.over(100);
            collector.closed(ConnId(0), Side::Response, at(closed_ns));
            collector.ended(ConnId(0), Some(Side::Response), at(200));
            assert_eq!(collector.collected.exchanges[0].closed_by_server, expect, "{direction:?} {closed_ns}");
        }
    }

    #[test]
    fn what_an_app_says_to_itself_is_neither_test_nor_call() {
        let mut exchanges = vec![
            captured(0, Direction::In, 40_000, 8080),
            captured(1, Direction::Out, 40_001, 8080),
            captured(2, Direction::In, 40_001, 8080),
            captured(3, Direction::Out, 40_002, 6379),
        ];
        let left_out = captured(4, Direction::Out, 40_003, 8080).ends;
        exchanges.push(captured(5, Direction::In, 40_003, 8080));
        drop_own(&mut exchanges, &[left_out]);
        assert_eq!(exchanges.iter().map(|captured| captured.conn.0).collect::<Vec<_>>(), [0, 3]);
    }
}

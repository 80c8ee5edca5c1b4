//! The exchanges of a packet file, as they become complete.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reel_lang::schema::Side;
use reel_protocols::conversation::Config;

use super::{Past, Told};
use crate::capture::connections::{ConnId, Ends, Moment, Sink};
use crate::capture::conversations::Conversations;
use crate::capture::pcap::file::Packets;
use crate::capture::pcap::flows::{Flows, Keeps};
use crate::capture::pcap::packet;
use crate::capture::stream::Piece;
use crate::engine::clock::{Clock, Zero};
use crate::exit::{Exit, Failure};

/// A packet file that is told from its start to its end.
pub struct Captured {
    path: PathBuf,
    packets: Packets,
    flows: Flows,
    listener: Listener,
    start_ns: Option<u64>,
    now_ns: u64,
    is_over: bool,
    failure: Option<Failure>,
}

impl Captured {
    /// Opens a packet file, whose conversations are decoded as `config` says.
    ///
    /// # Errors
    /// It cannot be read, or is no packet file.
    pub fn open(path: &Path, config: Arc<Config>) -> Result<Captured, Failure> {
        let listener = Listener { conversations: Conversations::new(config) };
        let mut captured = Captured {
            path: path.to_owned(),
            packets: Packets::open(path)?,
            flows: Flows::default(),
            listener,
            start_ns: None,
            now_ns: 0,
            is_over: false,
            failure: None,
        };
        // The first packet tells when time begins.
        captured.advance()?;
        Ok(captured)
    }

    /// Takes the next packet; false at the end.
    fn advance(&mut self) -> Result<bool, Failure> {
        let Captured { packets, flows, listener, now_ns, start_ns, .. } = self;
        let taken = packets.next(|packet| {
            start_ns.get_or_insert(packet.time_ns);
            *now_ns = packet.time_ns;
            if let Some(carried) = packet::carried(packet, &mut flows.counts) {
                flows.carried(&carried, listener);
            }
        })?;
        Ok(taken.is_some())
    }

    /// A file of which nothing could be read is a wrong file.
    fn check(&self) -> Result<(), Failure> {
        let counts = &self.flows.counts;
        let wrong = |what: String| Err(Failure::new(Exit::Usage, format!("{}: {what}", self.path.display())));
        match (counts.packets, counts.first_other_link) {
            (0, _) => wrong("the file holds no packet".to_owned()),
            (packets, Some(link)) if packets == counts.other_link => {
                wrong(format!("the packets are of link type {link}, which is not read"))
                    .map_err(|failure| failure.remedy("capture on an Ethernet, loopback, raw IP or `any` interface"))
            }
            _ => Ok(()),
        }
    }
}

impl Past for Captured {
    fn clock(&self) -> Clock {
        Clock::past(Zero::Epoch, self.start_ns.unwrap_or(0))
    }

    fn step(&mut self, told: &mut VecDeque<Told>) -> Result<Option<u64>, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.is_over {
            return Ok(None);
        }
        let now_ns = self.now_ns;
        self.listener.tell(told);
        let outcome = self.advance();
        if !matches!(outcome, Ok(true)) {
            // What a damaged file holds before the damage is told first.
            self.is_over = true;
            self.flows.finish(&mut self.listener);
            self.listener.tell(told);
            self.failure = outcome.and_then(|_| self.check()).err();
        }
        Ok(Some(now_ns))
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.flows.counts.notes();
        let decoded = self.listener.conversations.counters();
        if decoded.malformed > 0 {
            notes.push(match decoded.malformed {
                1 => "1 conversation broke its protocol, and was left there".to_owned(),
                count => format!("{count} conversations broke their protocol, and were left there"),
            });
        }
        if decoded.undecoded_bytes > 0 {
            notes.push(format!("{} bytes are in no message", decoded.undecoded_bytes));
        }
        let encrypted = self.listener.conversations.encrypted().len();
        if encrypted > 0 {
            notes.push(format!("{encrypted} connections speak TLS, which is not seen into"));
        }
        notes.into_iter().map(|note| format!("{}: {note}", self.path.display())).collect()
    }
}

/// What is known of the conversations.
struct Listener {
    conversations: Conversations,
}

impl Listener {
    fn tell(&mut self, told: &mut VecDeque<Told>) {
        while let Some(heard) = self.conversations.next_heard() {
            told.push_back(Told { heard, comm: String::new() });
        }
    }
}

impl Keeps for Listener {
    fn kept_len_bytes(&self, conn: ConnId) -> usize {
        self.conversations.kept_len_bytes(conn)
    }
}

impl Sink for Listener {
    fn listening(&mut self, _: SocketAddr, _: Moment) {}

    fn opened(&mut self, conn: ConnId, ends: Ends, _: Moment) {
        self.conversations.opened(conn, ends);
    }

    fn piece(&mut self, conn: ConnId, side: Side, piece: Piece, moment: Moment) {
        self.conversations.piece(conn, side, piece, moment);
    }

    fn closed(&mut self, conn: ConnId, side: Side, _: Moment) {
        self.conversations.closed(conn, side);
    }

    fn ended(&mut self, conn: ConnId, _: Option<Side>, _: Moment) {
        self.conversations.ended(conn);
    }

    fn refused(&mut self, _: Ends, _: Moment) {}
}

//! What is known of the connections of a source while it is listened to: their ends, their bytes, their conversations.
//!
//! Every source gives the same calls, in the order of what happened; what comes out are occurrences, in that order too. Only what a
//! clause asks for is made.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_probes::event::Task;

use super::hosts::{self, Host};
use super::messages::Wants;
use super::occurrence::{Occurrence, SoFar, What};
use crate::capture::connections::{ConnId, Ends, Moment, NOBODY, Sink};
use crate::capture::conversations::{Conversations, Heard};
use crate::capture::pcap::flows::Keeps;
use crate::capture::stream::Piece;

/// Every open connection, and what happened.
pub struct Listener {
    wants: Wants,
    conversations: Conversations,
    open: HashMap<ConnId, Open>,
    told: VecDeque<Occurrence>,
    /// Whose connections are told of, where the source does not know; else none.
    hosts: Vec<Host>,
    /// Connections of none of them.
    foreign: u64,
}

/// What is remembered of a connection.
struct Open {
    ends: Ends,
    so_far: SoFar,
    /// The thread that last did something with it.
    task: Task,
}

impl Listener {
    /// Nothing is open yet.
    pub fn new(wants: Wants) -> Listener {
        let conversations = Conversations::new(wants.config.clone());
        let (open, told) = (HashMap::new(), VecDeque::new());
        Listener { wants, conversations, open, told, hosts: Vec::new(), foreign: 0 }
    }

    /// Tells of these hosts' connections alone, and of their direction.
    pub fn of_hosts(self, hosts: Vec<Host>) -> Listener {
        Listener { hosts, ..self }
    }

    /// The next thing that happened.
    pub fn next_occurrence(&mut self) -> Option<Occurrence> {
        self.told.pop_front()
    }

    /// What could not be decoded, a sentence each, for people.
    pub fn notes(&self) -> Vec<String> {
        let decoded = self.conversations.counters();
        let mut notes = Vec::new();
        if decoded.malformed > 0 {
            notes.push(match decoded.malformed {
                1 => "1 conversation broke its protocol, and was left there".to_owned(),
                count => format!("{count} conversations broke their protocol, and were left there"),
            });
        }
        if decoded.undecoded_bytes > 0 {
            notes.push(format!("{} bytes are in no message", decoded.undecoded_bytes));
        }
        match self.foreign {
            0 => {}
            1 => notes.push("1 connection is of no `--host`, and was left out".to_owned()),
            count => notes.push(format!("{count} connections are of no `--host`, and were left out")),
        }
        match self.conversations.encrypted().len() {
            0 => {}
            1 => notes.push("1 connection speaks TLS, which is not seen into".to_owned()),
            count => notes.push(format!("{count} connections speak TLS, which is not seen into")),
        }
        notes
    }

    fn begin(&mut self, conn: ConnId, ends: Ends, opened_ns: Option<u64>, task: Task) {
        let Some(direction) = hosts::direction(&self.hosts, &ends) else {
            self.foreign += 1;
            return;
        };
        let ends = Ends { direction, ..ends };
        let so_far = SoFar { opened_ns, sent_bytes: Some([0; 2]) };
        self.open.insert(conn, Open { ends, so_far, task });
        if self.wants.conversations {
            self.conversations.opened(conn, ends);
        }
    }

    fn tell(&mut self, conn: ConnId, what: What) {
        if let Some(Open { ends, so_far, .. }) = self.open.get(&conn) {
            let (ends, so_far) = (*ends, *so_far);
            self.told.push_back(Occurrence { ends, so_far, comm: String::new(), cgroup: None, what });
        }
    }

    /// Takes what conversations have made of the last bytes.
    fn drain(&mut self) {
        while let Some(Heard { conn, exchange, .. }) = self.conversations.next_heard() {
            self.tell(conn, What::Exchange(exchange));
        }
        while let Some((conn, breach)) = self.conversations.next_breach() {
            self.tell(conn, What::Error(breach));
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

    fn opened(&mut self, conn: ConnId, ends: Ends, moment: Moment) {
        self.begin(conn, ends, Some(moment.time_ns), moment.task);
        if self.wants.open {
            self.tell(conn, What::Open(moment));
        }
    }

    fn joined(&mut self, conn: ConnId, ends: Ends, moment: Moment) {
        self.begin(conn, ends, None, moment.task);
    }

    fn piece(&mut self, conn: ConnId, side: Side, piece: Piece, moment: Moment) {
        let Some(open) = self.open.get_mut(&conn) else { return };
        let len = match &piece {
            Piece::Bytes(bytes) | Piece::Datagram(bytes) => bytes.len() as u64,
            Piece::Hole(len) => *len,
        };
        let mut offset = 0;
        if let Some(sent) =
            open.so_far.sent_bytes.as_mut().and_then(|sent| sent.get_mut(usize::from(side == Side::Response)))
        {
            offset = *sent;
            *sent = sent.saturating_add(len);
        }
        if let Piece::Bytes(bytes) = &piece {
            open.task = if moment.task == NOBODY { open.task } else { moment.task };
            if self.wants.data {
                let bytes = Bytes::copy_from_slice(bytes);
                self.tell(conn, What::Data { side, bytes, offset, moment });
            }
        }
        if self.wants.conversations {
            self.conversations.piece(conn, side, piece, moment);
            self.drain();
        }
    }

    fn closed(&mut self, conn: ConnId, side: Side, _: Moment) {
        self.conversations.closed(conn, side);
        self.drain();
    }

    fn ended(&mut self, conn: ConnId, first: Option<Side>, moment: Moment) {
        self.conversations.ended(conn);
        self.drain();
        if self.wants.close
            && let Some(task) = self.open.get(&conn).map(|open| open.task)
        {
            // The kernel ends a connection in whatever thread it has interrupted.
            self.tell(conn, What::Close { first, moment: Moment { task, ..moment } });
        }
        self.open.remove(&conn);
    }

    fn left(&mut self, conn: ConnId, _: Option<Side>, _: Moment) {
        self.conversations.ended(conn);
        self.drain();
        self.open.remove(&conn);
    }

    fn refused(&mut self, _: Ends, _: Moment) {}
}

//! From the kernel's events to conversations: which bytes went which way on which connection, in order.
//!
//! A connection is accepted (`SYN_RECV` to `ESTABLISHED`: a client calls the app, [`Direction::In`]) or opened
//! (`SYN_SENT` to `ESTABLISHED`: the app calls a dependency, [`Direction::Out`]). The state event tells the first sequence
//! number of both ways, so a lost first run is a hole and not a late start; the last state tells the end. What the app sends
//! is the request on one and the response on the other. Every byte is given once, in order, to a [`Sink`].

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use reel_lang::schema::{Direction, Side};
use reel_probes::event::{Cookie, Data, Event, Flow, StateChange, Task, TcpState};
use reel_probes::sockets::Socket;

use super::datagrams::{Datagrams, Parts};
use super::joining::{Joined, Joining, PickedUp};
use super::left_out::{LeftOut, Unwanted};
use super::stream::{Piece, Stream};

/// Names a connection of one capture, in the order in which they were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u32);

/// The two ends of a connection, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    pub direction: Direction,
    pub server: SocketAddr,
    pub client: SocketAddr,
}

/// When and by which thread bytes were moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub time_ns: u64,
    pub task: Task,
}

/// The task of what no thread did.
pub const NOBODY: Task = Task { tgid: 0, tid: 0 };

/// What has become known, in the order of the kernel's events.
pub trait Sink {
    /// The app listens here.
    fn listening(&mut self, local: SocketAddr, moment: Moment);
    /// A connection is established. The thread is the one that connects; nobody's where another machine or process did.
    fn opened(&mut self, conn: ConnId, ends: Ends, moment: Moment);
    /// A connection that was open before is listened to from here on.
    fn joined(&mut self, conn: ConnId, ends: Ends, moment: Moment) {
        self.opened(conn, ends, moment);
    }
    /// The next piece of one side of a conversation.
    fn piece(&mut self, conn: ConnId, side: Side, piece: Piece, moment: Moment);
    /// No more will come from this side.
    fn closed(&mut self, conn: ConnId, side: Side, moment: Moment);
    /// The connection is over; `first` is the side that closed first, where that was seen.
    fn ended(&mut self, conn: ConnId, first: Option<Side>, moment: Moment);
    /// A connection is listened to no longer, and may be open still.
    fn left(&mut self, conn: ConnId, first: Option<Side>, moment: Moment) {
        self.ended(conn, first, moment);
    }
    /// The app tried to connect, and was refused or gave up.
    fn refused(&mut self, ends: Ends, moment: Moment);
    /// A connection is established whose bytes no clause can want: nothing more is told of it.
    fn left_out(&mut self, _: Ends) {}
}

/// What was lost, exactly: any of them above 0 makes a recording incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Bytes in holes of streams.
    pub missing_bytes: u64,
    /// Bytes on sockets whose opening was not seen.
    pub unknown_socket_bytes: u64,
}

/// How much was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub connections: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// The same by the kernel's own counters, as they were at the last state of each connection that was seen. What the app has
    /// not read is in them too.
    pub kernel_received_bytes: u64,
    pub kernel_sent_bytes: u64,
}

#[derive(Debug)]
struct Connection {
    id: ConnId,
    direction: Direction,
    received: Stream,
    sent: Stream,
    sent_closed: bool,
    /// Which way ended first.
    first_closed: Option<Flow>,
    /// The state that was seen last, with the kernel's counters.
    latest: StateChange,
    /// Whether that is the end: only what the app has not read yet may still come.
    is_closed: bool,
}

impl Connection {
    fn side(&self, flow: Flow) -> Side {
        match (self.direction, flow) {
            (Direction::In, Flow::Received) | (Direction::Out, Flow::Sent) => Side::Request,
            _ => Side::Response,
        }
    }

    /// Whether the app has read all that it was sent, or nobody knows.
    fn is_read(&self) -> bool {
        self.received.captured_bytes + self.received.missing_bytes >= self.latest.received_bytes
    }

    fn stream(&mut self, flow: Flow) -> &mut Stream {
        match flow {
            Flow::Received => &mut self.received,
            Flow::Sent => &mut self.sent,
        }
    }
}

/// The open connections of an app.
#[derive(Debug, Default)]
pub struct Connections {
    open: HashMap<Cookie, Connection>,
    /// Who called `connect` on sockets that wait for the answer.
    connecting: HashMap<Cookie, Task>,
    next_id: u32,
    losses: Losses,
    totals: Totals,
    /// Connections that were open before, where the capture is of processes that reel did not start.
    joining: Option<Joining>,
    unwanted: Unwanted,
    datagrams: Datagrams,
    parts: Parts,
}

impl Connections {
    /// Connections of processes that run already, of which these sockets are open; those others are, too, and nobody wants them.
    pub fn of_others(sockets: &[Socket], unwanted: HashSet<Cookie>) -> Connections {
        let unwanted = Unwanted::open_before(unwanted);
        Connections { unwanted, joining: Some(Joining::new(sockets)), ..Connections::default() }
    }

    /// The connections that were found to be used since the last call, and that nobody wants.
    pub fn newly_unwanted(&mut self) -> Vec<Cookie> {
        self.unwanted.to_tell()
    }

    /// What became of connections that were open before.
    pub fn joined(&self) -> Joined {
        self.joining.as_ref().map_or_else(Joined::default, |joining| joining.counts)
    }

    /// Takes one event of the capture program.
    pub fn event(&mut self, event: &Event<'_>, sink: &mut impl Sink) {
        match event {
            Event::Data(data) => self.data(data, sink),
            Event::State(change) => self.state(change, sink),
            Event::LeftOut(change) => {
                self.connecting.remove(&change.cookie);
                self.unwanted.change(change);
                if let Some(direction) = opens(change) {
                    sink.left_out(ends(change, direction));
                }
            }
            Event::Datagram(part) => {
                if let Some(datagram) = self.parts.add(part) {
                    self.datagrams.add(&datagram, &mut self.next_id, sink);
                }
            }
        }
    }

    /// Ends every connection: the capture is over.
    pub fn finish(&mut self, moment: Moment, sink: &mut impl Sink) {
        let mut open: Vec<Connection> = self.open.drain().map(|(_, connection)| connection).collect();
        open.sort_by_key(|connection| connection.id);
        for connection in open {
            self.end(connection, moment, sink);
        }
        self.datagrams.finish(moment, sink);
    }

    /// What is missing so far.
    pub fn losses(&self) -> Losses {
        Losses { missing_bytes: self.losses.missing_bytes + self.parts.missing_bytes, ..self.losses }
    }

    /// What was captured so far, of connections that have ended.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    fn data(&mut self, data: &Data<'_>, sink: &mut impl Sink) {
        let Some(connection) = self.open.get_mut(&data.cookie) else { return self.unopened(data, sink) };
        let moment = Moment { time_ns: data.time_ns, task: data.task };
        let (id, side) = (connection.id, connection.side(data.flow));
        connection.stream(data.flow).add(data.seq, data.bytes, data.total_len, &mut |piece| {
            sink.piece(id, side, piece, moment);
        });
        if connection.is_closed {
            self.settle(data.cookie, moment, sink);
        }
    }

    /// How much the capture program left out.
    pub fn left_out(&self) -> LeftOut {
        self.unwanted.counts
    }

    /// Takes bytes of a connection whose opening was not seen.
    fn unopened(&mut self, data: &Data<'_>, sink: &mut impl Sink) {
        match &mut self.joining {
            Some(joining) if joining.knows(data.cookie) => {
                if let Some(picked) = joining.data(data) {
                    self.join(data.cookie, picked, sink);
                }
            }
            _ if self.unwanted.moves(data.cookie) => {}
            _ => self.losses.unknown_socket_bytes += u64::from(data.total_len),
        }
    }

    /// Begins in the middle of a connection, with a turn of its client.
    fn join(&mut self, cookie: Cookie, picked: PickedUp, sink: &mut impl Sink) {
        let PickedUp { ends, flow, runs } = picked;
        let Some(first) = runs.first() else { return };
        let (local, remote) = match ends.direction {
            Direction::In => (ends.server, ends.client),
            Direction::Out => (ends.client, ends.server),
        };
        let change = StateChange {
            time_ns: first.moment.time_ns,
            cookie,
            task: first.moment.task,
            old: TcpState::Established,
            new: TcpState::Established,
            write_seq: 0,
            copied_seq: 0,
            local,
            remote,
            received_bytes: 0,
            sent_bytes: 0,
        };
        let moment = first.moment;
        let conn = self.begin(&change, ends, [Stream::default(), Stream::default()], moment, sink);
        sink.joined(conn, ends, moment);
        let Some(connection) = self.open.get_mut(&cookie) else { return };
        let (id, side) = (connection.id, connection.side(flow));
        for run in &runs {
            let stream = connection.stream(flow);
            stream.add(run.seq, &run.bytes, run.total_len, &mut |piece| sink.piece(id, side, piece, run.moment));
        }
    }

    /// Ends a connection that is closed, once the app has read what it was sent: after a reset it may still do so.
    fn settle(&mut self, cookie: Cookie, moment: Moment, sink: &mut impl Sink) {
        // What others have left unread may have been for a process that is not looked at.
        let is_lax = self.joining.is_some();
        if self.open.get(&cookie).is_some_and(|connection| connection.is_closed && (is_lax || connection.is_read()))
            && let Some(connection) = self.open.remove(&cookie)
        {
            self.end(connection, moment, sink);
        }
    }

    fn state(&mut self, change: &StateChange, sink: &mut impl Sink) {
        let moment = Moment { time_ns: change.time_ns, task: change.task };
        if let Some(connection) = self.open.get_mut(&change.cookie) {
            connection.latest = change.clone();
            connection.is_closed = change.new == TcpState::Close;
        }
        if change.new == TcpState::Close
            && let Some(joining) = &mut self.joining
        {
            joining.closed(change.cookie);
        }
        match (change.old, change.new) {
            (_, TcpState::SynSent) => drop(self.connecting.insert(change.cookie, change.task)),
            (_, TcpState::Listen) => sink.listening(change.local, moment),
            (_, TcpState::Established) => {
                if let Some(direction) = opens(change) {
                    self.open(change, direction, moment, sink);
                }
            }
            (TcpState::SynSent, TcpState::Close) => {
                // A refusal arrives in softirq, on whatever thread is there: the call is of the thread that connected.
                let task = self.connecting.remove(&change.cookie).unwrap_or(change.task);
                sink.refused(ends(change, Direction::Out), Moment { task, ..moment });
            }
            (_, TcpState::CloseWait) => self.peer_closed(change),
            (_, TcpState::FinWait1 | TcpState::LastAck) => self.sent_all(change, moment, sink),
            (_, TcpState::Close) => self.settle(change.cookie, moment, sink),
            _ => {}
        }
    }

    fn open(&mut self, change: &StateChange, direction: Direction, moment: Moment, sink: &mut impl Sink) {
        let (mut received, mut sent) = (Stream::default(), Stream::default());
        received.starts_at(change.copied_seq);
        sent.starts_at(change.write_seq);
        // The kernel establishes a connection in whatever thread it has interrupted.
        let task = self.connecting.remove(&change.cookie).unwrap_or(NOBODY);
        let (ends, moment) = (ends(change, direction), Moment { task, ..moment });
        let conn = self.begin(change, ends, [received, sent], moment, sink);
        sink.opened(conn, ends, moment);
    }

    fn begin(
        &mut self,
        change: &StateChange,
        ends: Ends,
        streams: [Stream; 2],
        moment: Moment,
        sink: &mut impl Sink,
    ) -> ConnId {
        let id = ConnId(self.next_id);
        self.next_id += 1;
        self.unwanted.forget(change.cookie);
        self.totals.connections += 1;
        let [received, sent] = streams;
        let connection = Connection {
            id,
            direction: ends.direction,
            received,
            sent,
            sent_closed: false,
            first_closed: None,
            latest: change.clone(),
            is_closed: false,
        };
        if let Some(old) = self.open.insert(change.cookie, connection) {
            self.end(old, moment, sink);
        }
        id
    }

    /// The peer has closed its way; the app may not have read all of it yet.
    fn peer_closed(&mut self, change: &StateChange) {
        if let Some(connection) = self.open.get_mut(&change.cookie) {
            connection.first_closed.get_or_insert(Flow::Received);
        }
    }

    /// The app has closed its way: everything it sent lies before `write_seq`. A `close` after a `shutdown` tells the same state
    /// once more (tcp_close_state), and by then `write_seq` counts the FIN.
    fn sent_all(&mut self, change: &StateChange, moment: Moment, sink: &mut impl Sink) {
        let Some(connection) = self.open.get_mut(&change.cookie).filter(|connection| !connection.sent_closed) else {
            return;
        };
        let (id, side) = (connection.id, connection.side(Flow::Sent));
        connection.sent.reaches(change.write_seq, &mut |piece| sink.piece(id, side, piece, moment));
        connection.sent_closed = true;
        connection.first_closed.get_or_insert(Flow::Sent);
        sink.closed(id, side, moment);
    }

    fn end(&mut self, mut connection: Connection, moment: Moment, sink: &mut impl Sink) {
        let latest = connection.latest.clone();
        let last = connection.is_closed.then_some(&latest);
        for flow in [Flow::Received, Flow::Sent] {
            let (id, side) = (connection.id, connection.side(flow));
            let sent_closed = connection.sent_closed;
            let stream = connection.stream(flow);
            let mut give = |piece| sink.piece(id, side, piece, moment);
            stream.finish(&mut give);
            match (flow, last) {
                // A FIN that was read counts one in copied_seq (tcp_recvmsg_locked), and is no byte of the stream.
                (Flow::Received, Some(change)) if stream.is_behind(change.copied_seq.wrapping_sub(1)) => {
                    stream.reaches(change.copied_seq.wrapping_sub(1), &mut give);
                }
                (Flow::Sent, Some(change)) if !sent_closed => stream.reaches(change.write_seq, &mut give),
                _ => {}
            }
            self.losses.missing_bytes += stream.missing_bytes;
            match flow {
                Flow::Received => self.totals.received_bytes += stream.captured_bytes,
                Flow::Sent => self.totals.sent_bytes += stream.captured_bytes,
            }
            if flow == Flow::Received || !sent_closed {
                sink.closed(id, side, moment);
            }
        }
        self.totals.kernel_received_bytes += latest.received_bytes;
        self.totals.kernel_sent_bytes += latest.sent_bytes;
        let first = connection.first_closed.map(|flow| connection.side(flow));
        match last {
            Some(change) => {
                sink.ended(connection.id, first, Moment { time_ns: change.time_ns, task: change.task });
            }
            None => sink.left(connection.id, first, moment),
        }
    }
}

/// Which way a connection goes that a change of state opens.
fn opens(change: &StateChange) -> Option<Direction> {
    match (change.old, change.new) {
        (TcpState::SynSent, TcpState::Established) => Some(Direction::Out),
        (TcpState::SynRecv, TcpState::Established) => Some(Direction::In),
        _ => None,
    }
}

fn ends(change: &StateChange, direction: Direction) -> Ends {
    let (server, client) = match direction {
        Direction::In => (change.local, change.remote),
        Direction::Out => (change.remote, change.local),
    };
    Ends { direction, server, client }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;

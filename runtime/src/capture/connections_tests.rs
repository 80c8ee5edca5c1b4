//! Transcripts: kernel events in, what the sink is told out.

use std::fmt::Write;

use super::*;

#[derive(Default)]
struct Transcript(String);

impl Sink for Transcript {
    fn listening(&mut self, local: SocketAddr, _: Moment) {
        let _ = writeln!(self.0, "listening {local}");
    }
    fn opened(&mut self, conn: ConnId, ends: Ends, _: Moment) {
        let _ = writeln!(self.0, "{} opened {} server {}", conn.0, ends.direction.name(), ends.server);
    }
    fn piece(&mut self, conn: ConnId, side: Side, piece: Piece, moment: Moment) {
        let text = match piece {
            Piece::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Piece::Hole(len) => format!("[hole of {len}]"),
            Piece::Datagram(bytes) => format!("[datagram of {}]", bytes.len()),
        };
        let _ = writeln!(self.0, "{} {} {text} by {}", conn.0, side.name(), moment.task.tid);
    }
    fn ended(&mut self, conn: ConnId, first: Option<Side>, _: Moment) {
        let first = first.map_or("nobody", Side::name);
        let _ = writeln!(self.0, "{} ended, {first} first", conn.0);
    }
    fn refused(&mut self, ends: Ends, moment: Moment) {
        let _ = writeln!(self.0, "refused by {} to {}", ends.server, moment.task.tid);
    }
    fn left_out(&mut self, ends: Ends) {
        let _ = writeln!(self.0, "left out {} server {}", ends.direction.name(), ends.server);
    }
    fn closed(&mut self, conn: ConnId, side: Side, _: Moment) {
        let _ = writeln!(self.0, "{} {} closed", conn.0, side.name());
    }
}

fn state(cookie: u64, old: TcpState, new: TcpState, write_seq: u32, copied_seq: u32) -> Event<'static> {
    Event::State(StateChange {
        time_ns: 1,
        cookie: Cookie(cookie),
        task: Task { tgid: 1, tid: 9 },
        old,
        new,
        write_seq,
        copied_seq,
        local: SocketAddr::from(([127, 0, 0, 1], 8080)),
        remote: SocketAddr::from(([127, 0, 0, 1], 40_000)),
        received_bytes: 0,
        sent_bytes: 0,
    })
}

fn data(cookie: u64, flow: Flow, seq: u32, text: &'static str) -> Event<'static> {
    Event::Data(Data {
        flow,
        time_ns: 2,
        cookie: Cookie(cookie),
        task: Task { tgid: 1, tid: 7 },
        seq,
        total_len: text.len() as u32,
        bytes: text.as_bytes(),
    })
}

fn check(events: &[Event<'_>], expect: &str, losses: Losses) {
    let (mut connections, mut transcript) = (Connections::default(), Transcript::default());
    for event in events {
        connections.event(event, &mut transcript);
    }
    connections.finish(Moment { time_ns: 3, task: Task { tgid: 0, tid: 0 } }, &mut transcript);
    assert_eq!(transcript.0, expect);
    assert_eq!(connections.losses(), losses);
}

#[test]
fn an_accepted_connection_is_in() {
    check(
        &[
            state(5, TcpState::Close, TcpState::Listen, 0, 0),
            state(1, TcpState::SynRecv, TcpState::Established, 500, 100),
            data(1, Flow::Received, 100, "ask"),
            data(1, Flow::Sent, 500, "answer"),
            state(1, TcpState::Established, TcpState::CloseWait, 506, 103),
            state(1, TcpState::CloseWait, TcpState::LastAck, 506, 104),
            state(1, TcpState::LastAck, TcpState::Close, 507, 104),
        ],
        "listening 127.0.0.1:8080\n0 opened in server 127.0.0.1:8080\n0 request ask by 7\n0 response answer by 7\n\
         0 response closed\n0 request closed\n0 ended, request first\n",
        Losses::default(),
    );
}

#[test]
fn a_lost_first_run_is_a_hole() {
    check(
        &[state(1, TcpState::SynSent, TcpState::Established, 500, 100), data(1, Flow::Sent, 502, "k")],
        "0 opened out server 127.0.0.1:40000\n0 response closed\n0 request [hole of 2] by 0\n0 request k by 0\n0 request closed\n0 ended, nobody first\n",
        Losses { missing_bytes: 2, unknown_socket_bytes: 0 },
    );
}

#[test]
fn a_lost_last_run_is_a_hole() {
    check(
        &[
            state(1, TcpState::SynRecv, TcpState::Established, 500, 100),
            data(1, Flow::Received, 100, "ask"),
            state(1, TcpState::Established, TcpState::FinWait1, 506, 103),
            state(1, TcpState::FinWait2, TcpState::Close, 507, 104),
        ],
        "0 opened in server 127.0.0.1:8080\n0 request ask by 7\n0 response [hole of 6] by 9\n0 response closed\n0 request closed\n0 ended, response first\n",
        Losses { missing_bytes: 6, unknown_socket_bytes: 0 },
    );
}

#[test]
fn a_fin_that_is_told_twice_is_no_hole() {
    check(
        &[
            state(1, TcpState::SynRecv, TcpState::Established, 500, 100),
            data(1, Flow::Sent, 500, "answer"),
            state(1, TcpState::Established, TcpState::FinWait1, 506, 100),
            state(1, TcpState::FinWait1, TcpState::FinWait1, 507, 100),
            state(1, TcpState::FinWait2, TcpState::Close, 507, 101),
        ],
        "0 opened in server 127.0.0.1:8080\n0 response answer by 7\n0 response closed\n0 request closed\n0 ended, response first\n",
        Losses::default(),
    );
}

#[test]
fn bytes_of_an_unknown_socket_are_counted() {
    check(&[data(3, Flow::Sent, 0, "lost")], "", Losses { missing_bytes: 0, unknown_socket_bytes: 4 });
}

#[test]
fn a_refused_connection_is_told() {
    let refusal = state(1, TcpState::SynSent, TcpState::Close, 500, 0);
    check(std::slice::from_ref(&refusal), "refused by 127.0.0.1:40000 to 9\n", Losses::default());
    // The thread that connected, not the one that the answer interrupted.
    let connects = match state(1, TcpState::Close, TcpState::SynSent, 500, 0) {
        Event::State(change) => Event::State(StateChange { task: Task { tgid: 1, tid: 5 }, ..change }),
        other => other,
    };
    check(&[connects, refusal], "refused by 127.0.0.1:40000 to 5\n", Losses::default());
}

#[test]
fn what_is_read_after_the_end_belongs_to_the_connection() {
    let closed = match state(1, TcpState::Established, TcpState::Close, 500, 100) {
        Event::State(change) => Event::State(StateChange { received_bytes: 3, ..change }),
        other => other,
    };
    check(
        &[
            state(1, TcpState::SynSent, TcpState::Established, 500, 100),
            closed,
            data(1, Flow::Received, 100, "abc"),
            data(1, Flow::Received, 103, "late"),
        ],
        "0 opened out server 127.0.0.1:40000\n0 response abc by 7\n0 response closed\n0 request closed\n\
         0 ended, nobody first\n",
        Losses { missing_bytes: 0, unknown_socket_bytes: 4 },
    );
}

#[test]
fn of_a_connection_that_is_left_out_only_its_ends_and_counts_are_told() {
    let left_out = |event| match event {
        Event::State(change) => Event::LeftOut(StateChange { received_bytes: 30, sent_bytes: 12, ..change }),
        other => other,
    };
    let events = [
        left_out(state(1, TcpState::SynRecv, TcpState::Established, 500, 100)),
        left_out(state(1, TcpState::Established, TcpState::Close, 512, 130)),
        // What an app still reads after a reset comes up, since the program has forgotten the connection.
        data(1, Flow::Received, 120, "unread"),
        // One way of reading names sockets by their addresses.
        state(1, TcpState::SynSent, TcpState::Established, 700, 200),
        data(1, Flow::Sent, 700, "mine"),
        data(2, Flow::Sent, 0, "lost"),
    ];
    let (mut connections, mut transcript) = (Connections::default(), Transcript::default());
    events.iter().for_each(|event| connections.event(event, &mut transcript));
    let expect = "left out in server 127.0.0.1:8080\n0 opened out server 127.0.0.1:40000\n0 request mine by 7\n";
    assert_eq!(transcript.0, expect);
    assert_eq!(connections.left_out(), LeftOut { connections: 1, bytes: 42 });
    assert_eq!(connections.losses(), Losses { missing_bytes: 0, unknown_socket_bytes: 4 });
}

/// Feeds events of a capture of others, of whom one connection was open before: a client's at port 40000, or a server's.
fn check_joined(is_listening: bool, events: &[Event<'_>], expect: &str, joined: Joined) {
    let socket = |cookie, local: u16, remote: u16, is_listening| Socket {
        cookie: Cookie(cookie),
        local: SocketAddr::from(([127, 0, 0, 1], local)),
        remote: SocketAddr::from(([127, 0, 0, 1], remote)),
        is_listening,
    };
    let (mut sockets, mut transcript) = (vec![socket(1, 8080, 40_000, false)], Transcript::default());
    if is_listening {
        sockets.push(socket(2, 8080, 0, true));
    }
    let mut connections = Connections::of_others(&sockets, HashSet::from([Cookie(7)]));
    for event in events {
        connections.event(event, &mut transcript);
    }
    // One that nobody wants is not picked up, and the program is told of it once.
    connections.event(&data(7, Flow::Received, 1, "GET / HTTP/1.1\r\n"), &mut transcript);
    connections.event(&data(7, Flow::Received, 17, "\r\n"), &mut transcript);
    assert_eq!((connections.newly_unwanted(), connections.newly_unwanted()), (vec![Cookie(7)], Vec::new()));
    assert_eq!(connections.left_out(), LeftOut { connections: 1, bytes: 0 });
    connections.finish(Moment { time_ns: 3, task: NOBODY }, &mut transcript);
    assert_eq!((transcript.0.as_str(), connections.joined()), (expect, joined));
}

#[test]
fn a_connection_that_was_open_is_picked_up_at_a_request() {
    let (rest, answer) = (data(1, Flow::Received, 90, "tail of one"), data(1, Flow::Sent, 500, "HTTP/1.1 200 OK"));
    let (front, back) = (data(1, Flow::Received, 101, "GE"), data(1, Flow::Received, 103, "T / HTTP/1.1\r\n"));
    check_joined(
        true,
        &[rest, answer, front, back, state(1, TcpState::Established, TcpState::CloseWait, 515, 117)],
        "0 opened in server 127.0.0.1:8080\n0 request GE by 7\n0 request T / HTTP/1.1\r\n by 7\n0 request closed\n\
         0 response closed\n0 ended, request first\n",
        Joined { connections: 1, picked_up: 1, skipped_bytes: 26 },
    );
}

#[test]
fn who_does_not_listen_is_the_client() {
    check_joined(
        false,
        &[data(1, Flow::Received, 90, "GET / HTTP/1.1\r\n"), data(1, Flow::Sent, 500, "GET / HTTP/1.1\r\n")],
        "0 opened out server 127.0.0.1:40000\n0 request GET / HTTP/1.1\r\n by 7\n0 response closed\n0 request closed\n0 ended, nobody first\n",
        Joined { connections: 1, picked_up: 1, skipped_bytes: 16 },
    );
}

#[test]
fn what_cannot_be_told_is_counted_and_forgotten() {
    check_joined(
        true,
        &[
            data(1, Flow::Received, 90, "no"),
            data(1, Flow::Received, 92, "GET / HTTP/1.1\r\n"),
            data(9, Flow::Received, 1, "GET / HTTP/1.1\r\n"),
            state(1, TcpState::CloseWait, TcpState::Close, 500, 106),
        ],
        "",
        Joined { connections: 1, picked_up: 0, skipped_bytes: 18 },
    );
}

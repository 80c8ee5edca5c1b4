//! The exchanges of a recording, in the order in which they ended: tests are `in`, mocks `out`.
//!
//! Times, threads and clients come from `timing.yaml`. What was redacted shows as its token, since nothing else is there.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use reel_lang::schema::Side;
use reel_probes::event::Task;
use reel_protocols::Message;
use reel_protocols::conversation::{self, Timed};

use super::Past;
use super::ahead::{Ahead, Turn};
use crate::capture::connections::{Ends, Moment};
use crate::engine::clock::{Clock, Zero};
use crate::engine::occurrence::{Occurrence, SoFar, What};
use crate::exit::{Exit, Failure};
use crate::recording::{Circumstance, Exchange, Owner, Recording};

/// A recording that is told from its start to its end. Only the order is held, and a few exchanges that are read ahead.
pub struct Recorded {
    recording: Arc<Recording>,
    ahead: Ahead,
}

impl Recorded {
    /// Opens a recording.
    ///
    /// # Errors
    /// It is incomplete or damaged, or does not say when an exchange took place.
    pub fn open(dir: &Path) -> Result<Recorded, Failure> {
        let recording = Arc::new(Recording::open(dir)?);
        let tests = recording.tests().iter().map(|test| (Owner::Test(test.id), test.place));
        // A connection that was refused said nothing.
        let spoken = recording.mocks().iter().filter(|mock| mock.has_request || mock.has_response);
        let mocks = spoken.map(|mock| (Owner::Mock(mock.id), mock.place));
        let mut order = Vec::new();
        for (owner, place) in tests.chain(mocks) {
            let at = recording.timing(owner).filter(|at| at.peer.is_some()).ok_or_else(|| untimed(dir, owner))?;
            let ended_ns = at.at_ns.saturating_add(at.latency_ns.unwrap_or(0));
            order.push(Turn { ended_ns, owner, len_bytes: place.len });
        }
        order.sort_by_key(|turn| turn.ended_ns);
        let ahead = Ahead::start(Arc::clone(&recording), order)
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot start a thread: {error}")))?;
        Ok(Recorded { recording, ahead })
    }
}

impl Past for Recorded {
    fn clock(&mut self) -> Result<Clock, Failure> {
        Ok(Clock::past(Zero::Start, 0))
    }

    fn step(&mut self, told: &mut VecDeque<Occurrence>) -> Result<Option<u64>, Failure> {
        let Some((turn, exchange)) = self.ahead.next() else { return Ok(None) };
        let untimed = || untimed(&self.recording.dir, turn.owner);
        let at = self.recording.timing(turn.owner).ok_or_else(untimed)?;
        if let Some(exchange) = exchange? {
            told.extend(tell(exchange, at, untimed)?);
        }
        Ok(Some(turn.ended_ns))
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

fn untimed(dir: &Path, name: Owner) -> Failure {
    Failure::new(
        Exit::Recording,
        format!("{}: timing.yaml does not say when, and with whom, {name} took place", dir.display()),
    )
    .remedy("take timing.yaml from where the recording came from, or record again")
}

/// An exchange as a capture would have heard it; none of a connection that was refused.
fn tell(exchange: Exchange, at: Circumstance, untimed: impl Fn() -> Failure) -> Result<Option<Occurrence>, Failure> {
    let Some(protocol) = reel_protocols::by_name(&exchange.protocol) else { return Ok(None) };
    if exchange.request.is_none() && exchange.response.is_none() {
        return Ok(None);
    }
    let client = at.peer.ok_or_else(untimed)?;
    let task = Task { tgid: at.pid, tid: at.tid };
    let ended_ns = at.at_ns.saturating_add(at.latency_ns.unwrap_or(0));
    let timed = |message: Message| {
        let time_ns = if message.side == Side::Request { at.at_ns } else { ended_ns };
        Timed { message, first_ns: time_ns, last_ns: time_ns, tag: Moment { time_ns, task } }
    };
    let what = What::Exchange(conversation::Exchange {
        protocol,
        request: exchange.request.map(timed),
        interim: exchange.interim.into_iter().map(timed).collect(),
        response: exchange.response.map(timed),
        fault: None,
    });
    let ends = Ends { direction: exchange.direction, server: exchange.destination.addr, client };
    Ok(Some(Occurrence { ends, so_far: SoFar::default(), comm: at.comm, cgroup: None, what }))
}

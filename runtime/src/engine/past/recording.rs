//! The exchanges of a recording, in the order in which they ended: tests are `in`, mocks `out`.
//!
//! Times, threads and clients come from `timing.yaml`. What was redacted shows as its token, since nothing else is there.

use std::collections::VecDeque;
use std::path::Path;

use reel_lang::schema::Side;
use reel_probes::event::Task;
use reel_protocols::Message;
use reel_protocols::conversation::{self, Timed};

use super::{Past, Told};
use crate::capture::connections::{ConnId, Ends, Moment};
use crate::capture::conversations::Heard;
use crate::engine::clock::{Clock, Zero};
use crate::exit::{Exit, Failure};
use crate::recording::{Circumstance, Exchange, Recording};

/// A recording that is told from its start to its end.
pub struct Recorded {
    told: std::vec::IntoIter<(u64, Told)>,
}

impl Recorded {
    /// Opens a recording.
    ///
    /// # Errors
    /// It is incomplete or damaged, or does not say when an exchange took place.
    pub fn open(dir: &Path) -> Result<Recorded, Failure> {
        let mut told = Vec::new();
        for (name, exchange, at) in exchanges(dir)? {
            let at = at.ok_or_else(|| untimed(dir, &name))?;
            told.extend(tell(exchange, at, || untimed(dir, &name))?);
        }
        told.sort_by_key(|(ended_ns, _)| *ended_ns);
        Ok(Recorded { told: told.into_iter() })
    }
}

impl Past for Recorded {
    fn clock(&self) -> Clock {
        Clock::past(Zero::Start, 0)
    }

    fn step(&mut self, told: &mut VecDeque<Told>) -> Result<Option<u64>, Failure> {
        Ok(self.told.next().map(|(ended_ns, one)| {
            told.push_back(one);
            ended_ns
        }))
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Every exchange of a recording with its name and circumstance.
fn exchanges(dir: &Path) -> Result<Vec<(String, Exchange, Option<Circumstance>)>, Failure> {
    let Recording { tests, mocks, mut timing, .. } = Recording::open(dir)?;
    let tests = tests.into_iter().map(|test| (format!("test-{}", test.id), test.exchange));
    let mocks = mocks.into_iter().map(|mock| (mock.id.to_string(), mock.exchange));
    Ok(tests
        .chain(mocks)
        .map(|(name, exchange)| {
            let at = timing.remove(&name);
            (name, exchange, at)
        })
        .collect())
}

fn untimed(dir: &Path, name: &str) -> Failure {
    Failure::new(
        Exit::Recording,
        format!("{}: timing.yaml does not say when, and with whom, {name} took place", dir.display()),
    )
    .remedy("take timing.yaml from where the recording came from, or record again")
}

/// An exchange as a capture would have heard it, with the time of its end; none of a connection that was refused.
fn tell(exchange: Exchange, at: Circumstance, untimed: impl Fn() -> Failure) -> Result<Option<(u64, Told)>, Failure> {
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
    let heard = Heard {
        conn: ConnId(at.connection),
        ends: Ends { direction: exchange.direction, server: exchange.destination.addr, client },
        exchange: conversation::Exchange {
            protocol,
            request: exchange.request.map(timed),
            interim: exchange.interim.into_iter().map(timed).collect(),
            response: exchange.response.map(timed),
            fault: None,
        },
    };
    Ok(Some((ended_ns, Told { heard, comm: at.comm })))
}

//! The exchanges of a packet file, as they become complete.

use std::collections::VecDeque;
use std::path::Path;

use super::Past;
use crate::capture::pcap::file::{self, Packets};
use crate::capture::pcap::flows::Flows;
use crate::capture::pcap::input::Stop;
use crate::capture::pcap::packet;
use crate::engine::clock::{Clock, Zero};
use crate::engine::hosts::Host;
use crate::engine::listener::Listener;
use crate::engine::messages::Wants;
use crate::engine::occurrence::Occurrence;
use crate::exit::{Exit, Failure};

/// A packet file that is told from its start to its end.
pub struct Captured {
    name: String,
    packets: Packets,
    flows: Flows,
    listener: Listener,
    start_ns: Option<u64>,
    now_ns: u64,
    /// Whether the first packet was taken to learn when time begins.
    is_ahead: bool,
    is_over: bool,
    failure: Option<Failure>,
}

impl Captured {
    /// Opens a packet file, of which clauses are told what they want of the hosts that are named; a pipe is waited for until `stop`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path, hosts: &[Host], wants: Wants, stop: Stop) -> Result<Captured, Failure> {
        Ok(Captured {
            name: file::name(path),
            packets: Packets::open(path, stop)?,
            flows: Flows::default(),
            listener: Listener::new(wants).of_hosts(hosts.to_vec()),
            start_ns: None,
            now_ns: 0,
            is_ahead: false,
            is_over: false,
            failure: None,
        })
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
        let wrong = |what: String| Err(Failure::new(Exit::Usage, format!("{}: {what}", self.name)));
        match (counts.packets, counts.first_other_link) {
            (0, _) if !self.packets.progress.is_stopped() => wrong("the file holds no packet".to_owned()),
            (packets, Some(link)) if packets == counts.other_link => {
                wrong(format!("the packets are of link type {link}, which is not read"))
                    .map_err(|failure| failure.remedy("capture on an Ethernet, loopback, raw IP or `any` interface"))
            }
            _ => Ok(()),
        }
    }
}

impl Past for Captured {
    fn clock(&mut self) -> Result<Clock, Failure> {
        self.is_ahead = self.advance()?;
        Ok(Clock::past(Zero::Epoch, self.start_ns.unwrap_or(0)))
    }

    fn step(&mut self, told: &mut VecDeque<Occurrence>) -> Result<Option<u64>, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.is_over {
            return Ok(None);
        }
        let outcome = if std::mem::take(&mut self.is_ahead) { Ok(true) } else { self.advance() };
        if !matches!(outcome, Ok(true)) {
            // What a damaged file holds before the damage is told first.
            self.is_over = true;
            self.flows.finish(&mut self.listener);
            self.failure = outcome.and_then(|_| self.check()).err();
        }
        told.extend(std::iter::from_fn(|| self.listener.next_occurrence()));
        Ok(Some(self.now_ns))
    }

    fn ends_itself(&self) -> bool {
        self.packets.progress.is_pipe
    }

    fn is_idle(&self) -> bool {
        self.packets.progress.is_idle()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.flows.counts.notes();
        notes.extend(self.listener.notes());
        notes.into_iter().map(|note| format!("{}: {note}", self.name)).collect()
    }
}

//! The exchanges of a packet file, as they become complete.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::Past;
use crate::capture::pcap::file::Packets;
use crate::capture::pcap::flows::Flows;
use crate::capture::pcap::packet;
use crate::engine::clock::{Clock, Zero};
use crate::engine::listener::Listener;
use crate::engine::messages::Wants;
use crate::engine::occurrence::Occurrence;
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
    /// Opens a packet file, of which clauses are told what they want.
    ///
    /// # Errors
    /// It cannot be read, or is no packet file.
    pub fn open(path: &Path, wants: Wants) -> Result<Captured, Failure> {
        let listener = Listener::new(wants);
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

    fn step(&mut self, told: &mut VecDeque<Occurrence>) -> Result<Option<u64>, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.is_over {
            return Ok(None);
        }
        let now_ns = self.now_ns;
        told.extend(std::iter::from_fn(|| self.listener.next_occurrence()));
        let outcome = self.advance();
        if !matches!(outcome, Ok(true)) {
            // What a damaged file holds before the damage is told first.
            self.is_over = true;
            self.flows.finish(&mut self.listener);
            told.extend(std::iter::from_fn(|| self.listener.next_occurrence()));
            self.failure = outcome.and_then(|_| self.check()).err();
        }
        Ok(Some(now_ns))
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.flows.counts.notes();
        notes.extend(self.listener.notes());
        notes.into_iter().map(|note| format!("{}: {note}", self.path.display())).collect()
    }
}

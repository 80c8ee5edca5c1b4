//! Finds out which protocol a connection speaks, from the first bytes of both sides.
//!
//! The client's bytes decide. Where they could be several things (a Redis inline command is a line of words), the server's
//! answer confirms; where either side says no, the protocol is out. Bytes are kept in the order in which they came, since for
//! an opaque conversation that order is what makes a message.

use reel_lang::schema::Side;

use crate::{Demand, Inference, Protocol};

/// Most bytes of one side on which the protocol is tried.
const PREFIX_LEN_MAX: usize = 64 * 1024;

/// Bytes that came in one piece.
pub(super) struct Segment<T> {
    pub(super) side: Side,
    pub(super) time_ns: u64,
    pub(super) data: Vec<u8>,
    pub(super) tag: T,
}

/// What came while the protocol was unknown.
pub(super) enum Pending<T> {
    Bytes(Segment<T>),
    Closed(Side),
}

type Choice = (&'static dyn Protocol, Demand);

/// The first bytes, and the order in which they came.
pub(super) struct Inferring<T> {
    pub(super) pending: Vec<Pending<T>>,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl<T> Default for Inferring<T> {
    fn default() -> Self {
        Inferring { pending: Vec::new(), request: Vec::new(), response: Vec::new() }
    }
}

impl<T> Inferring<T> {
    pub(super) fn add(&mut self, side: Side, time_ns: u64, data: &[u8], tag: T) {
        match side {
            Side::Request => self.request.extend_from_slice(data),
            Side::Response => self.response.extend_from_slice(data),
        }
        self.pending.push(Pending::Bytes(Segment { side, time_ns, data: data.to_vec(), tag }));
    }

    /// How many bytes are kept.
    pub(super) fn len(&self) -> usize {
        self.request.len().saturating_add(self.response.len()).saturating_mul(2)
    }

    /// Takes note of a close, and says whether both sides have closed.
    pub(super) fn close(&mut self, side: Side) -> bool {
        self.pending.push(Pending::Closed(side));
        let has_closed =
            |side| self.pending.iter().any(|one| matches!(one, Pending::Closed(closed) if *closed == side));
        has_closed(Side::Request) && has_closed(Side::Response)
    }

    /// The first protocol that is certain, or the last one where all others are out.
    pub(super) fn choose(&self, protocols: &[Choice]) -> Option<Choice> {
        let (last, others) = protocols.split_last()?;
        let is_long = self.request.len().max(self.response.len()) > PREFIX_LEN_MAX;
        let mut open = false;
        for choice in others {
            match self.verdict(choice.0) {
                Inference::Yes => return Some(*choice),
                Inference::Unsure | Inference::Likely => open = true,
                Inference::No => {}
            }
        }
        (!open || is_long).then_some(*last)
    }

    /// The choice where nothing more will come.
    pub(super) fn last_resort(&self, protocols: &[Choice]) -> Option<Choice> {
        self.choose(protocols).or_else(|| protocols.last().copied())
    }

    fn verdict(&self, protocol: &dyn Protocol) -> Inference {
        let ask = |side, bytes: &[u8]| {
            if bytes.is_empty() { Inference::Unsure } else { protocol.infer(side, bytes) }
        };
        match (ask(Side::Request, &self.request), ask(Side::Response, &self.response)) {
            (Inference::No, _) | (_, Inference::No) => Inference::No,
            (Inference::Yes, _) => Inference::Yes,
            (Inference::Likely, Inference::Yes) => Inference::Yes,
            _ => Inference::Unsure,
        }
    }
}

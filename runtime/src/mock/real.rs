//! The real server behind a call that a rule passes through.
//!
//! Each call that a rule passes on goes there alone, and its answer comes back in its turn; calls that other rules or the
//! recording answer never reach it. So a pool's connection may carry both.

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_protocols::{Codec, Demand, Frame, Message, Pairing, Protocol, Rest};

/// The most bytes of an answer that is not whole.
const MAX_ANSWER_LEN_BYTES: usize = 64 << 20;

/// What a real server has said and is not passed on yet.
pub(super) struct Real {
    codec: Box<dyn Codec>,
    input: Vec<u8>,
    ended: bool,
}

/// A message of a real server.
pub(super) struct Said {
    pub(super) message: Message,
    pub(super) bytes: Bytes,
    pub(super) pairing: Pairing,
}

impl Real {
    pub(super) fn new(protocol: &dyn Protocol) -> Self {
        Real { codec: protocol.codec(), input: Vec::new(), ended: false }
    }

    /// Notes that a request was passed on; says whether an answer will come.
    pub(super) fn is_answered(&mut self, request: &Message) -> bool {
        self.codec.pair(request) != Pairing::OneWay
    }

    /// Takes what it sent.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// It sends nothing more.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether nothing more can be understood of it.
    pub(super) fn is_over(&self) -> bool {
        self.ended || self.input.len() > MAX_ANSWER_LEN_BYTES
    }

    /// The next whole message. One that its protocol does not allow ends it.
    pub(super) fn next(&mut self) -> Option<Said> {
        let rest = if self.ended { Rest::Closed } else { Rest::Open };
        match self.codec.frame(Side::Response, &self.input, rest, Demand::ALL) {
            Ok(Frame::Message { message, len }) if !self.input.is_empty() => {
                let bytes = self.input.drain(..len.min(self.input.len())).collect::<Vec<u8>>().into();
                let pairing = self.codec.pair(&message);
                Some(Said { message, bytes, pairing })
            }
            Ok(_) => None,
            Err(_) => {
                self.ended = true;
                self.input.clear();
                None
            }
        }
    }
}

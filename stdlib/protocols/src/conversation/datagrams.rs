//! Conversations of datagrams: each is a message with its own bounds, and there is no stream, so nothing that is missing hurts the rest.
//!
//! A datagram may be lost: a request that nothing has answered for [`ANSWER_NS`] is given out without a response. It may come twice: a
//! response that answers no open request is an exchange of its own, without one.

use std::sync::Arc;

use reel_lang::schema::Side;

use super::{Config, Conversation, Exchange, Fault, Phase, Timed};
use crate::{Demand, Frame, Malformed, Protocol, Rest};

/// How long a request waits for its response, by the datagrams' own time. Resolvers give up earlier (resolv.conf(5): at most 30 s).
pub const ANSWER_NS: u64 = 30_000_000_000;
/// The most requests of one conversation that wait; beyond it the oldest is given out.
pub const OPEN_MAX: usize = 1024;

impl<T: Clone> Conversation<T> {
    /// Starts a conversation of datagrams; none where the protocol has no datagrams.
    pub fn of_datagrams(protocol: &'static dyn Protocol, demand: Demand, config: Arc<Config>) -> Option<Self> {
        let codec = protocol.datagram_codec()?;
        let mut conversation = Conversation::new(config);
        conversation.phase = Phase::Speaking { protocol, codec, demand };
        Some(conversation)
    }

    /// Takes a datagram.
    pub fn datagram(&mut self, side: Side, time_ns: u64, data: &[u8], tag: T) {
        self.counters.bytes = self.counters.bytes.saturating_add(data.len() as u64);
        self.expire(time_ns);
        let Phase::Speaking { protocol, codec, demand } = &mut self.phase else { return };
        let protocol = *protocol;
        let framed = codec.frame(side, data, Rest::Closed, *demand).and_then(|frame| match frame {
            Frame::Message { message, len } if len == data.len() => Ok(message),
            Frame::Message { len, .. } => Err(uneven(len, "bytes after the message")),
            _ => Err(uneven(data.len(), "a datagram that ends in the middle of a message")),
        });
        let malformed = match framed {
            Ok(message) => {
                let pairing = codec.pair(&message);
                self.counters.messages = self.counters.messages.saturating_add(1);
                self.place(pairing, Timed { message, first_ns: time_ns, last_ns: time_ns, tag });
                return;
            }
            Err(malformed) => malformed,
        };
        self.counters.malformed = self.counters.malformed.saturating_add(1);
        self.undecoded(data.len());
        let mut exchange = Exchange::new(protocol);
        exchange.fault = Some(Fault::Malformed { side, malformed });
        self.done.push_back(exchange);
    }

    /// Gives out requests that have waited too long, or are too many.
    fn expire(&mut self, now_ns: u64) {
        let is_late = |exchange: &Exchange<T>| {
            exchange.request.as_ref().is_none_or(|request| request.last_ns.saturating_add(ANSWER_NS) < now_ns)
        };
        while self.open.len() >= OPEN_MAX || self.open.front().is_some_and(is_late) {
            let Some(mut exchange) = self.take_open() else { return };
            exchange.fault = Some(Fault::NoResponse);
            self.done.push_back(exchange);
        }
    }
}

/// A datagram that is not one message.
fn uneven(offset: usize, reason: &str) -> Malformed {
    Malformed { offset, reason: reason.to_owned(), spec: "RFC 768" }
}

//! A connection whose protocol has a server of its own: what the app says becomes calls there, and a recorded answer what this app
//! must be sent for it.

use std::sync::Arc;

use bytes::Bytes;
use reel_lang::schema::Side;
use reel_protocols::{Message, Protocol, Recorded, Step};

use super::{Connection, Due, Out, Request, Then, Waiting};
use crate::mock::{Entry, Mock};

impl Connection {
    /// Lets the server hear what came in, and answers its calls.
    pub(super) fn read_calls(&mut self, mock: &mut Mock, now_ns: u64, protocol: &'static dyn Protocol, out: &mut Out) {
        let Some(server) = &mut self.server else { return };
        server.hear(&std::mem::take(&mut self.input));
        while !self.gone && !self.ended {
            let Some(server) = &mut self.server else { return };
            let step = server.step();
            self.speak(now_ns, 0);
            match step {
                Ok(Step::Idle) => return,
                Ok(Step::Closed) => self.ended = true,
                Ok(Step::Call { request, kin }) => {
                    let kin = kin.map(|kin| *kin);
                    self.answer(mock, now_ns, protocol, Request { message: *request, bytes: Vec::new(), kin }, out);
                }
                Err(malformed) => self.miss(mock, now_ns, protocol, None, Some(malformed.to_string())),
            }
        }
    }

    /// Sends what the server has to say.
    fn speak(&mut self, now_ns: u64, delay_ns: u64) {
        let bytes = self.server.as_mut().map(|server| server.output()).unwrap_or_default();
        if !bytes.is_empty() {
            let due = Due::At(now_ns + delay_ns);
            self.waiting.push_back(Waiting { due, bytes: bytes.into(), then: Then::Nothing });
        }
    }

    /// Says what a recorded server said, the way this app wants to hear it.
    pub(super) fn say_recorded(&mut self, mock: &mut Mock, now_ns: u64, entry: &Arc<Entry>, delay_ns: u64) {
        let Some(server) = &mut self.server else { return };
        let said = match (&entry.exchange.request, &entry.exchange.response) {
            (None, Some(response)) => server.push(response),
            (request, Some(response)) => server.answer(Recorded { request: request.as_ref(), response }),
            // The connection ended instead.
            (_, None) => Ok(()),
        };
        match said {
            Ok(()) => {
                self.speak(now_ns, delay_ns);
                let then = Then::from(entry.ending);
                if then != Then::Nothing {
                    let due = Due::At(now_ns + delay_ns);
                    self.waiting.push_back(Waiting { due, bytes: Bytes::new(), then });
                }
            }
            Err(error) => {
                let reason = format!("the answer of {} cannot be sent: {}", entry.id, error.reason);
                self.miss(
                    mock,
                    now_ns,
                    entry.protocol,
                    entry.exchange.request.clone().map(|request| (request, None)),
                    Some(reason),
                );
            }
        }
    }

    /// Sends a response that a rule made.
    pub(super) fn say_made(&mut self, now_ns: u64, response: &Message, delay_ns: u64) -> Result<(), String> {
        debug_assert_eq!(response.side, Side::Response);
        let Some(server) = &mut self.server else { return Ok(()) };
        server.answer(Recorded { request: None, response }).map_err(|error| error.to_string())?;
        self.speak(now_ns, delay_ns);
        Ok(())
    }

    /// What tells the app that its call cannot be answered.
    pub(super) fn refusal(&mut self, protocol: &dyn Protocol, reason: &str) -> Option<Vec<u8>> {
        match &mut self.server {
            Some(server) => {
                server.refuse(reason);
                Some(server.output())
            }
            None => protocol.refusal(reason),
        }
    }
}

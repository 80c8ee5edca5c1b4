//! What a mock rule does in place of the recording: its own response, no answer at all, or the real server's.

use bytes::Bytes;
use reel_lang::hir::Abort;
use reel_lang::schema::{Direction, Side};
use reel_protocols::{Message, Pairing, Protocol};

use super::{Connection, Due, Out, Request, Then, Waiting, unmet};
use crate::mock::real::{Real, Said};
use crate::mock::{Command, Mock};
use crate::recording::wire_bytes;
use crate::rules::{ActionId, Answer, Mocking, Origin, View};

impl Connection {
    /// Does what the connection alone decides: a rule that refuses it, or passes on a stream that is not decoded; else what the
    /// recorded server did.
    pub(super) fn open(&mut self, mock: &mut Mock, now_ns: u64, out: &mut Out) {
        let protocol = self.protocol.unwrap_or(&reel_protocols::opaque::Tcp);
        let direction = Direction::Out;
        let view = View { protocol, direction, addr: self.destination, peer: None, request: None, response: None };
        let rules = mock.rules.clone();
        let command = match rules.mocking_of_connection(&view) {
            Some(Mocking { answer: Answer::Abort(Abort::Refused), decided, .. }) => (Command::Reset, decided),
            Some(Mocking { answer: Answer::Passthrough, decided, .. }) if is_whole(protocol) => {
                (Command::Forward { to: self.asked, first: Bytes::new() }, decided)
            }
            _ => return self.greet(mock, now_ns, out),
        };
        let (command, decided) = command;
        note(mock, decided.as_ref());
        out.push_back(command);
        self.gone = true;
    }

    /// Answers a request as a rule says.
    pub(super) fn answer_by_rule(
        &mut self,
        mock: &mut Mock,
        now_ns: u64,
        protocol: &'static dyn Protocol,
        request: Request,
        mocking: Mocking,
        out: &mut Out,
    ) {
        let Request { message, bytes, .. } = request;
        let due = Due::At(now_ns + mocking.delay_ns);
        match mocking.answer {
            Answer::Recorded => {}
            Answer::Respond(fields) if self.server.is_some() => {
                let made = make(protocol, &fields);
                let said = made.and_then(|response| self.say_made(now_ns, &response, mocking.delay_ns));
                if let Err(reason) = said {
                    self.miss(mock, now_ns, protocol, Some((message, None)), Some(reason));
                }
            }
            Answer::Respond(fields) => match respond(protocol, &fields) {
                Ok((response, bytes)) => {
                    if let Some(codec) = &mut self.codec {
                        codec.pair(&response);
                    }
                    let view = View::of_call(protocol, self.destination, &message);
                    let view = View { response: Some(&response), ..view };
                    mock.effects.unmet.extend(unmet(mock.rules.as_ref(), Side::Response, &view));
                    self.waiting.push_back(Waiting { due, bytes, then: Then::Nothing });
                }
                Err(reason) => self.miss(mock, now_ns, protocol, Some((message, None)), Some(reason)),
            },
            Answer::Abort(Abort::Timeout) => {
                self.waiting.push_back(Waiting { due: Due::Never, bytes: Bytes::new(), then: Then::Nothing });
            }
            Answer::Abort(Abort::Reset | Abort::Refused) => {
                self.waiting.push_back(Waiting { due, bytes: Bytes::new(), then: Then::Reset });
            }
            Answer::Passthrough if self.server.is_some() => {
                self.cannot_pass(mock, now_ns, protocol, message);
            }
            Answer::Passthrough if protocol.framed() => {
                let real = self.real.get_or_insert_with(|| Real::new(protocol));
                // The real server has closed, and so will this connection after the answers that are due before.
                if real.is_over() {
                    return;
                }
                if real.is_answered(&message) {
                    let due = Due::Asked(Box::new(message), mocking.delay_ns);
                    self.waiting.push_back(Waiting { due, bytes: Bytes::new(), then: Then::Nothing });
                }
                out.push_back(Command::Ask { to: self.asked, bytes: bytes.into() });
            }
            Answer::Passthrough => {
                out.push_back(Command::Forward { to: self.asked, first: bytes.into() });
                self.gone = true;
            }
        }
    }

    /// Sends a call that was not recorded to the real server.
    pub(super) fn pass(
        &mut self,
        mock: &mut Mock,
        now_ns: u64,
        protocol: &'static dyn Protocol,
        request: Request,
        out: &mut Out,
    ) {
        if !protocol.framed() {
            return self.forward(mock, request.bytes.into(), out);
        }
        if self.server.is_some() {
            return self.cannot_pass(mock, now_ns, protocol, request.message);
        }
        *mock.ledger.passed.entry(self.asked).or_default() += 1;
        let mocking = Mocking { answer: Answer::Passthrough, ..Mocking::default() };
        self.answer_by_rule(mock, now_ns, protocol, request, mocking, out);
    }

    /// Notes a call that should go to the real server and cannot: there it would stand outside of any session.
    fn cannot_pass(&mut self, mock: &mut Mock, now_ns: u64, protocol: &'static dyn Protocol, request: Message) {
        let name = &protocol.schema().protocol;
        let reason = format!(
            "a single call of {name} cannot be passed through; a rule on the connection's address alone passes all of it"
        );
        self.miss(mock, now_ns, protocol, Some((request, None)), Some(reason));
    }

    /// Joins the app with the real server from now on.
    pub(super) fn forward(&mut self, mock: &mut Mock, first: Bytes, out: &mut Out) {
        *mock.ledger.passed.entry(self.asked).or_default() += 1;
        out.push_back(Command::Forward { to: self.asked, first });
        self.gone = true;
    }

    /// Puts what the real server said where its answers are waited for.
    pub(super) fn relay(&mut self, mock: &mut Mock, now_ns: u64) {
        let Some(real) = &mut self.real else { return };
        while let Some(Said { message, bytes, pairing }) = real.next() {
            if let Some(codec) = &mut self.codec {
                codec.pair(&message);
            }
            let asked = self.waiting.iter_mut().find(|waiting| matches!(waiting.due, Due::Asked(..)));
            match (asked, pairing) {
                (None, _) | (_, Pairing::Push) => {
                    self.waiting.push_back(Waiting { due: Due::At(now_ns), bytes, then: Then::Nothing });
                }
                (Some(waiting), pairing) => {
                    waiting.bytes = [waiting.bytes.as_ref(), bytes.as_ref()].concat().into();
                    if let (Due::Asked(request, delay_ns), false) = (&waiting.due, pairing == Pairing::Interim) {
                        if let Some(protocol) = self.protocol {
                            let view = View::of_call(protocol, self.destination, request);
                            let view = View { response: Some(&message), ..view };
                            mock.effects.unmet.extend(unmet(mock.rules.as_ref(), Side::Response, &view));
                        }
                        waiting.due = Due::At(now_ns + delay_ns);
                    }
                }
            }
        }
        if real.is_over() {
            for waiting in self.waiting.iter_mut().filter(|waiting| matches!(waiting.due, Due::Asked(..))) {
                waiting.due = Due::At(now_ns);
                waiting.then = Then::Reset;
            }
            // What the server said is whole: the app sees the same end after it.
            self.waiting.push_back(Waiting { due: Due::At(now_ns), bytes: Bytes::new(), then: Then::Close });
        }
    }
}

/// Notes that a rule answered a call without the recording.
pub(super) fn note(mock: &mut Mock, decided: Option<&(ActionId, Origin)>) {
    if let Some(by) = decided {
        mock.ledger.usage.answers(by).calls += 1;
    }
}

/// Whether a connection is passed through as a whole or not at all.
fn is_whole(protocol: &dyn Protocol) -> bool {
    !protocol.framed() || protocol.server().is_some()
}

/// Makes the response of `respond(...)`, and its bytes.
fn respond(protocol: &dyn Protocol, fields: &[(String, reel_lang::value::Value)]) -> Result<(Message, Bytes), String> {
    let response = make(protocol, fields)?;
    let bytes = wire_bytes(protocol, &response)?;
    Ok((response, bytes))
}

fn make(protocol: &dyn Protocol, fields: &[(String, reel_lang::value::Value)]) -> Result<Message, String> {
    let schema = protocol.schema();
    let mut response = Message::new(schema, Side::Response);
    for (name, value) in fields {
        let field = schema.field(Side::Response, name).ok_or_else(|| format!("a response has no field `{name}`"))?;
        response.put(field.id, value.clone());
    }
    protocol.complete(&mut response);
    protocol.derive(&mut response);
    Ok(response)
}

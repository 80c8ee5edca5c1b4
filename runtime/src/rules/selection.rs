//! Capture rules at work: what is recorded, and what is redacted before it is.

use std::net::SocketAddr;

use reel_lang::schema::Direction;

use crate::record::compose::{Selection, Verdict};
use crate::recording::{Circumstance, Error, Exchange, Redactor, SecretsRef, cut, wire_bytes};
use crate::rules::{Rules, View};

/// The capture rules of a recording.
pub struct Selector<'a> {
    rules: &'a dyn Rules,
    /// Keeps the secrets that are taken out.
    redactor: Redactor,
    /// How many incoming exchanges rules were asked to take one of several of.
    sampled: u64,
    /// What could not be redacted by field.
    errors: Vec<String>,
    /// Exchanges that nothing could send after their redaction.
    unusable: Vec<String>,
    /// What dependencies are called.
    names: Vec<Name>,
}

/// What a dependency is called.
struct Name {
    name: String,
    addr: SocketAddr,
    /// Whether it was called at all.
    is_called: bool,
}

impl<'a> Selector<'a> {
    /// Selects by these rules.
    pub fn new(rules: &'a dyn Rules, redactor: Redactor) -> Self {
        Selector { rules, redactor, sampled: 0, errors: Vec::new(), unusable: Vec::new(), names: Vec::new() }
    }

    /// Writes names beside the addresses of dependencies.
    pub fn with_names(mut self, names: Vec<(String, SocketAddr)>) -> Self {
        self.names = names.into_iter().map(|(name, addr)| Name { name, addr, is_called: false }).collect();
        self
    }

    /// What could not be redacted by field, and was therefore redacted whole.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// What was left out because its redaction made it something that cannot be sent.
    pub fn unusable(&self) -> &[String] {
        &self.unusable
    }

    /// The names whose addresses nobody called.
    pub fn uncalled(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.names.iter().filter(|name| !name.is_called).map(|name| (&*name.name, name.addr))
    }
}

impl Selection for Selector<'_> {
    fn judge(&mut self, exchange: &mut Exchange, at: &Circumstance) -> Verdict {
        let Some(protocol) = reel_protocols::by_name(&exchange.protocol) else { return Verdict::default() };
        let mut view = View::of(protocol, exchange);
        view.peer = at.peer;
        let capture = self.rules.capture(&view);
        let server = exchange.destination.addr;
        if let Some(name) = self.names.iter_mut().find(|name| name.addr == server)
            && exchange.direction == Direction::Out
        {
            name.is_called = true;
            exchange.destination.host = Some(name.name.clone());
        }
        let mut is_skipped = !capture.record;
        if let Some(one_of) = capture.sample
            && !is_skipped
        {
            is_skipped = !self.sampled.is_multiple_of(u64::from(one_of.max(1)));
            self.sampled += 1;
        }
        if !is_skipped {
            let direction = exchange.direction;
            let messages = exchange.request.iter_mut().chain(&mut exchange.interim).chain(&mut exchange.response);
            for message in messages {
                if let Err(reason) = self.redactor.redact(protocol, direction, message, &capture.redact) {
                    self.errors.push(reason);
                }
                // After the redaction: a secret that was cut in two would not be found.
                if let Some(limit) = capture.limit_bytes {
                    cut(protocol, message, limit);
                }
                if !capture.redact.is_empty()
                    && message.cut_from.is_none()
                    && let Err(reason) = wire_bytes(protocol, message)
                {
                    is_skipped = true;
                    let side = message.side.name();
                    self.unusable.push(format!("the {side} of an exchange with {server}: {reason}"));
                }
            }
        }
        Verdict { is_skipped, tags: capture.tags }
    }

    fn secrets(&mut self) -> Result<Option<SecretsRef>, Error> {
        self.redactor.finish()
    }
}

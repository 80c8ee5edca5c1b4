//! Which values of a request came out of an earlier exchange: found by the value, and by who had it first.
//!
//! A value links two exchanges if a program made it up ([`is_made`]), if the app gave it away before any client sent it, and if the
//! exchange that gave it was over when the request began. So what a client made up itself never links, nor does what two sides
//! may come to by themselves. Of several answers the latest before the request counts. A value that no answer had may have come by a
//! call of the app: a mail, a webhook. Messages are looked at before their secrets are taken out, and what is kept is places alone.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use bytes::Bytes;
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use crate::flow::piece::{decoded, encoded, is_url, pieces, words};
use crate::flow::{Coding, Flow, Pattern, Spot, is_made, leaves, text_of};
use crate::recording::{Exchange, Owner, TestId, is_secret, token_spans};

/// How many values of requests are looked for; beyond that no more are found.
const MAX_VALUES: usize = 1_000_000;
/// How many answers that have a value are remembered, the latest.
const MAX_SOURCES: usize = 64;
/// A value that stands in more places of answers than this is a constant of the app, and no identity.
const MAX_PLACES: usize = 16;

/// A value in a message.
#[derive(Debug, Clone)]
struct Sighting {
    value: Vec<u8>,
    /// Which of the message's texts and numbers.
    leaf: usize,
    place: String,
    text: Bytes,
    piece: Range<usize>,
    coding: Coding,
}

/// What is known of a value that some request carries.
#[derive(Debug)]
struct Met {
    /// When a client sent it first.
    asked_ns: u64,
    /// When the app gave it away first, in an answer or a call.
    given_ns: u64,
    answers: Vec<Answer>,
    /// How many older answers had it that are not remembered.
    forgotten: u32,
    places: BTreeSet<String>,
    /// Calls whose requests have it, as they were recorded.
    calls: Vec<(Owner, Spot, u64)>,
}

/// An answer with a value.
#[derive(Debug)]
struct Answer {
    test: usize,
    ended_ns: u64,
    at: Spot,
    is_redacted: bool,
}

/// A value that a test's request carries and may have been given.
#[derive(Debug)]
struct Carried {
    value: Vec<u8>,
    began_ns: u64,
    to: Spot,
    is_redacted: bool,
}

/// What was seen in an exchange before its secrets were taken out.
#[derive(Debug, Default)]
pub struct Seen {
    request: Vec<Sighting>,
    response: Vec<Sighting>,
}

/// Finds flows.
#[derive(Debug, Default)]
pub struct Finder {
    values: HashMap<Vec<u8>, Met>,
    carried: HashMap<usize, Vec<Carried>>,
}

impl Finder {
    /// Takes note of the values that a client sends. Called for all requests before anything else.
    pub fn asks(&mut self, began_ns: u64, protocol: &dyn Protocol, request: &Message) {
        for Sighting { value, .. } in sightings(protocol, request, &is_made) {
            let is_full = self.values.len() >= MAX_VALUES;
            match self.values.get_mut(&value) {
                Some(met) => met.asked_ns = met.asked_ns.min(began_ns),
                None if is_full => {}
                None => {
                    let met = Met {
                        asked_ns: began_ns,
                        given_ns: u64::MAX,
                        answers: Vec::new(),
                        forgotten: 0,
                        places: BTreeSet::new(),
                        calls: Vec::new(),
                    };
                    self.values.insert(value, met);
                }
            }
        }
    }

    /// Takes note of the values that the app sends to a dependency. Called for all calls before the first test is looked at.
    pub fn calls(&mut self, sent_ns: u64, protocol: &dyn Protocol, request: &Message) {
        for Sighting { value, .. } in self.known(protocol, Some(request)) {
            self.gives(&value, sent_ns);
        }
    }

    fn gives(&mut self, value: &[u8], at_ns: u64) {
        if let Some(met) = self.values.get_mut(value) {
            met.given_ns = met.given_ns.min(at_ns);
        }
    }

    /// Looks at an exchange as it was.
    pub fn see(&self, exchange: &Exchange) -> Seen {
        match reel_protocols::by_name(&exchange.protocol).filter(|protocol| protocol.framed()) {
            Some(protocol) => Seen {
                request: self.known(protocol, exchange.request.as_ref()),
                response: self.known(protocol, exchange.response.as_ref()),
            },
            None => Seen::default(),
        }
    }

    fn known(&self, protocol: &dyn Protocol, message: Option<&Message>) -> Vec<Sighting> {
        let is_known = |value: &[u8]| self.values.contains_key(value);
        match message.filter(|_| !self.values.is_empty()) {
            Some(message) => sightings(protocol, message, &is_known),
            None => Vec::new(),
        }
    }

    /// Takes a test, in the order in which they began: what was seen in it, and what is recorded of it; none where it is not. The
    /// times are those of its request's first byte and of its answer's last.
    pub fn test(&mut self, test: usize, seen: Seen, recorded: Option<&Exchange>, began_ns: u64, ended_ns: Option<u64>) {
        let protocol = recorded.and_then(|recorded| reel_protocols::by_name(&recorded.protocol));
        if let (Some(protocol), Some(request)) = (protocol, recorded.and_then(|recorded| recorded.request.as_ref())) {
            let carried = self.carried(protocol, request, seen.request, began_ns);
            self.carried.insert(test, carried);
        }
        let Some(ended_ns) = ended_ns else { return };
        let response = recorded.and_then(|recorded| recorded.response.as_ref());
        for sighting in seen.response {
            self.gives(&sighting.value, ended_ns);
            let Some((protocol, response)) = protocol.zip(response) else { continue };
            let Some((at, is_redacted)) = spot(protocol, response, &sighting, &[]) else { continue };
            let Some(met) = self.values.get_mut(&sighting.value) else { continue };
            met.places.insert(folded(&at.place));
            if met.answers.last().is_none_or(|last| last.test != test) {
                if met.answers.len() >= MAX_SOURCES {
                    met.answers.remove(0);
                    met.forgotten += 1;
                }
                met.answers.push(Answer { test, ended_ns, at, is_redacted });
            }
        }
    }

    /// What a request carries that somebody else had first.
    fn carried(&self, protocol: &dyn Protocol, request: &Message, seen: Vec<Sighting>, began_ns: u64) -> Vec<Carried> {
        let is_given = |sighting: &Sighting| {
            let met = self.values.get(&sighting.value);
            met.is_some_and(|met| met.given_ns <= met.asked_ns && met.places.len() <= MAX_PLACES)
        };
        let mut linked: Vec<Sighting> = Vec::new();
        for sighting in seen.into_iter().filter(is_given) {
            let is_apart = |other: &Sighting| {
                other.leaf != sighting.leaf
                    || other.piece.end <= sighting.piece.start
                    || sighting.piece.end <= other.piece.start
            };
            let own = std::slice::from_ref(&sighting.piece);
            if linked.iter().all(is_apart) && spot(protocol, request, &sighting, own).is_some() {
                linked.push(sighting);
            }
        }
        linked.sort_by_key(|sighting| (sighting.leaf, sighting.piece.start));
        let found = linked.iter().filter_map(|sighting| {
            let same = linked.iter().filter(|other| other.leaf == sighting.leaf);
            let others: Vec<Range<usize>> = same.map(|other| other.piece.clone()).collect();
            let (to, is_redacted) = spot(protocol, request, sighting, &others)?;
            Some(Carried { value: sighting.value.clone(), began_ns, to, is_redacted })
        });
        found.collect()
    }

    /// Where values stand in a call's request as it is recorded: not where they are redacted.
    pub fn spots(&self, seen: Seen, recorded: &Exchange) -> Vec<(Vec<u8>, Spot)> {
        let protocol = reel_protocols::by_name(&recorded.protocol);
        let Some((protocol, request)) = protocol.zip(recorded.request.as_ref()) else { return Vec::new() };
        let found = seen.request.into_iter().filter_map(|sighting| {
            let (at, is_redacted) = spot(protocol, request, &sighting, &[])?;
            (!is_redacted).then_some((sighting.value, at))
        });
        found.collect()
    }

    /// Takes a call that was recorded, under its name.
    pub fn call(&mut self, owner: Owner, sent_ns: u64, spots: Vec<(Vec<u8>, Spot)>) {
        for (value, at) in spots {
            if let Some(met) = self.values.get_mut(&value).filter(|met| met.calls.len() < MAX_SOURCES) {
                met.calls.push((owner, at, sent_ns));
            }
        }
    }

    /// The flows into a test's request, once everything was taken. `number` is what a test is called in the recording.
    pub fn flows(&self, test: usize, number: &dyn Fn(usize) -> Option<TestId>) -> Vec<Flow> {
        let carried = self.carried.get(&test).map_or(&[][..], Vec::as_slice);
        let mut flows: Vec<Flow> = carried.iter().filter_map(|carried| self.flow(carried, number)).collect();
        flows.dedup();
        flows
    }

    fn flow(&self, carried: &Carried, number: &dyn Fn(usize) -> Option<TestId>) -> Option<Flow> {
        let met = self.values.get(&carried.value)?;
        let before = || met.answers.iter().filter(|answer| answer.ended_ns <= carried.began_ns);
        let to = carried.to.clone();
        if let Some(latest) = before().max_by_key(|answer| answer.ended_ns) {
            let from = Owner::Test(number(latest.test)?);
            let plain = met.calls.first().filter(|_| carried.is_redacted && latest.is_redacted);
            let plain = plain.map(|(call, at, _)| (*call, at.clone()));
            let latest_of = met.forgotten.saturating_add(u32::try_from(before().count()).unwrap_or(u32::MAX));
            return Some(Flow { to, from, at: latest.at.clone(), latest_of, plain });
        }
        let calls = met.calls.iter().filter(|(.., sent_ns)| *sent_ns <= carried.began_ns);
        let (from, at, _) = calls.max_by_key(|(.., sent_ns)| *sent_ns)?;
        Some(Flow { to, from: *from, at: at.clone(), latest_of: 1, plain: None })
    }
}

/// The values in a message that are wanted.
pub fn values(
    protocol: &dyn Protocol,
    message: &Message,
    is_wanted: &dyn Fn(&[u8]) -> bool,
) -> impl Iterator<Item = Vec<u8>> + use<> {
    sightings(protocol, message, is_wanted).into_iter().map(|sighting| sighting.value)
}

/// Whether [`values`] sees all of a message: of bytes without a protocol, of a message that was cut, and of a body in an unknown coding
/// nothing is seen.
pub fn is_readable(protocol: &dyn Protocol, message: &Message) -> bool {
    let is_encoded = |value: &Value| matches!(value, Value::Tagged("encoded", _));
    protocol.framed() && message.cut_from.is_none() && !message.fields.iter().any(is_encoded)
}

/// The values in a message, of a text the longest piece first.
fn sightings(protocol: &dyn Protocol, message: &Message, is_wanted: &dyn Fn(&[u8]) -> bool) -> Vec<Sighting> {
    let (mut found, mut leaf) = (Vec::new(), 0);
    if !protocol.framed() || message.cut_from.is_some() {
        return found;
    }
    leaves(protocol, message, &mut |place, value| {
        leaf += 1;
        let Some(text) = text_of(value) else { return };
        let whole = std::iter::once(0..text.len());
        let mut note = |value: &[u8], piece: Range<usize>, coding| {
            if is_wanted(value) {
                let (value, place, text) = (value.to_vec(), place.to_owned(), text.clone());
                found.push(Sighting { value, leaf, place, text, piece, coding });
            }
        };
        if !matches!(value, Value::Str(_)) {
            return whole.for_each(|piece| note(&text, piece, Coding::Plain));
        }
        for word in words(&text) {
            let is_url = is_url(text.get(word.clone()).unwrap_or_default());
            for piece in pieces(&text, word) {
                let raw = text.get(piece.clone()).unwrap_or_default();
                // A path or a query takes any value encoded, as long as this one does not stand there as it is.
                let is_percent = is_url && encoded(raw) == raw;
                note(raw, piece.clone(), if is_percent { Coding::Percent } else { Coding::Plain });
                if let Some(value) = decoded(raw) {
                    note(&value, piece, Coding::Percent);
                }
            }
        }
    });
    found
}

/// Where a value stands in the message as it is recorded, and whether it is redacted there. `linked` are the pieces of the same text that
/// all have a source. None where that cannot be told without telling a secret.
fn spot(
    protocol: &dyn Protocol,
    recorded: &Message,
    sighting: &Sighting,
    linked: &[Range<usize>],
) -> Option<(Spot, bool)> {
    let Sighting { value, place, text, piece, coding, .. } = sighting;
    if recorded.cut_from.is_some() {
        return None;
    }
    let (mut leaf, mut kept) = (0, None);
    leaves(protocol, recorded, &mut |_, value| {
        leaf += 1;
        if leaf == sighting.leaf {
            kept = text_of(value);
        }
    });
    let kept = kept?;
    let is_whole = *piece == (0..text.len()) && *coding == Coding::Plain;
    let at = |part| Spot { place: place.as_str().into(), part };
    if kept == *text {
        let part = if is_whole { None } else { Some(Pattern::leading_to(text, piece, *coding)?) };
        let spot = at(part);
        return (spot.read(protocol, recorded).as_ref() == Some(value)).then_some((spot, false));
    }
    if !is_secret(&kept) {
        let token = token_spans(&kept).find(|token| token.start == piece.start)?;
        let is_same_before = kept.get(..token.start) == text.get(..token.start);
        let part = Pattern::leading_to(&kept, &token, *coding).filter(|_| is_same_before)?;
        return Some((at(Some(part)), true));
    }
    if is_whole {
        return Some((at(None), true));
    }
    let is_harmless = |pattern: &Pattern| {
        place.starts_with("header") && pattern.literals().all(|literal| is_structure(literal, text))
    };
    let whole = Pattern::whole(text, linked, piece, *coding).filter(is_harmless);
    let part = whole.or_else(|| Pattern::leading_to(text, piece, *coding).filter(is_harmless))?;
    Some((at(Some(part)), true))
}

/// Whether a part of a redacted header field is no secret: the name of a cookie, or of the scheme that it begins with.
fn is_structure(literal: &str, field: &[u8]) -> bool {
    const MAX_NAME_LEN: usize = 64;
    let rest = literal.trim_start_matches([';', ' ']);
    let is_name = |name: &str| {
        name.len() <= MAX_NAME_LEN && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    };
    let is_scheme = |name: &str| name.len() <= MAX_NAME_LEN && name.bytes().all(|b| b.is_ascii_alphabetic());
    let is_first = field.starts_with(literal.as_bytes());
    rest.is_empty()
        || rest.strip_suffix('=').is_some_and(is_name)
        || is_first && literal.strip_suffix(' ').is_some_and(is_scheme)
}

/// A place with every index as `[*]`.
fn folded(place: &str) -> String {
    let mut out = String::with_capacity(place.len());
    let mut rest = place;
    while let Some(open) = rest.find('[') {
        let (before, after) = rest.split_at(open);
        let close = after.find(']').unwrap_or(after.len() - 1);
        let index = after.get(1..close).unwrap_or_default();
        let is_index = index.bytes().all(|byte| byte.is_ascii_digit());
        out.push_str(before);
        out.push_str(if is_index { "[*]" } else { after.get(..=close).unwrap_or_default() });
        rest = after.get(close + 1..).unwrap_or_default();
    }
    out + rest
}

#[cfg(test)]
mod tests;

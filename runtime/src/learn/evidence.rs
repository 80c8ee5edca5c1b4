//! What differed in replays of which nothing should have: by the kind of message and the place in it.

use std::collections::{BTreeMap, BTreeSet};

use reel_compiler::native::route::route;
use reel_lang::schema::Side;
use reel_lang::value::Value;
use reel_protocols::Message;

use super::text::quoted;
use crate::matching::{Difference, Place};
use crate::recording::{CallId, Error, Exchange, Recording, TestId};
use crate::replay::{Reply, Run};

/// The most differences that are kept of one place.
const MAX_SEEN: usize = 200;

/// The kind of message and the place in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// `match:http:in:response`.
    pub header: String,
    /// `method == "GET" && route(path) == "/orders/:id"`; empty where nothing tells one operation from another.
    pub predicate: String,
    /// `body.items[*].id`.
    pub path: String,
}

/// A difference at a place.
#[derive(Debug, Clone)]
pub struct Seen {
    pub test: Option<TestId>,
    /// Which replay, from 0.
    pub replay: usize,
    pub place: Place,
    pub recorded: Value,
    pub replayed: Value,
    /// Whether these are two lists of the same items in another order.
    pub is_order: bool,
}

/// A shorter text is the same as another by chance.
const MIN_ECHO_LEN: usize = 6;

/// All differences of some replays.
#[derive(Debug, Default)]
pub struct Evidence {
    pub sites: BTreeMap<Site, Vec<Seen>>,
    /// What failed that no rule can let pass.
    pub other: BTreeSet<String>,
}

impl Evidence {
    /// Takes the differences of one replay.
    ///
    /// # Errors
    /// A document of the recording that cannot be read.
    pub fn take(&mut self, recording: &Recording, replay: usize, run: &Run) -> Result<(), Error> {
        for outcome in &run.tests {
            let Some(outline) = recording.find_test(outcome.id).filter(|_| !outcome.is_passed()) else { continue };
            let test = Some(outcome.id);
            let effects = &outcome.effects;
            match &outcome.reply {
                // A call that got an error instead of its answer explains any response: the next round tells.
                Reply::Compared(_) if effects.has_missed() => {}
                Reply::Compared(differences) if !differences.is_empty() => {
                    let recorded = recording.test(outline)?.exchange;
                    let replayed = outcome.answer.as_ref().and_then(|answer| answer.response.as_ref());
                    let message = (recorded.response.as_ref(), replayed);
                    self.message((test, replay), (&recorded, Side::Response), message, differences);
                }
                Reply::Compared(_) => {}
                Reply::Failed(reason) | Reply::NotRun(reason) => {
                    self.other.insert(format!("{} {}: {reason}", outcome.id, outcome.title));
                }
            }
            for answered in &effects.answered {
                self.call(recording, (test, replay), &answered.mock, answered.request.as_ref(), &answered.differences)?;
            }
            for changed in &effects.changed {
                self.call(
                    recording,
                    (test, replay),
                    &changed.mock,
                    changed.miss.request.as_ref(),
                    &changed.differences,
                )?;
            }
            let counts = [
                (effects.missing.len(), "missing"),
                (effects.misses.len(), "extra"),
                (effects.repeated.len(), "repeated"),
                (effects.disordered.len(), "out of its order"),
                (effects.unmet.len() + outcome.unmet.len(), "against a `require`"),
            ];
            for (_, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
                self.other.insert(format!("{} {}: a call is {what}", outcome.id, outcome.title));
            }
        }
        if !run.is_set_clean() {
            self.other.insert("calls that belong to no single test are not as recorded".to_owned());
        }
        Ok(())
    }

    /// Another place that had the value of this one in each recorded test: the two are an echo of each other.
    pub fn echo(&self, site: &Site) -> Option<&Site> {
        let seen = self.sites.get(site)?;
        let is_long = |one: &Seen| one.recorded.as_bytes().is_some_and(|text| text.len() >= MIN_ECHO_LEN);
        let is_same = |one: &Seen, other: &Seen| one.test == other.test && one.recorded == other.recorded;
        let is_echo =
            |others: &[Seen]| seen.iter().all(|one| is_long(one) && others.iter().any(|other| is_same(one, other)));
        self.sites.iter().find(|(other, others)| *other != site && is_echo(others)).map(|(other, _)| other)
    }

    fn call(
        &mut self,
        recording: &Recording,
        of: (Option<TestId>, usize),
        mock: &crate::recording::MockId,
        replayed: Option<&Message>,
        differences: &[Difference],
    ) -> Result<(), Error> {
        if let Some(outline) = CallId::of(mock).and_then(|id| recording.find(id)) {
            let recorded = recording.mock(outline)?.exchange;
            self.message(of, (&recorded, Side::Request), (recorded.request.as_ref(), replayed), differences);
        }
        Ok(())
    }

    /// Takes the differences of one message; lists whose items are only in another order stand for all below them.
    fn message(
        &mut self,
        (test, replay): (Option<TestId>, usize),
        (exchange, side): (&Exchange, Side),
        (recorded, replayed): (Option<&Message>, Option<&Message>),
        differences: &[Difference],
    ) {
        let (header, predicate) = operation(exchange, side);
        let lists = |place: &Place| {
            let (was, is) = (field(exchange, side, recorded?, place)?, field(exchange, side, replayed?, place)?);
            place.lists().find_map(|list| {
                let (was, is) = (list.find(was)?, list.find(is)?);
                is_reordered(was, is).then(|| (list, was.clone(), is.clone()))
            })
        };
        let mut taken: Vec<Place> = Vec::new();
        for difference in differences {
            let Some(place) = Place::parse(&difference.path) else {
                self.other.insert(format!("{}: {}", difference.path, difference.why));
                continue;
            };
            if taken.iter().any(|list| list.holds(&place)) {
                continue;
            }
            let (place, recorded, replayed, is_order) = match lists(&place) {
                Some((list, was, is)) => {
                    taken.push(list.clone());
                    (list, was, is, true)
                }
                None => (place, difference.recorded.clone(), difference.replayed.clone(), false),
            };
            let site = Site { header: header.clone(), predicate: predicate.clone(), path: place.display(true) };
            let seen = self.sites.entry(site).or_default();
            if seen.len() < MAX_SEEN {
                seen.push(Seen { test, replay, place, recorded, replayed, is_order });
            }
        }
    }
}

fn field<'m>(exchange: &Exchange, side: Side, message: &'m Message, place: &Place) -> Option<&'m Value> {
    let protocol = reel_protocols::by_name(&exchange.protocol)?;
    Some(message.field(protocol.schema().field(side, &place.field)?.id))
}

/// The header and the predicate of a rule for exchanges of this operation.
fn operation(exchange: &Exchange, side: Side) -> (String, String) {
    let header = format!("match:{}:{}:{}", exchange.protocol, exchange.direction.name(), side.name());
    let Some((protocol, request)) = reel_protocols::by_name(&exchange.protocol).zip(exchange.request.as_ref()) else {
        return (header, String::new());
    };
    let named = protocol
        .schema()
        .fields
        .iter()
        .filter(|field| field.side == Some(Side::Request) && field.key && field.compared);
    let equals = named.filter_map(|field| {
        let text = request.field(field.id).as_str()?;
        // A path may have parameters, which say nothing of the operation.
        Some(match text.starts_with('/') {
            true => format!("route({}) == {}", field.name, quoted(&route(text.as_bytes()))),
            false => format!("{} == {}", field.name, quoted(text.as_bytes())),
        })
    });
    (header, equals.collect::<Vec<_>>().join(" && "))
}

/// The longest lists that are looked at for their order.
const MAX_ITEMS: usize = 2_000;

/// Whether two lists have the same items in another order.
fn is_reordered(was: &Value, is: &Value) -> bool {
    let (Value::List(was), Value::List(is)) = (was.untagged(), is.untagged()) else { return false };
    if was.len() != is.len() || was.len() > MAX_ITEMS || was == is {
        return false;
    }
    let mut left: Vec<&Value> = is.iter().collect();
    was.iter().all(|item| match left.iter().position(|other| *other == item) {
        Some(at) => {
            left.swap_remove(at);
            true
        }
        None => false,
    })
}

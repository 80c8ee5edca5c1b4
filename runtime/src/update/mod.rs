//! Accepting change: what a replay did otherwise becomes what the recording says.
//!
//! Each difference is one change, accepted or not: a field of a response, a field of a call, a call that is no longer made. The recording is
//! written anew beside itself and takes its own place in one step; what was not accepted stays as it was. A call that was not
//! recorded has no answer, so it cannot be accepted: only a new recording can have it. Nor can what rules redact, nor what a test
//! did after a call got an error in place of its answer.

mod edit;

use std::collections::{BTreeMap, HashMap, HashSet};

use reel_lang::schema::Side;
use reel_protocols::Message;

use crate::flow::Flow;
use crate::matching::{Difference, Place};
use crate::record::compose::Selection;
use crate::recording::{
    CallId, Circumstance, Closing, Cue, EffectRef, Error, Exchange, Losses, MockId, Owner, Recording, TestId, Writer,
};
use crate::replay::{Reply, Run};

/// A change that can be accepted.
#[derive(Debug, Clone)]
pub struct Change {
    /// What it is about, on one line: `0002 POST /orders/1001: response body.left`.
    pub title: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// A place of a message differs.
    Field { owner: Owner, side: Side, difference: Difference, replayed: Option<Message> },
    /// A test no longer makes a call.
    Dropped { test: TestId, mock: MockId },
}

impl Change {
    /// The difference, where it is one of a field.
    pub fn difference(&self) -> Option<&Difference> {
        match &self.kind {
            Kind::Field { difference, .. } => Some(difference),
            Kind::Dropped { .. } => None,
        }
    }
}

/// What a replay did otherwise.
#[derive(Debug, Default)]
pub struct Changes {
    pub changes: Vec<Change>,
    /// What cannot be accepted, and why.
    pub others: Vec<String>,
}

/// Finds what can be accepted in a run.
pub fn changes(run: &Run) -> Changes {
    let mut found = Changes::default();
    for outcome in run.tests.iter().filter(|outcome| !outcome.is_passed()) {
        let name = format!("{} {}", outcome.id, outcome.title);
        let effects = &outcome.effects;
        let has_missed = effects.has_missed();
        match &outcome.reply {
            Reply::Compared(_) if has_missed => {
                found.others.push(format!("{name}: what follows a call that got an error in place of its answer"));
            }
            Reply::Compared(differences) => {
                let replayed = outcome.answer.as_ref().and_then(|answer| answer.response.clone());
                found.fields(
                    &format!("{name}: response"),
                    Owner::Test(outcome.id),
                    Side::Response,
                    differences,
                    replayed,
                );
            }
            Reply::Failed(reason) | Reply::NotRun(reason) => found.others.push(format!("{name}: {reason}")),
        }
        let answered =
            effects.answered.iter().map(|one| (&one.mock, &one.title, &one.differences, one.request.as_ref()));
        let changed =
            effects.changed.iter().map(|one| (&one.mock, &one.title, &one.differences, one.miss.request.as_ref()));
        for (mock, title, differences, request) in answered.chain(changed) {
            if let Some(id) = CallId::of(mock) {
                let title = format!("{name}: call {mock} {title}");
                found.fields(&title, Owner::Mock(id), Side::Request, differences, request.cloned());
            }
        }
        for missing in effects.missing.iter().filter(|_| !has_missed) {
            let title = format!("{name}: call {} {} is no longer made", missing.mock, missing.title);
            found.changes.push(Change { title, kind: Kind::Dropped { test: outcome.id, mock: missing.mock.clone() } });
        }
        let calls = effects.misses.iter().chain(effects.repeated.iter().map(|repeated| &repeated.miss));
        found
            .others
            .extend(calls.map(|miss| format!("{name}: call {} was not recorded: it has no answer", miss.title)));
        let unmet = outcome.unmet.iter().chain(effects.unmet.iter().map(|unmet| &unmet.unmet));
        found.others.extend(unmet.map(|unmet| format!("{name}: not met: {}", unmet.why)));
    }
    if !run.is_set_clean() {
        found.others.push("calls that belong to no single test are not as recorded".to_owned());
    }
    found
}

impl Changes {
    fn fields(&mut self, title: &str, owner: Owner, side: Side, differences: &[Difference], replayed: Option<Message>) {
        for difference in differences {
            let title = format!("{title} {}", difference.path);
            if Place::parse(&difference.path).is_none() {
                self.others.push(format!("{title}: {}", difference.why));
                continue;
            }
            let kind = Kind::Field { owner, side, difference: difference.clone(), replayed: replayed.clone() };
            self.changes.push(Change { title, kind });
        }
    }
}

/// Writes the recording anew with the changes that were accepted. Gives what could not be changed after all, and why.
///
/// # Errors
/// A document that cannot be read or written; the recording is then as it was.
pub fn apply(recording: &Recording, accepted: &[Change], selection: &mut dyn Selection) -> Result<Vec<String>, Error> {
    let mut fields: BTreeMap<Owner, Vec<&Change>> = BTreeMap::new();
    let mut dropped: HashSet<(TestId, MockId)> = HashSet::new();
    for change in accepted {
        match &change.kind {
            Kind::Field { owner, .. } => fields.entry(*owner).or_default().push(change),
            Kind::Dropped { test, mock } => {
                dropped.insert((*test, mock.clone()));
            }
        }
    }
    let about = recording.about.clone();
    let closing = Closing {
        started_ns: recording.started_ns(),
        losses: Losses::default(),
        app_exit: about.app_exit,
        secrets: about.secrets.clone(),
    };
    let mut rewrite =
        Rewrite { recording, fields, selection, refused: Vec::new(), ids: HashMap::new(), tests: HashMap::new() };
    let mut writer = Writer::create(&recording.dir, about)?;
    match rewrite.all(&dropped, &mut writer) {
        Ok(()) => writer.finish(closing).map(|_| rewrite.refused),
        Err(error) => {
            writer.abandon();
            Err(error)
        }
    }
}

struct Rewrite<'a> {
    recording: &'a Recording,
    fields: BTreeMap<Owner, Vec<&'a Change>>,
    selection: &'a mut dyn Selection,
    refused: Vec<String>,
    /// What a call is called now.
    ids: HashMap<MockId, MockId>,
    /// What a test is called now.
    tests: HashMap<TestId, TestId>,
}

impl Rewrite<'_> {
    fn all(&mut self, dropped: &HashSet<(TestId, MockId)>, writer: &mut Writer) -> Result<(), Error> {
        let recording = self.recording;
        let mut owned: HashMap<MockId, bool> = HashMap::new();
        for test in recording.tests() {
            for effect in &test.effects {
                let id = effect.call.id();
                let stays = !dropped.contains(&(test.id, id.clone()));
                *owned.entry(id).or_default() |= stays;
            }
        }
        for outline in recording.mocks() {
            // A call that only tests made which no longer do.
            if owned.get(&outline.id.id()) == Some(&false) {
                continue;
            }
            let mock = recording.mock(outline)?;
            let at = self.at(Owner::Mock(outline.id));
            let exchange = self.changed(Owner::Mock(outline.id), mock.exchange, &at);
            let cue = mock.cue.map(|cue| match cue {
                Cue::After(id) => Cue::After(self.ids.get(&id).cloned().unwrap_or(id)),
                Cue::Connect => Cue::Connect,
            });
            let id = writer.add_mock(mock.scope, cue, exchange, mock.tags, at)?;
            self.ids.insert(mock.id, id);
        }
        for outline in recording.tests() {
            let test = recording.test(outline)?;
            let at = self.at(Owner::Test(test.id));
            let exchange = self.changed(Owner::Test(test.id), test.exchange, &at);
            let stays = test.effects.into_iter().filter(|effect| !dropped.contains(&(test.id, effect.mock.clone())));
            let renamed = |effect: EffectRef| Some(EffectRef { mock: self.ids.get(&effect.mock)?.clone(), ..effect });
            let effects = stays.filter_map(renamed).collect();
            let flows = test.flows.into_iter().filter_map(|flow| self.moved(flow)).collect();
            let id = writer.add_test_with(exchange, effects, test.tags, flows, at)?;
            self.tests.insert(outline.id, id);
        }
        Ok(())
    }

    /// A flow by what its exchanges are called now; none where its source is gone.
    fn moved(&self, flow: Flow) -> Option<Flow> {
        let owner = |owner: Owner| match owner {
            Owner::Test(id) => self.tests.get(&id).copied().map(Owner::Test),
            Owner::Mock(id) => self.ids.get(&id.id()).and_then(CallId::of).map(Owner::Mock),
        };
        let plain = flow.plain.and_then(|(call, at)| Some((owner(call)?, at)));
        Some(Flow { from: owner(flow.from)?, plain, ..flow })
    }

    fn at(&self, owner: Owner) -> Circumstance {
        self.recording.timing(owner).unwrap_or_default()
    }

    /// An exchange with its accepted changes.
    fn changed(&mut self, owner: Owner, mut exchange: Exchange, at: &Circumstance) -> Exchange {
        let mut changes = self.fields.remove(&owner).unwrap_or_default();
        // From the back: taking an item out of a list moves those behind it.
        changes.reverse();
        let (mut taken_away, mut rest): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.difference().is_some_and(|found| found.replayed.is_nil()));
        rest.reverse();
        taken_away.append(&mut rest);
        for change in taken_away {
            match self.set(&exchange, change, at) {
                Ok(next) => exchange = next,
                Err(reason) => self.refused.push(format!("{}: {reason}", change.title)),
            }
        }
        exchange
    }

    fn set(&mut self, exchange: &Exchange, change: &Change, at: &Circumstance) -> Result<Exchange, String> {
        let Kind::Field { side, difference, replayed, .. } = &change.kind else { return Err("no field".to_owned()) };
        let protocol = reel_protocols::by_name(&exchange.protocol).ok_or("this version does not know its protocol")?;
        let place = Place::parse(&difference.path).ok_or("it is no place")?;
        let mut next = exchange.clone();
        let message = match side {
            Side::Request => next.request.as_mut(),
            Side::Response => next.response.as_mut(),
        };
        let message = message.ok_or("the recording has no such message")?;
        edit::set(protocol, message, &place, &difference.replayed, replayed.as_ref())?;
        // What a rule would take out must not reach the disk by this way.
        let mut judged = next.clone();
        self.selection.judge(&mut judged, at);
        if judged.request != next.request || judged.response != next.response {
            return Err("it is redacted: record it again".to_owned());
        }
        Ok(next)
    }
}

//! One walk over two messages side by side.

use reel_lang::schema::{FieldType, Schema, Side};
use reel_lang::value::Value;
use reel_protocols::Message;

use super::entries::by_name;
use super::equality::{Conflict, Equality, SECRET, is_clock_reading};
use super::names::Way;
use super::number::{Number, is_within};
use super::path::{Active, Place, display, display_step};
use super::usage::{Note, Usage};
use crate::recording::{NUMBER, is_secret};
use crate::rules::{Classes, Relax, Relaxation};

/// A place where a replayed message is not what the recording and the rules want.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The place, as a rule would write it.
    pub path: String,
    /// Nil where the recording has nothing there.
    pub recorded: Value,
    /// Nil where the replayed message has nothing there.
    pub replayed: Value,
    /// What is wrong, as a phrase.
    pub why: String,
}

/// How many differences of one message are kept.
const MAX_DIFFERENCES: usize = 50;

/// Compares messages, with what a whole run remembers.
pub struct Matcher<'a> {
    pub classes: &'a dyn Classes,
    pub equality: &'a mut Equality,
    pub usage: &'a mut Usage,
}

impl Matcher<'_> {
    /// Compares two messages of one side. No difference means equal but for what the rules relax.
    pub fn compare(
        &mut self,
        schema: &Schema,
        side: Side,
        recorded: &Message,
        replayed: &Message,
        rules: &[Relaxation],
    ) -> Vec<Difference> {
        let mut walk = Walk {
            classes: self.classes,
            equality: self.equality,
            rules,
            field: "",
            ty: FieldType::Any,
            steps: Vec::new(),
            notes: Vec::new(),
            found: Vec::new(),
        };
        for field in schema.fields.iter().filter(|field| field.side == Some(side)) {
            let active = Active::at_field(rules.iter().map(|rule| &rule.path), field.id);
            // A rule may name a field that otherwise does not count, and then asks for it to be looked at.
            if field.compared || rules.iter().any(|r| r.path.field == field.id && r.relax.is_requirement()) {
                walk.field = &field.name;
                walk.ty = field.ty;
                walk.place(&active, some(recorded.field(field.id)), some(replayed.field(field.id)));
            }
        }
        let Walk { notes, found, .. } = walk;
        self.usage.note(rules, &notes);
        found
    }
}

/// Whether a rule that lets two values differ is used by them. Two readings of a clock count also where they are the same: near the
/// turn of a second that is chance, and a report must not tell of chance.
fn is_relaxed(recorded: Option<&Value>, replayed: Option<&Value>) -> bool {
    recorded != replayed || recorded.is_some_and(is_clock_reading)
}

/// A value that is there; a field that a message lacks is nil.
fn some(value: &Value) -> Option<&Value> {
    Some(value).filter(|value| !value.is_nil())
}

struct Walk<'a> {
    classes: &'a dyn Classes,
    equality: &'a mut Equality,
    rules: &'a [Relaxation],
    field: &'a str,
    ty: FieldType,
    steps: Vec<String>,
    notes: Vec<Note>,
    found: Vec<Difference>,
}

impl Walk<'_> {
    /// Compares what stands at one place, where either may be missing.
    fn place(&mut self, active: &Active, recorded: Option<&Value>, replayed: Option<&Value>) {
        let here = active.complete(|i| &self.rules[i].path);
        self.notes.extend(here.iter().map(|i| Note::Met(*i)));
        let requirement = here.iter().copied().find(|i| self.rules[*i].relax.is_requirement());
        let ignore = here.iter().copied().find(|i| self.rules[*i].relax == Relax::Ignore);
        match (ignore, requirement) {
            (Some(ignore), None) => {
                if is_relaxed(recorded, replayed) {
                    self.notes.push(Note::Relaxed(ignore));
                }
                return;
            }
            (Some(ignore), Some(by)) => self.notes.push(Note::GaveWay(ignore, by)),
            (None, _) => {}
        }
        match (recorded, replayed) {
            (None, None) => {}
            (Some(recorded), Some(replayed)) => self.both(active, &here, recorded, replayed),
            (recorded, replayed) => match here.iter().find(|i| self.rules[**i].relax == Relax::Optional) {
                Some(optional) => self.notes.push(Note::Relaxed(*optional)),
                None => {
                    let why = if recorded.is_some() { "it is missing" } else { "it was not there in the recording" };
                    self.differ(recorded, replayed, why);
                }
            },
        }
    }

    fn both(&mut self, active: &Active, here: &[usize], recorded: &Value, replayed: &Value) {
        let mut replaced = false;
        let mut unordered = None;
        for &i in here {
            match &self.rules[i].relax {
                Relax::Like { .. } | Relax::Within(_) => {
                    replaced = true;
                    self.require(i, recorded, replayed);
                }
                Relax::Unordered => unordered = Some(i),
                Relax::Ignore | Relax::Optional | Relax::Secret => {}
            }
        }
        if !replaced {
            self.structure(active, unordered, recorded, replayed);
        }
    }

    /// Holds a value to one `like` or `within`.
    fn require(&mut self, rule: usize, recorded: &Value, replayed: &Value) {
        let before = self.found.len();
        match &self.rules[rule].relax {
            Relax::Like { class, name } => {
                if recorded.kind() != replayed.kind() {
                    let why = format!("it was a {}, and is a {}", recorded.kind(), replayed.kind());
                    self.differ(Some(recorded), Some(replayed), &why);
                } else if !self.classes.contains(*class, replayed) {
                    self.differ(Some(recorded), Some(replayed), &format!("it is not like {name}"));
                } else if !self.classes.contains(*class, recorded) {
                    self.differ(Some(recorded), Some(replayed), &format!("the recorded value is not like {name}"));
                } else if !is_clock_reading(recorded) {
                    self.keep_equality(name, recorded, replayed);
                }
            }
            Relax::Within(tolerance) => match (Number::of(recorded.untagged()), Number::of(replayed.untagged())) {
                (Some(a), Some(b)) if is_within(&a, &b, *tolerance) => {}
                (Some(_), Some(_)) => self.differ(Some(recorded), Some(replayed), "it is not within the tolerance"),
                _ => self.differ(Some(recorded), Some(replayed), "a tolerance wants two numbers"),
            },
            _ => {}
        }
        if self.found.len() == before && is_relaxed(Some(recorded), Some(replayed)) {
            self.notes.push(Note::Relaxed(rule));
        }
    }

    fn keep_equality(&mut self, class: &str, recorded: &Value, replayed: &Value) {
        let bytes = |value: &Value| match value.as_bytes() {
            Some(bytes) => bytes.to_vec(),
            None => digits(value).unwrap_or_else(|| format!("{:?}", value.untagged())).into_bytes(),
        };
        let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if let Err(conflict) = self.equality.pair(class, &bytes(recorded), &bytes(replayed)) {
            let why = match conflict {
                Conflict::Recorded(other) => format!("the same recorded value came back as {} before", show(&other)),
                Conflict::Replayed(other) => format!("this value stood for the recorded {} before", show(&other)),
            };
            self.differ(Some(recorded), Some(replayed), &why);
        }
    }

    fn structure(&mut self, active: &Active, unordered: Option<usize>, recorded: &Value, replayed: &Value) {
        match (recorded, replayed) {
            (Value::Tagged(NUMBER, token), number)
                if number.kind() == "number" && token.as_bytes().is_some_and(is_secret) =>
            {
                self.notes.push(Note::Secret);
                self.keep_equality(SECRET, token, number);
            }
            (Value::Tagged(a, recorded), Value::Tagged(b, replayed)) if a == b => {
                self.structure(active, unordered, recorded, replayed);
            }
            (Value::Tagged(a, _), Value::Tagged(b, _)) => {
                let why = format!("it was a {a} on the wire, and is a {b}");
                self.differ(Some(recorded), Some(replayed), &why);
            }
            (Value::Map(a), Value::Map(b)) => self.maps(active, a, b),
            (Value::List(a), Value::List(b)) => match unordered {
                Some(rule) => self.sets(active, rule, a, b),
                None => self.lists(active, a, b),
            },
            (Value::Str(token), Value::Str(_)) if is_secret(token) => {
                self.notes.push(Note::Secret);
                self.keep_equality(SECRET, recorded, replayed);
            }
            _ if scalars_equal(recorded, replayed) => {}
            _ if self.is_renamed(recorded, replayed) => self.notes.push(Note::Renamed),
            _ if recorded.kind() != replayed.kind() => {
                let why = format!("it was a {}, and is a {}", recorded.kind(), replayed.kind());
                self.differ(Some(recorded), Some(replayed), &why);
            }
            _ => self.differ(Some(recorded), Some(replayed), "it changed"),
        }
    }

    /// Whether a value is what the recorded one is called in this replay.
    fn is_renamed(&self, recorded: &Value, replayed: &Value) -> bool {
        let renamed = self.equality.names().within(Way::ToReplay, recorded);
        renamed.is_some_and(|renamed| scalars_equal(&renamed, replayed))
    }

    fn maps(&mut self, active: &Active, recorded: &[(Value, Value)], replayed: &[(Value, Value)]) {
        let renamed = self.renamed_keys(recorded);
        let recorded = renamed.as_deref().unwrap_or(recorded);
        let (mut a, mut b) = (by_name(recorded, self.ty), by_name(replayed, self.ty));
        let mut names: Vec<String> = a.keys().chain(b.keys()).cloned().collect();
        names.sort();
        names.dedup();
        for name in names {
            let (a, b) = (a.remove(&name).unwrap_or_default(), b.remove(&name).unwrap_or_default());
            let below = self.enter(active, Place::Name(&name));
            match (a.as_slice(), b.as_slice()) {
                ([], [b]) => self.place(&below, None, Some(b)),
                ([a], []) => self.place(&below, Some(a), None),
                ([a], [b]) => self.place(&below, Some(a), Some(b)),
                (a, b) => self.repeated(&below, a, b),
            }
            self.steps.pop();
        }
    }

    /// A map whose keys are called otherwise in this replay.
    fn renamed_keys(&mut self, recorded: &[(Value, Value)]) -> Option<Vec<(Value, Value)>> {
        let names = self.equality.names();
        if names.is_empty() || self.ty == FieldType::Headers {
            return None;
        }
        let keys: Vec<_> = recorded.iter().map(|(key, _)| names.within(Way::ToReplay, key)).collect();
        let is_renamed = keys.iter().any(Option::is_some);
        self.notes.extend(is_renamed.then_some(Note::Renamed));
        let pairs = || {
            keys.into_iter()
                .zip(recorded)
                .map(|(key, (old, value))| (key.unwrap_or_else(|| old.clone()), value.clone()))
        };
        is_renamed.then(|| pairs().collect())
    }

    /// Compares the values of a name that stands more than once; a rule that names it speaks of each.
    fn repeated(&mut self, active: &Active, recorded: &[&Value], replayed: &[&Value]) {
        for index in 0..recorded.len().max(replayed.len()) {
            self.steps.push(display_step(Place::Index(index)));
            let mut below = self.step(active, Place::Index(index));
            below.merge(active);
            self.place(&below, recorded.get(index).copied(), replayed.get(index).copied());
            self.steps.pop();
        }
    }

    fn lists(&mut self, active: &Active, recorded: &[Value], replayed: &[Value]) {
        for index in 0..recorded.len().max(replayed.len()) {
            let below = self.enter(active, Place::Index(index));
            self.place(&below, recorded.get(index), replayed.get(index));
            self.steps.pop();
        }
    }

    /// Compares two lists whose order does not count: each recorded item takes the first replayed one that agrees.
    fn sets(&mut self, active: &Active, rule: usize, recorded: &[Value], replayed: &[Value]) {
        let mut free: Vec<(usize, &Value)> = replayed.iter().enumerate().collect();
        let mut alone = Vec::new();
        let mut moved = false;
        for (index, item) in recorded.iter().enumerate() {
            match (0..free.len()).find(|at| self.agrees(active, index, item, free[*at].1)) {
                Some(at) => moved |= free.remove(at).0 != index,
                None => alone.push((index, item)),
            }
        }
        if moved {
            self.notes.push(Note::Relaxed(rule));
        }
        let mut free = free.into_iter();
        for (index, item) in alone {
            let below = self.enter(active, Place::Index(index));
            self.place(&below, Some(item), free.next().map(|(_, item)| item));
            self.steps.pop();
        }
        for (index, item) in free {
            let below = self.enter(active, Place::Index(index));
            self.place(&below, None, Some(item));
            self.steps.pop();
        }
    }

    /// Whether two items agree; if not, the trial leaves no trace.
    fn agrees(&mut self, active: &Active, index: usize, recorded: &Value, replayed: &Value) -> bool {
        let (notes, found, pairs) = (self.notes.len(), self.found.len(), self.equality.checkpoint());
        let full = found >= MAX_DIFFERENCES;
        let kept = if full { std::mem::take(&mut self.found) } else { Vec::new() };
        let base = self.found.len();
        let below = self.enter(active, Place::Index(index));
        self.place(&below, Some(recorded), Some(replayed));
        self.steps.pop();
        let agrees = self.found.len() == base;
        if !agrees {
            self.notes.truncate(notes);
            self.found.truncate(base);
            self.equality.roll_back(pairs);
        }
        if full {
            self.found = kept;
        }
        agrees
    }

    fn enter(&mut self, active: &Active, place: Place<'_>) -> Active {
        self.steps.push(display_step(place));
        self.step(active, place)
    }

    fn step(&self, active: &Active, place: Place<'_>) -> Active {
        if active.is_empty() { Active::default() } else { active.step(|i| &self.rules[i].path, place, self.ty) }
    }

    fn differ(&mut self, recorded: Option<&Value>, replayed: Option<&Value>, why: &str) {
        if self.found.len() < MAX_DIFFERENCES {
            self.found.push(Difference {
                path: display(self.field, &self.steps),
                recorded: recorded.cloned().unwrap_or_default(),
                replayed: replayed.cloned().unwrap_or_default(),
                why: why.to_owned(),
            });
        }
    }
}

/// A number as it is written.
pub(crate) fn digits(value: &Value) -> Option<String> {
    match value {
        Value::Int(n) => Some(n.to_string()),
        Value::Uint(n) => Some(n.to_string()),
        Value::Decimal(digits) => Some(digits.to_string()),
        _ => None,
    }
}

/// Whether two scalars are one value.
fn scalars_equal(a: &Value, b: &Value) -> bool {
    let numbers = |value: &Value| matches!(value, Value::Int(_) | Value::Uint(_) | Value::Decimal(_));
    if numbers(a) && numbers(b) { Number::of(a) == Number::of(b) } else { a == b }
}

//! The narrowest rule that lets what differed pass.
//!
//! In this order: another order of a list, a class of noise, a tolerance of numbers, a shape of texts, a field that may be missing. Only where none of
//! these holds is a field ignored, and the file says so. What differs from the recording and is the same in each replay, of no
//! class, is a change and no noise: no rule is proposed.

use std::collections::BTreeSet;

use reel_lang::value::Value;

use super::evidence::{Seen, Site};
use super::shape::shape;
use super::text::quoted;
use crate::matching::Number;
use crate::noise::{Class, Noise};
use crate::recording::display;

/// A rule's action, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// `like(body.id, uuid);`, one or several.
    pub actions: Vec<String>,
    /// A class that the actions need, as it is declared.
    pub class: Option<String>,
    /// What was seen, for a comment.
    pub evidence: String,
}

/// Finds the rule for a place; none where what differs is no noise.
pub fn propose(noise: &Noise, examples: &Examples<'_>, site: &Site, seen: &[Seen], number: usize) -> Option<Proposal> {
    let path = path(site, seen);
    if seen.iter().all(|seen| seen.is_order) {
        let actions = vec![format!("unordered({path});")];
        return Some(Proposal { actions, class: None, evidence: summary(seen, "the same items in another order") });
    }
    let mut actions = Vec::new();
    let is_nil = |seen: &Seen| seen.recorded.is_nil() || seen.replayed.is_nil();
    if seen.iter().any(is_nil) {
        actions.push(format!("optional({path});"));
    }
    let both: Vec<&Seen> = seen.iter().filter(|seen| !is_nil(seen)).collect();
    if both.is_empty() {
        return Some(Proposal { actions, class: None, evidence: summary(seen, "sometimes missing") });
    }
    let values: Vec<&Value> = both.iter().flat_map(|seen| [&seen.recorded, &seen.replayed]).collect();
    let name = both.first().map_or("", |seen| seen.place.name());
    if let Some(class) = examples.narrowest(noise, &values, name) {
        actions.push(format!("like({path}, {});", class.name));
        return Some(Proposal { actions, class: None, evidence: summary(seen, &format!("all in `{}`", class.name)) });
    }
    if is_constant(&both) {
        return None;
    }
    if let Some(tolerance) = tolerance(&both) {
        actions.push(format!("within({path}, {tolerance});"));
        return Some(Proposal { actions, class: None, evidence: summary(seen, "numbers, at most half as far apart") });
    }
    let texts: Option<Vec<&str>> = values.iter().map(|value| value.as_str()).collect();
    if let Some(regex) = texts.and_then(|texts| shape(&texts)) {
        let class = class_name(name, number);
        actions.push(format!("like({path}, {class});"));
        let declared = format!("noise {class}(s) = s =~ {};", quoted(regex.as_bytes()));
        return Some(Proposal { actions, class: Some(declared), evidence: summary(seen, "of one shape, in no class") });
    }
    actions.push(format!("ignore({path});"));
    Some(Proposal { actions, class: None, evidence: summary(seen, "in no class, and of no shape") })
}

/// The path of a rule: with `[*]` only where more than one index differed.
fn path(site: &Site, seen: &[Seen]) -> String {
    let mut places: BTreeSet<String> = seen.iter().map(|seen| seen.place.display(false)).collect();
    match (places.len(), places.pop_first()) {
        (1, Some(only)) => only,
        _ => site.path.clone(),
    }
}

/// Whether each place has one value in every replay.
fn is_constant(seen: &[&Seen]) -> bool {
    let differs =
        |one: &Seen, other: &Seen| one.test == other.test && one.place == other.place && one.replayed != other.replayed;
    !seen.iter().any(|one| seen.iter().any(|other| differs(one, other)))
}

/// How far apart numbers may be: twice as far as they were, as a round number.
fn tolerance(seen: &[&Seen]) -> Option<String> {
    let number = |value: &Value| -> Option<f64> {
        Number::of(value.untagged())?;
        display(value).trim_matches('"').parse().ok()
    };
    let apart = seen.iter().map(|seen| Some((number(&seen.recorded)? - number(&seen.replayed)?).abs()));
    let most = apart.collect::<Option<Vec<f64>>>()?.into_iter().fold(0.0, f64::max) * 2.0;
    if !most.is_finite() || most <= 0.0 {
        return None;
    }
    let power = 10f64.powi(most.log10().floor() as i32);
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|round| *round >= most)?;
    Some(if round >= 1.0 { format!("{round:.0}") } else { format!("{round:.9}").trim_end_matches('0').to_owned() })
}

/// A name for a class that a field gave rise to.
fn class_name(field: &str, number: usize) -> String {
    let letters = field.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    format!("learned_{}_{number}", letters.collect::<String>())
}

/// How many values an evidence shows.
const SHOWN: usize = 3;
/// The longest value that it shows, in characters.
const MAX_SHOWN_CHARS: usize = 60;

fn summary(seen: &[Seen], what: &str) -> String {
    let tests: BTreeSet<_> = seen.iter().filter_map(|seen| seen.test).collect();
    let replays: BTreeSet<_> = seen.iter().map(|seen| seen.replay).collect();
    let noun = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let first = seen.first().map(|seen| shown(&seen.recorded)).unwrap_or_default();
    let mut others: Vec<String> = Vec::new();
    for text in seen.iter().map(|seen| shown(&seen.replayed)) {
        if others.len() < SHOWN && !others.contains(&text) {
            others.push(text);
        }
    }
    format!(
        "{} in {}, {what}: recorded {first}, replayed {}",
        noun(tests.len(), "test"),
        noun(replays.len(), "replay"),
        others.join(", ")
    )
}

fn shown(value: &Value) -> String {
    if value.is_nil() {
        return "nothing".to_owned();
    }
    let text = display(value).replace(char::is_control, " ");
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// How wide each class is: how many of the examples of all classes are in it.
pub struct Examples<'a> {
    by_width: Vec<(usize, &'a Class)>,
}

impl<'a> Examples<'a> {
    /// Measures the classes.
    pub fn of(noise: &'a Noise) -> Self {
        let examples: Vec<Value> =
            noise.classes.iter().flat_map(|class| &class.doc.examples).map(Value::text).collect();
        let width = |class: &Class| examples.iter().filter(|example| noise.contains(class, example)).count();
        let mut by_width: Vec<_> = noise.classes.iter().map(|class| (width(class), class)).collect();
        // A user's class says more than stdlib's.
        by_width.sort_by_key(|(width, class)| (!class.is_users, *width));
        Examples { by_width }
    }

    /// The narrowest class that all these values are in.
    fn narrowest(&self, noise: &Noise, values: &[&Value], name: &str) -> Option<&'a Class> {
        let fits = |class: &Class| values.iter().all(|value| noise.contains(class, value));
        // Any number of some size is a port.
        let is_plausible = |class: &Class| class.name != "port" || name.to_ascii_lowercase().contains("port");
        self.by_width.iter().map(|(_, class)| *class).find(|class| is_plausible(class) && fits(class))
    }
}

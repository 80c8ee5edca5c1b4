//! A place in a message as a difference names it (`body.items[0]["a-b"]`), taken apart.

use reel_lang::value::Value;

/// A step below a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Name(String),
    Index(usize),
}

/// A field and the way down from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub field: String,
    /// Each step as it is written, and what it means.
    steps: Vec<(String, Step)>,
}

impl Place {
    /// Reads a place; none for what is no place (`interim responses`).
    pub fn parse(text: &str) -> Option<Place> {
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let (field, mut rest) = text.split_at(end);
        let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name(field) {
            return None;
        }
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (written, step) = step(rest)?;
            rest = rest.get(written.len()..)?;
            steps.push((written.to_owned(), step));
        }
        Some(Place { field: field.to_owned(), steps })
    }

    /// The place as a rule writes it; with `any` every index as `[*]`.
    pub fn display(&self, is_any: bool) -> String {
        let step = |(written, step): &(String, Step)| match step {
            Step::Index(_) if is_any => "[*]".to_owned(),
            _ => written.clone(),
        };
        self.steps.iter().fold(self.field.clone(), |path, one| path + &step(one))
    }

    /// The way down from the field.
    pub fn steps(&self) -> Vec<Step> {
        self.steps.iter().map(|(_, step)| step.clone()).collect()
    }

    /// The lists on the way down, outermost first: each as a place.
    pub fn lists(&self) -> impl Iterator<Item = Place> {
        let at = self.steps.iter().enumerate().filter(|(_, (_, step))| matches!(step, Step::Index(_)));
        at.map(|(len, _)| Place { field: self.field.clone(), steps: self.steps[..len].to_vec() })
    }

    /// Whether a place is this one or below it.
    pub fn holds(&self, other: &Place) -> bool {
        self.field == other.field && other.steps.starts_with(&self.steps)
    }

    /// What stands at this place below a field's value.
    pub fn find<'v>(&self, field: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(field, |value, (_, step)| match (step, value.untagged()) {
            (Step::Name(name), value) => value.entry(name),
            (Step::Index(index), Value::List(items)) => items.get(*index),
            _ => None,
        })
    }

    /// The last name on the way.
    pub fn name(&self) -> &str {
        let names = self.steps.iter().rev().filter_map(|(_, step)| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Index(_) => None,
        });
        names.chain([self.field.as_str()]).next().unwrap_or_default()
    }
}

/// The first step of a text, and what it means.
fn step(text: &str) -> Option<(&str, Step)> {
    if let Some(rest) = text.strip_prefix('.') {
        let len = rest.find(['.', '[']).unwrap_or(rest.len());
        return Some((text.get(..=len)?, Step::Name(rest.get(..len)?.to_owned())));
    }
    if let Some(rest) = text.strip_prefix("[\"") {
        let mut is_escaped = false;
        let len = rest.bytes().position(|byte| {
            let ends = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            ends
        })?;
        let name = rest.get(..len)?.replace("\\\"", "\"").replace("\\\\", "\\");
        return Some((text.get(..len + 4).filter(|written| written.ends_with(']'))?, Step::Name(name)));
    }
    let len = text.strip_prefix('[')?.find(']')?;
    Some((text.get(..len + 2)?, Step::Index(text.get(1..=len)?.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_it_was() {
        for text in ["body", "body.items[0].id", "header[\"x-id\"]", "args[1]", "body[\"a\\\"]b\"][12].c"] {
            assert_eq!(Place::parse(text).map(|place| place.display(false)).as_deref(), Some(text));
        }
        for text in ["", "interim responses", "body.items[x]", "body[\"a", "body[1", "body[\"a\"x"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn lists_and_what_is_below_them() {
        let place = Place::parse("body.a[0].b[1].c");
        let lists = |place: &Place| place.lists().map(|list| list.display(true)).collect::<Vec<_>>();
        assert_eq!(place.as_ref().map(lists), Some(vec!["body.a".to_owned(), "body.a[*].b".to_owned()]));
        let holds = |a: &str, b: &str| Place::parse(a).zip(Place::parse(b)).is_some_and(|(a, b)| a.holds(&b));
        assert!(holds("body.a", "body.a[0].b") && holds("body", "body"));
        assert!(!holds("body.a", "body.ab") && !holds("body.a[1]", "body.a[0]"));
    }
}

//! The paths of rules against the places in a message: whole segments, `[i]`, `[*]`, and `**` for any depth.
//!
//! While a message is walked, each rule that may still match is kept with how much of its path has been met, so that a walk
//! looks at each place once, however many rules there are.

use reel_lang::hir::{Path, Step};
use reel_lang::schema::{FieldId, FieldType, Schema};

/// A step to a place in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    Name(&'a str),
    Index(usize),
}

/// The rules that may match below a place: the rule's index, and how many of its steps are met.
#[derive(Debug, Clone, Default)]
pub struct Active(Vec<(usize, usize)>);

impl Active {
    /// The rules that speak of a field.
    pub fn at_field<'p>(paths: impl Iterator<Item = &'p Path>, field: FieldId) -> Active {
        let mut active = Active::default();
        for (rule, path) in paths.enumerate() {
            if path.field == field {
                active.reach(rule, 0, &path.steps);
            }
        }
        active
    }

    /// Adds a rule that met so many steps; a `**` may also stand for no step at all.
    fn reach(&mut self, rule: usize, met: usize, steps: &[Step]) {
        if !self.0.contains(&(rule, met)) {
            self.0.push((rule, met));
            if steps.get(met) == Some(&Step::Deep) {
                self.reach(rule, met + 1, steps);
            }
        }
    }

    /// The rules that may match below a step from here.
    pub fn step<'p>(&self, path: impl Fn(usize) -> &'p Path, place: Place<'_>, ty: FieldType) -> Active {
        let mut next = Active::default();
        for &(rule, met) in &self.0 {
            let steps = &path(rule).steps;
            match steps.get(met) {
                Some(Step::Deep) => next.reach(rule, met, steps),
                Some(step) if meets(step, place, ty) => next.reach(rule, met + 1, steps),
                _ => {}
            }
        }
        next
    }

    /// The rules whose path ends here.
    pub fn complete<'p>(&self, path: impl Fn(usize) -> &'p Path) -> Vec<usize> {
        let ended = self.0.iter().filter(|(rule, met)| path(*rule).steps.len() == *met);
        let mut rules: Vec<usize> = ended.map(|(rule, _)| *rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// Adds the rules of another place.
    pub fn merge(&mut self, other: &Active) {
        for pair in &other.0 {
            if !self.0.contains(pair) {
                self.0.push(*pair);
            }
        }
    }

    /// Whether no rule can match from here on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn meets(step: &Step, place: Place<'_>, ty: FieldType) -> bool {
    match (step, place) {
        (Step::Each, _) => true,
        (Step::Name(name), Place::Name(found)) if ty == FieldType::Headers => name.eq_ignore_ascii_case(found),
        (Step::Name(name), Place::Name(found)) => name == found,
        (Step::Index(index), Place::Index(found)) => usize::try_from(*index) == Ok(found),
        _ => false,
    }
}

/// Writes a place the way a rule would: `body.items[0].id`, `header["x-id"]`.
pub fn display(field: &str, steps: &[String]) -> String {
    steps.iter().fold(field.to_owned(), |path, step| path + step)
}

/// One step as a rule writes it.
pub fn display_step(place: Place<'_>) -> String {
    match place {
        Place::Index(index) => format!("[{index}]"),
        Place::Name(name) => {
            let mut chars = name.chars();
            let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            match starts && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                true => format!(".{name}"),
                false => format!("[\"{}\"]", name.escape_default()),
            }
        }
    }
}

/// A step to a named value as a rule writes it.
pub(crate) fn name_step(name: &str) -> String {
    display_step(Place::Name(name))
}

/// Writes a rule's path: `body.items[*].updated_at`.
pub fn display_rule(schema: &Schema, path: &Path) -> String {
    let field = schema.fields.get(path.field.0 as usize).map_or("?", |field| &field.name);
    let steps: Vec<String> = path
        .steps
        .iter()
        .map(|step| match step {
            Step::Name(name) => display_step(Place::Name(name)),
            Step::Index(index) => format!("[{index}]"),
            Step::Each => "[*]".to_owned(),
            Step::Deep => ".**".to_owned(),
        })
        .collect();
    display(field, &steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_lang::schema::Side;
    use reel_lang::span::Span;

    fn path(steps: &[Step]) -> Path {
        Path { field: FieldId(11), side: Side::Request, steps: steps.to_vec(), span: Span::default() }
    }

    fn matches(steps: &[Step], places: &[Place<'_>], ty: FieldType) -> bool {
        let path = path(steps);
        let start = Active::at_field([&path].into_iter(), FieldId(11));
        let end = places.iter().fold(start, |active, place| active.step(|_| &path, *place, ty));
        !end.complete(|_| &path).is_empty()
    }

    #[test]
    fn paths_are_whole_segments() {
        use Place::{Index, Name};
        let name = |n: &str| Step::Name(n.into());
        let any = FieldType::Any;
        assert!(matches(&[name("items"), Step::Each, name("id")], &[Name("items"), Index(3), Name("id")], any));
        assert!(matches(&[name("items"), Step::Index(3)], &[Name("items"), Index(3)], any));
        assert!(matches(&[Step::Deep, name("id")], &[Name("id")], any));
        assert!(matches(&[Step::Deep, name("id")], &[Name("a"), Index(0), Name("id")], any));
        assert!(matches(&[name("a"), Step::Deep], &[Name("a"), Name("b"), Name("c")], any));
        assert!(matches(&[name("X-Id")], &[Name("x-id")], FieldType::Headers));
        assert!(matches(&[], &[], any));
        // Not by part of a name, at another depth or index, nor by another case where case counts.
        assert!(!matches(&[name("id")], &[Name("order_id")], any));
        assert!(!matches(&[name("id")], &[Name("a"), Name("id")], any));
        assert!(!matches(&[name("a")], &[Name("a"), Name("b")], any));
        assert!(!matches(&[name("items"), Step::Index(3)], &[Name("items"), Index(2)], any));
        assert!(!matches(&[name("X-Id")], &[Name("x-id")], any));
    }
}

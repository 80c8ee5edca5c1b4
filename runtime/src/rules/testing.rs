//! Rules written by hand, for tests of what asks them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::type_complexity)]

use std::sync::Arc;

use reel_lang::hir::{NoiseId, Path, Step, Tolerance};
use reel_lang::schema::{Direction, Schema, Side};
use reel_lang::span::Span;
use reel_lang::value::Value;

use super::{ActionId, Capture, Classes, Mocking, Origin, Relax, Relaxation, Rules, Unmet, View};

/// Rules as lists, and closures where a predicate would stand.
#[derive(Default)]
pub(crate) struct HandRules {
    pub(crate) relaxations: Vec<(Direction, Relaxation)>,
    pub(crate) mocking: Option<Box<dyn Fn(&View<'_>) -> Mocking + Send + Sync>>,
    pub(crate) unmet: Option<Box<dyn Fn(Side, &View<'_>) -> Vec<Unmet> + Send + Sync>>,
}

/// The only class of these rules: text that begins with `id-`, and dates.
impl Classes for HandRules {
    fn contains(&self, _class: NoiseId, value: &Value) -> bool {
        value.as_str().is_some_and(|text| text.starts_with("id-") || text.ends_with("GMT"))
    }
}

impl Rules for HandRules {
    fn capture(&self, _view: &View<'_>) -> Capture {
        Capture { record: true, ..Capture::default() }
    }

    fn relaxations(&self, side: Side, view: &View<'_>) -> Vec<Relaxation> {
        let mine =
            self.relaxations.iter().filter(|(direction, rule)| *direction == view.direction && rule.path.side == side);
        mine.map(|(_, rule)| rule.clone()).collect()
    }

    fn unmet(&self, side: Side, view: &View<'_>) -> Vec<Unmet> {
        self.unmet.as_ref().map(|unmet| unmet(side, view)).unwrap_or_default()
    }

    fn mocking(&self, view: &View<'_>) -> Mocking {
        self.mocking.as_ref().map(|mocking| mocking(view)).unwrap_or_default()
    }
}

/// Makes an origin.
pub(crate) fn origin(text: &str) -> Origin {
    Origin { place: "test.rr:1".into(), text: text.into(), is_default: false }
}

/// Reads actions such as `ignore body.items[*].at`, one a line.
pub(crate) fn relaxations(schema: &Schema, side: Side, text: &str) -> Vec<Relaxation> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.enumerate().map(|(n, line)| relaxation(schema, side, n, line)).collect()
}

fn relaxation(schema: &Schema, side: Side, number: usize, line: &str) -> Relaxation {
    let mut words = line.split(' ');
    let (action, place) = (words.next().unwrap(), words.next().unwrap());
    let relax = match action {
        "ignore" => Relax::Ignore,
        "like" => Relax::Like { class: NoiseId(0), name: Arc::from("id") },
        "within" => match words.next().unwrap().strip_suffix('%') {
            Some(share) => Relax::Within(Tolerance::Relative(share.parse::<f64>().unwrap() / 100.0)),
            None => Relax::Within(Tolerance::Absolute(line.rsplit(' ').next().unwrap().parse().unwrap())),
        },
        "unordered" => Relax::Unordered,
        "optional" => Relax::Optional,
        other => panic!("{other}"),
    };
    Relaxation { id: ActionId(number as u32), relax, path: path(schema, side, place), origin: origin(line) }
}

/// Reads a path: names after dots, `[1]`, `[*]`, `**`.
pub(crate) fn path(schema: &Schema, side: Side, text: &str) -> Path {
    let text = text.replace('[', ".[");
    let mut parts = text.split('.');
    let field = schema.field(side, parts.next().unwrap()).unwrap_or_else(|| panic!("{text}")).id;
    let step = |part: &str| match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
        Some("*") => Step::Each,
        Some(index) => Step::Index(index.parse().unwrap()),
        None if part == "**" => Step::Deep,
        None => Step::Name(part.to_owned()),
    };
    Path { field, side, steps: parts.map(step).collect(), span: Span::default() }
}

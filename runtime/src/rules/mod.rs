//! Rules, as record and replay ask them: what to capture, how to compare, how to answer.
//!
//! The rest of the program knows [`Rules`] alone, not the language behind it. Order matters and is fixed: the files that the
//! user gave, in order, then stdlib's defaults.

mod decision;
mod load;
mod machine;
mod ruleset;
pub mod selection;
#[cfg(test)]
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod view;

pub use decision::{ActionId, Answer, Capture, Mocking, Origin, Relax, Relaxation, Reuse, Unmet};
pub use load::load;
pub use ruleset::Ruleset;
pub use view::View;

use reel_lang::hir::NoiseId;
use reel_lang::schema::Side;
use reel_lang::value::Value;

/// Noise classes, as comparing asks them.
pub trait Classes {
    /// Whether a value belongs to a class.
    fn contains(&self, class: NoiseId, value: &Value) -> bool;
}

/// A set of rules.
pub trait Rules: Classes + Send + Sync {
    /// What the capture rules say of an exchange.
    fn capture(&self, view: &View<'_>) -> Capture;

    /// The match rules that apply to one message of an exchange.
    fn relaxations(&self, side: Side, view: &View<'_>) -> Vec<Relaxation>;

    /// Every match rule that relaxes a path, whether or not it ever applies.
    fn relaxing(&self) -> Vec<(ActionId, Origin)> {
        Vec::new()
    }

    /// The `require`s that are not met: of clauses on requests, once the request is known; of all others, once the response is.
    fn unmet(&self, side: Side, view: &View<'_>) -> Vec<Unmet>;

    /// What the first mock rule that holds says of a call.
    fn mocking(&self, view: &View<'_>) -> Mocking;

    /// What the first mock rule that holds says, where the connection alone decides which one it is.
    fn mocking_of_connection(&self, _view: &View<'_>) -> Option<Mocking> {
        None
    }
}

#[cfg(test)]
mod tests;

/// No rules at all: everything is recorded, and everything must be equal.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRules;

impl Classes for NoRules {
    fn contains(&self, _class: NoiseId, _value: &Value) -> bool {
        false
    }
}

impl Rules for NoRules {
    fn capture(&self, _view: &View<'_>) -> Capture {
        Capture { record: true, ..Capture::default() }
    }

    fn relaxations(&self, _side: Side, _view: &View<'_>) -> Vec<Relaxation> {
        Vec::new()
    }

    fn unmet(&self, _side: Side, _view: &View<'_>) -> Vec<Unmet> {
        Vec::new()
    }

    fn mocking(&self, _view: &View<'_>) -> Mocking {
        Mocking::default()
    }
}

//! Strict comparison of a replayed message with its recording.
//!
//! What no rule mentions must be equal: numbers by exact decimal value, objects whatever the order of their keys, headers
//! whatever the case of their names. Each relaxation that let a difference pass is noted by name, and so is a path that
//! matched nothing. Nothing here picks the nearest of several: that is for displays alone ([`nearest`]).

mod compare;
mod entries;
mod equality;
mod key;
mod names;
mod nearest;
mod number;
mod path;
mod place;
mod usage;

pub(crate) use compare::digits;
pub use compare::{Difference, Matcher};
pub use equality::{Conflict, Equality, SECRET, is_clock_reading};
pub use key::{Key, chosen_key, likeness, operation, relaxes_operation, request_key};
pub use names::{Names, Way};
pub use nearest::similarity;
pub use number::Number;
pub use path::display_rule;
pub(crate) use path::name_step;
pub use place::{Place, Step};
pub use usage::{ByRule, Usage, Use};

#[cfg(test)]
mod tests;

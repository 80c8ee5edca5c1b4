//! What a replay came to, for people ([`text`]) and for CI ([`junit`]).
//!
//! The same recording and the same result give the same bytes: nothing here knows the time, and everything has an order. Each
//! relaxation that let a difference pass is named, and so is each rule whose path matched nothing.

mod change;
mod diff;
pub mod junit;
mod learned;
mod mocked;
pub mod progress;
mod style;
pub mod text;
mod value;

pub use change::change;
pub use diff::diff;
pub use learned::learned;
pub use mocked::mocked;
pub use style::{Painter, Style};
pub use text::text;

#[cfg(test)]
pub(crate) mod agreement;
#[cfg(test)]
mod tests;

//! What native operations mean: one implementation, used by the reference evaluator and by compiled code alike.
//!
//! Operations work on [`View`]s, which borrow from a message or from constants; what has to be made anew is a `Value` that
//! the caller keeps for the length of one call. Nothing here fails: a part that is not there is nil, and an operation on the
//! wrong kind of value gives what LANGUAGE.md says (nil, 0 or false).
//!
//! - [`equal`], [`order`]: comparison of values; [`number`]: numbers by exact decimal value.
//! - [`path`]: steps into a value. [`pattern`]: regular expressions and globs. [`function`]: functions by name.
//! - [`maps`]: storage of maps; [`shared`]: those that kernel programs have too; [`layout`]: values as bytes. [`host`]: what the engine supplies, and the one entry point for host operations.

pub mod equal;
pub mod function;
pub mod host;
pub mod layout;
pub mod maps;
pub mod number;
pub mod path;
pub mod pattern;
pub mod route;
pub mod scalar;
pub mod shared;
pub mod view;

pub use host::Host;
pub use maps::Maps;
pub use view::View;

use crate::ir::Module;
use pattern::{Matcher, PatternError};

/// What native operations need of a module, made once: its maps, paths and outputs by index, and its patterns compiled.
#[derive(Debug)]
pub struct Prepared {
    pub patterns: Vec<Matcher>,
}

impl Prepared {
    /// Compiles the patterns of a module.
    ///
    /// # Errors
    /// A pattern that does not compile; the checker has refused it before, so this is a bug of ours.
    pub fn new(module: &Module) -> Result<Self, PatternError> {
        let patterns = module.patterns.iter().map(Matcher::new).collect::<Result<_, _>>()?;
        Ok(Prepared { patterns })
    }
}

//! What can be attached to, and what it hands over: read from the running kernel and from files.
//!
//! Everything is lazy: tracefs, BTF and symbols are looked at when a script names something in
//! them. [`Catalog`] has the three questions of `reel_lang::env::Environment` that are about the
//! kernel; the program adds builtins, functions and protocols.

use std::sync::Arc;

use reel_lang::env::{AttachError, AttachPoint, Layout};
use reel_lang::ty::IntTy;

pub mod btf;
pub mod c_text;
pub mod ctype;
pub mod format;
pub mod glob;
mod layout;
pub mod list;
mod providers;
pub mod symbols;
pub mod syscalls;
pub mod tracefs;

pub use providers::period;

use btf::Btf;

/// The running kernel, as scripts see it.
#[derive(Debug, Default)]
pub struct Catalog {
    layouts: layout::Layouts,
}

impl Catalog {
    /// Makes a catalog that has looked at nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the points that a header's provider and parts name, wildcards expanded, in a
    /// stable order.
    ///
    /// # Errors
    /// [`AttachError`] says why there is none.
    pub fn attach(&self, provider: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
        providers::attach(provider, parts)
    }

    /// Returns the layout of a kernel struct or union by name; none too where there is no BTF.
    #[must_use]
    pub fn layout(&self, name: &str) -> Option<Arc<Layout>> {
        self.layouts.find(Btf::kernel().ok()?, name)
    }

    /// Returns the value, the type and the enum of a kernel enumerator.
    #[must_use]
    pub fn enumerator(&self, name: &str) -> Option<(i64, IntTy, String)> {
        let (ty, value) = Btf::kernel().ok()?.enumerator(name)?;
        let bits = ty.len_bytes().saturating_mul(8).clamp(8, 64) as u8;
        Some((value, IntTy { bits, signed: ty.is_signed() }, ty.name().to_string()))
    }
}

#[cfg(test)]
mod tests;

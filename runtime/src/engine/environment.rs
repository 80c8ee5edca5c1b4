//! What scripts can name: the registries of the compiler and the protocols, and the running kernel.

use std::sync::Arc;

use reel_compiler::builtins;
use reel_lang::env::{AttachError, AttachPoint, Builtin, Elsewhere, Environment, Function, Layout};
use reel_lang::schema::Schema;
use reel_lang::ty::IntTy;
use reel_probes::catalog::Catalog;

/// The environment of this machine. Everything about the kernel is looked up when a script first names it.
#[derive(Debug, Default)]
pub struct Machine {
    catalog: Catalog,
}

impl Environment for Machine {
    fn schemas(&self) -> Vec<&Schema> {
        reel_protocols::protocols().iter().map(|protocol| protocol.schema()).collect()
    }

    fn builtin(&self, name: &str) -> Option<&Builtin> {
        builtins::builtin(name)
    }

    fn function(&self, name: &str) -> Option<&Function> {
        builtins::function(name)
    }

    fn names(&self) -> Vec<&'static str> {
        builtins::names().to_vec()
    }

    fn elsewhere(&self, name: &str) -> Option<Elsewhere> {
        builtins::elsewhere(name)
    }

    fn attach(&self, provider: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
        self.catalog.attach(provider, parts)
    }

    fn layout(&self, name: &str) -> Option<Arc<Layout>> {
        self.catalog.layout(name)
    }

    fn enumerator(&self, name: &str) -> Option<(i64, IntTy, String)> {
        self.catalog.enumerator(name)
    }
}

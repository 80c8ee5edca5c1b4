//! The names that scripts can use without defining them: values such as `pid`, functions such as `printf`.
//!
//! One file holds one name or a small family: its declaration, which the checker reads through `Environment`, and its
//! lowering. To add one, write such a file and add a line to `VALUES` or `FUNCTIONS`. Programs that come with reel
//! (capture, redirect) may use the names of [`trusted`] too; each of those is at most one helper or kfunc call, one read
//! of the context or one read of a field.

mod aggregate;
mod bswap;
mod cgroup;
mod clock;
mod comm;
mod convert;
mod cpu;
mod exit;
mod maps;
mod output;
mod pointer;
mod probe;
mod process;
mod rand;
mod registers;
mod text;
mod trusted;
mod user;
mod verdict;

use std::collections::HashMap;
use std::sync::LazyLock;

use reel_lang::env::{Builtin, Function, Param, Places, Returns};
use reel_lang::ty::{IntTy, Ty};

/// The files that declare values.
const VALUES: &[fn() -> Vec<Builtin>] = &[
    process::values,
    user::values,
    comm::values,
    clock::values,
    cpu::values,
    cgroup::values,
    probe::values,
    registers::values,
    rand::values,
];

/// The files that declare functions.
const FUNCTIONS: &[fn() -> Vec<Function>] = &[
    output::functions,
    exit::functions,
    maps::functions,
    aggregate::functions,
    pointer::functions,
    text::functions,
    convert::functions,
    bswap::functions,
    verdict::functions,
    trusted::functions,
];

struct Registry {
    values: HashMap<&'static str, Builtin>,
    functions: HashMap<&'static str, Function>,
    names: Vec<&'static str>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let values: HashMap<_, _> = VALUES.iter().flat_map(|file| file()).map(|value| (value.name, value)).collect();
    let functions: HashMap<_, _> =
        FUNCTIONS.iter().flat_map(|file| file()).map(|function| (function.name, function)).collect();
    let mut names: Vec<_> = values.keys().chain(functions.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    Registry { values, functions, names }
});

/// Finds a value by name.
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    REGISTRY.values.get(name)
}

/// Finds a function by name.
pub fn function(name: &str) -> Option<&'static Function> {
    REGISTRY.functions.get(name)
}

/// Lists every name, in order.
pub fn names() -> &'static [&'static str] {
    &REGISTRY.names
}

const U64: Ty = Ty::Int(IntTy::U64);
const I64: Ty = Ty::Int(IntTy::I64);
const U32: Ty = Ty::Int(IntTy::U32);

/// Declares a value.
fn value(name: &'static str, ty: Ty, places: Places, doc: &'static str) -> Builtin {
    Builtin { name, ty, places, doc }
}

/// Declares a function whose parameters are all required.
fn call(
    name: &'static str,
    params: &'static [Param],
    returns: Returns,
    places: Places,
    [doc, example]: [&'static str; 2],
) -> Function {
    Function {
        name,
        params,
        optional: 0,
        variadic: false,
        returns,
        places,
        pure: false,
        is_unsafe: false,
        doc,
        example,
    }
}

/// Marks a function that gives the same for the same arguments and does nothing else.
fn pure(function: Function) -> Function {
    Function { pure: true, ..function }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_declared_once() {
        let values: Vec<_> = VALUES.iter().flat_map(|f| f()).map(|v| v.name).collect();
        let functions: Vec<_> = FUNCTIONS.iter().flat_map(|f| f()).map(|f| f.name).collect();
        assert_eq!(values.len(), REGISTRY.values.len());
        assert_eq!(functions.len(), REGISTRY.functions.len());
    }

    #[test]
    fn optional_parameters_are_among_the_parameters() {
        for function in REGISTRY.functions.values() {
            assert!(function.optional <= function.params.len(), "{}", function.name);
            assert!(!function.doc.is_empty() && !function.example.is_empty());
        }
    }
}

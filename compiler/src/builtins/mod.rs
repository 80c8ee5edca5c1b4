//! The names that scripts can use without defining them: values such as `pid`, functions such as `printf`.
//!
//! One file holds one name or a small family: its declaration, which the checker reads through `Environment`, and its
//! lowering. To add one, write such a file and add a line to `VALUES` or `FUNCTIONS`. Programs that come with reel
//! (capture, redirect) may use the names of [`trusted`] too; each of those is at most one helper or kfunc call, one read
//! of the context or one read of a field.

mod aggregate;
pub(crate) mod bswap;
mod cgroup;
mod clock;
mod comm;
mod convert;
mod cpu;
mod elsewhere;
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
use reel_lang::hir::Expr;
use reel_lang::span::Span;
use reel_lang::ty::{IntTy, Ty};

use crate::ir::{Arg, Inst, Reg, RegTy};
use crate::lower::{Lower, Lowered, Val};

pub(crate) use comm::COMM_LEN_BYTES;
pub(crate) use convert::timestamp_len;
pub use elsewhere::{ELSEWHERE, elsewhere};
pub(crate) use maps::entry;
pub(crate) use output::output;

/// Declares the names of a file.
type Declare<T> = fn() -> Vec<T>;
/// Lowers a value in a kernel clause.
type KernelValue = fn(&mut Lower<'_>, &'static str, &Expr) -> Lowered<Val>;
/// Lowers a call in a kernel clause: name, arguments, the whole call.
type KernelCall = fn(&mut Lower<'_>, &'static str, &[Expr], &Expr) -> Lowered<Val>;

/// The files that declare values.
const VALUES: &[(Declare<Builtin>, KernelValue)] = &[
    (process::values, process::kernel),
    (user::values, user::kernel),
    (comm::values, comm::kernel),
    (clock::values, clock::kernel),
    (cpu::values, cpu::kernel),
    (cgroup::values, cgroup::kernel),
    (probe::values, probe::kernel),
    (registers::values, registers::kernel),
    (rand::values, rand::kernel),
];

/// The files that declare functions.
const FUNCTIONS: &[(Declare<Function>, KernelCall)] = &[
    (output::functions, output::kernel),
    (exit::functions, output::kernel),
    (maps::functions, maps::kernel),
    (aggregate::functions, native_only),
    (pointer::functions, pointer::kernel),
    (text::functions, text::kernel),
    (convert::functions, convert::kernel),
    (bswap::functions, bswap::kernel),
    (verdict::functions, verdict::kernel),
    (trusted::functions, trusted::kernel),
];

struct Registry {
    values: HashMap<&'static str, (Builtin, KernelValue)>,
    functions: HashMap<&'static str, (Function, KernelCall)>,
    names: Vec<&'static str>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let values: HashMap<_, _> =
        VALUES.iter().flat_map(|(file, lower)| file().into_iter().map(|value| (value.name, (value, *lower)))).collect();
    let functions: HashMap<_, _> = FUNCTIONS
        .iter()
        .flat_map(|(file, lower)| file().into_iter().map(|function| (function.name, (function, *lower))))
        .collect();
    let mut names: Vec<_> = values.keys().chain(functions.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    Registry { values, functions, names }
});

/// Finds a value by name.
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    REGISTRY.values.get(name).map(|(value, _)| value)
}

/// Finds a function by name.
pub fn function(name: &str) -> Option<&'static Function> {
    REGISTRY.functions.get(name).map(|(function, _)| function)
}

/// Lists every name, in order.
pub fn names() -> &'static [&'static str] {
    &REGISTRY.names
}

/// Lowers a value by name in a kernel clause.
pub(crate) fn lower_value(lower: &mut Lower<'_>, name: &'static str, expr: &Expr) -> Lowered<Val> {
    match REGISTRY.values.get(name) {
        Some((_, kernel)) => kernel(lower, name, expr),
        None => lower.cannot(expr.span, format!("`{name}` has no value in a kernel probe")),
    }
}

/// Lowers a call by name in a kernel clause.
pub(crate) fn lower_call(lower: &mut Lower<'_>, name: &'static str, args: &[Expr], expr: &Expr) -> Lowered<Val> {
    match REGISTRY.functions.get(name) {
        Some((_, kernel)) => kernel(lower, name, args, expr),
        None => lower.cannot(expr.span, format!("a kernel probe cannot call `{name}`")),
    }
}

/// How many bytes the text that a call gives can take, its NUL included.
pub(crate) fn text_argument_len(function: &str, args: &[Expr], max_strlen: u32) -> u32 {
    match (function, args) {
        ("str", [_, len]) => pointer::constant_len(len).unwrap_or(max_strlen).min(max_strlen),
        _ => max_strlen,
    }
}

/// A call of what exists in native clauses only, or stands in a statement of its own.
fn native_only(lower: &mut Lower<'_>, name: &'static str, _: &[Expr], expr: &Expr) -> Lowered<Val> {
    lower.cannot(expr.span, format!("`{name}` cannot be called here in a kernel probe"))
}

/// A helper's result in a register of this type.
fn helper(lower: &mut Lower<'_>, number: u32, args: Vec<Arg>, ty: RegTy, span: Span) -> Reg {
    let dst = lower.b.reg(ty);
    lower.b.push(Inst::Helper { dst: Some(dst), helper: number, args }, span);
    dst
}

/// The nth argument of a call.
fn arg<'a>(lower: &Lower<'_>, args: &'a [Expr], index: usize, expr: &Expr) -> Lowered<&'a Expr> {
    match args.get(index) {
        Some(arg) => Ok(arg),
        None => lower.cannot(expr.span, "an argument is missing"),
    }
}

const UNSIGNED: RegTy = RegTy::Int(IntTy::U64);
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
        let values: Vec<_> = VALUES.iter().flat_map(|(f, _)| f()).map(|v| v.name).collect();
        let functions: Vec<_> = FUNCTIONS.iter().flat_map(|(f, _)| f()).map(|f| f.name).collect();
        assert_eq!(values.len(), REGISTRY.values.len());
        assert_eq!(functions.len(), REGISTRY.functions.len());
    }

    #[test]
    fn optional_parameters_are_among_the_parameters() {
        for (function, _) in REGISTRY.functions.values() {
            assert!(function.optional <= function.params.len(), "{}", function.name);
            assert!(!function.doc.is_empty() && !function.example.is_empty());
        }
    }
}

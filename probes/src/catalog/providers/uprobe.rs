//! `uprobe:FILE:FUNCTION` and `uretprobe:FILE:FUNCTION`: functions of programs and libraries.
//!
//! The file is a path, a program in PATH or a library's name; the function a symbol, with an
//! offset (`malloc+4`), a pattern, or an address of the file. Arguments are registers: `arg0`,
//! `arg1`; at return `retval`. Example: `uprobe:libc:malloc { @[arg0] = count(); }`. Linux 4.3.

use std::ops::ControlFlow;
use std::path::Path;

use reel_lang::env::{Arg, ArgAt, AttachError, AttachPoint, ProbeKind};
use reel_lang::ty::{IntTy, Ty};

use super::{Provider, list_all, malformed, not_found, point};
use crate::catalog::glob;
use crate::catalog::list::Each;
use crate::catalog::symbols::{self, SymbolError};

pub(super) const UPROBE: Provider = Provider {
    names: &["uprobe", "u"],
    form: "`uprobe:FILE:FUNCTION`, such as `uprobe:libc:malloc`",
    attach: |parts| attach(ProbeKind::Uprobe, "uprobe", parts),
    list: |pattern, each| list("uprobe", pattern, each),
};

pub(super) const URETPROBE: Provider = Provider {
    names: &["uretprobe", "ur"],
    form: "`uretprobe:FILE:FUNCTION`, such as `uretprobe:libc:malloc`",
    attach: |parts| attach(ProbeKind::Uretprobe, "uretprobe", parts),
    list: |pattern, each| list("uretprobe", pattern, each),
};

/// How many arguments are offered by number: what the calling conventions pass in registers.
const REGISTER_ARGS: u32 = if cfg!(target_arch = "x86_64") { 6 } else { 8 };

/// One place in a file, and how it was named.
struct Place {
    name: String,
    offset: u64,
}

fn attach(kind: ProbeKind, word: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    let [file, function] = parts else {
        return malformed();
    };
    let Some(path) = symbols::find_file(file) else {
        return Err(AttachError::NotFound(Vec::new()));
    };
    let shown = path.display().to_string();
    let places = places(&path, function)?;
    let one = |place: Place| {
        let name = format!("{word}:{shown}:{}", place.name);
        point(kind, name, vec![shown.clone(), place.name, place.offset.to_string()], args(kind))
    };
    Ok(places.into_iter().map(one).collect())
}

/// Lists the functions of one file; a pattern of files would mean looking at every file there is.
fn list(word: &str, pattern: &str, each: Each<'_>) -> Result<ControlFlow<()>, AttachError> {
    let (file, function) = pattern.rsplit_once(':').unwrap_or((pattern, "*"));
    let path = if glob::is_pattern(file) { None } else { symbols::find_file(file) };
    let Some(path) = path else { return Ok(ControlFlow::Continue(())) };
    let found = symbols::functions(&path, function).map_err(|error| unreadable(&path, &error))?;
    let word = format!("{word}:{}", path.display());
    // Without debug information nothing is known of arguments but the registers.
    Ok(list_all(&word, "*", found.iter().map(|function| function.name.as_str()), &Vec::new, each))
}

fn places(path: &Path, function: &str) -> Result<Vec<Place>, AttachError> {
    if let Some(address) = number(function) {
        let offset = symbols::offset_of_address(path, address).map_err(|e| unreadable(path, &e))?;
        let name = function.to_string();
        let place = offset.map(|offset| Place { name, offset });
        return place.map(|place| vec![place]).ok_or(AttachError::NotFound(Vec::new()));
    }
    let (symbol, beyond) = match function.split_once('+') {
        None => (function, 0),
        Some((symbol, text)) => match number(text).or(text.parse().ok()) {
            Some(beyond) if !glob::is_pattern(symbol) => (symbol, beyond),
            _ => return malformed(),
        },
    };
    let found = symbols::functions(path, symbol).map_err(|error| unreadable(path, &error))?;
    if found.is_empty() {
        let names = symbols::names(path).unwrap_or_default();
        return Err(not_found(symbol, names.iter().map(String::as_str)));
    }
    let suffix = if beyond == 0 { String::new() } else { format!("+{beyond}") };
    let place = |function: symbols::Function| Place {
        name: format!("{}{suffix}", function.name),
        offset: function.offset.saturating_add(beyond),
    };
    Ok(found.into_iter().map(place).collect())
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn unreadable(path: &Path, error: &SymbolError) -> AttachError {
    AttachError::Unsupported {
        why: format!("{}: {error}", path.display()),
        remedy: "name a 64-bit ELF program or library that can be read".to_string(),
    }
}

/// The arguments of a user-space function, as far as they are known without debug information.
fn args(kind: ProbeKind) -> Vec<Arg> {
    let word = |name: String, at| Arg { name, ty: Ty::Int(IntTy::U64), at };
    match kind {
        ProbeKind::Uretprobe => vec![word("retval".to_string(), ArgAt::ReturnValue)],
        _ => (0..REGISTER_ARGS).map(|n| word(format!("arg{n}"), ArgAt::Register(n))).collect(),
    }
}

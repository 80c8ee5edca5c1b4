//! The words that begin a probe's header, and how each finds its attach points.
//!
//! A provider is one file with one [`Provider`], and one line in [`PROVIDERS`]. Long names are
//! taken in any case, short ones only as they are.

use std::ops::ControlFlow;

use reel_lang::diagnostic::nearest;
use reel_lang::env::{Arg, ArgsLayout, AttachError, AttachPoint, ProbeKind};

use super::glob;
use super::list::Each;
use crate::unsupported::Unsupported;

mod begin_end;
mod cgroup;
mod fentry;
mod kprobe;
mod raw_tracepoint;
mod sockops;
mod timer;
mod tracepoint;
mod uprobe;

pub use timer::period;

/// One word, or several with the same meaning, and what it attaches to.
pub(super) struct Provider {
    /// The name that `probe` prints first, then the others.
    pub(super) names: &'static [&'static str],
    /// What a whole header looks like, for messages.
    pub(super) form: &'static str,
    pub(super) attach: fn(&[String]) -> Result<Vec<AttachPoint>, AttachError>,
    /// Goes through what a pattern for all after the first `:` matches, by name; nothing where it names no file to look in.
    pub(super) list: fn(&str, Each<'_>) -> Result<ControlFlow<()>, AttachError>,
}

pub(super) const PROVIDERS: &[Provider] = &[
    begin_end::BEGIN,
    begin_end::END,
    timer::INTERVAL,
    timer::PROFILE,
    tracepoint::TRACEPOINT,
    raw_tracepoint::RAW_TRACEPOINT,
    raw_tracepoint::TP_BTF,
    uprobe::UPROBE,
    uprobe::URETPROBE,
    kprobe::KPROBE,
    kprobe::KRETPROBE,
    fentry::FENTRY,
    fentry::FEXIT,
    cgroup::CGROUP,
    sockops::SOCKOPS,
];

/// Words of the language that this version has no back end for.
const NOT_YET: &[&str] = &[
    "software",
    "hardware",
    "watchpoint",
    "asyncwatchpoint",
    "iter",
    "usdt",
    "xdp",
    "tc",
    "lsm",
    "self",
    "bench",
    "test",
];

/// Finds the attach points of a header.
pub(super) fn attach(provider: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    if let Some(found) = find(provider) {
        return (found.attach)(parts).map_err(|error| match error {
            AttachError::Malformed(text) if text.is_empty() => AttachError::Malformed(found.form.to_string()),
            other => other,
        });
    }
    Err(no_provider(provider))
}

/// The provider that a word names.
pub(super) fn find(word: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|known| known.names.iter().any(|name| is(word, name)))
}

/// Why a word names no provider.
pub(super) fn no_provider(word: &str) -> AttachError {
    if NOT_YET.iter().any(|name| is(word, name)) {
        return AttachError::NotYet;
    }
    let names = PROVIDERS.iter().flat_map(|known| known.names).copied();
    AttachError::NoProvider(nearest(word, names).map(str::to_string).into_iter().collect())
}

fn is(word: &str, name: &str) -> bool {
    if name.len() > 2 { word.eq_ignore_ascii_case(name) } else { word == name }
}

/// The error for parts that do not fit; the provider's form is put in by [`attach`].
fn malformed<T>() -> Result<T, AttachError> {
    Err(AttachError::Malformed(String::new()))
}

fn unsupported(error: Unsupported) -> AttachError {
    AttachError::Unsupported { why: error.why, remedy: error.remedy }
}

/// The error for a name that does not exist; a pattern has no nearest names.
///
/// The kernel has 100,000 functions, and comparing two names is quadratic: what differs much in
/// length, or at both ends, is no slip of the fingers.
fn not_found<'a>(name: &str, all: impl IntoIterator<Item = &'a str>) -> AttachError {
    let ends = |text: &str| (text.bytes().next(), text.bytes().next_back());
    let (first, last) = ends(name);
    let is_close = |other: &&str| {
        let (other_first, other_last) = ends(other);
        name.len().abs_diff(other.len()) <= 3 && (first == other_first || last == other_last)
    };
    let near = if glob::is_pattern(name) { None } else { nearest(name, all.into_iter().filter(is_close)) };
    AttachError::NotFound(near.map(str::to_string).into_iter().collect())
}

/// Lists names that take no looking up, each with the same arguments.
fn list_all<'a>(
    word: &str,
    pattern: &str,
    names: impl IntoIterator<Item = &'a str>,
    args: &dyn Fn() -> Vec<Arg>,
    each: Each<'_>,
) -> ControlFlow<()> {
    for name in names {
        if glob::matches(pattern, name) {
            each(&format!("{word}:{name}"), args)?;
        }
    }
    ControlFlow::Continue(())
}

fn point(kind: ProbeKind, name: String, target: Vec<String>, args: Vec<Arg>) -> AttachPoint {
    let args = ArgsLayout { args, syscall: None };
    AttachPoint { kind, name, target, args: args.into() }
}

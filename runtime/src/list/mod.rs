//! What there is to listen to: message probes and their fields, kernel probes and their arguments, the kernel's types.
//!
//! A pattern is a probe's header in which `*` stands for any characters, or `struct NAME`, `union NAME`, `enum NAME`. Message
//! probes come first. Nothing is gathered before it is told, so that a reader that has seen enough ends the list.

pub mod messages;
mod show;

use std::ops::ControlFlow;

use reel_lang::diagnostic::nearest;
use reel_lang::env::{Arg, AttachError};
use reel_probes::catalog::btf::{Btf, Type};
use reel_probes::catalog::{c_text, list as kernel};

pub use messages::Message;
pub use show::{json, text};

use crate::exit::{Exit, Failure};

/// One thing in the list.
pub enum Entry<'a> {
    /// A probe of the kernel or of a program, and a way to its arguments.
    Probe(&'a str, &'a dyn Fn() -> Vec<Arg>),
    Message(&'a Message),
    Type(Type<'a>),
}

/// Where entries go. A break ends the list.
pub type Each<'a> = &'a mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>;

/// Goes through what a pattern names.
///
/// # Errors
/// Where there is nothing of this name, with near names; where this machine cannot tell.
pub fn list(pattern: &str, each: Each<'_>) -> Result<(), Failure> {
    if let Some((word, name)) = pattern.split_once(' ').filter(|(word, _)| TYPE_WORDS.contains(word)) {
        return types(word, name.trim(), each);
    }
    let mut any = false;
    for message in messages::matching(pattern) {
        any = true;
        if each(&Entry::Message(&message)).is_break() {
            return Ok(());
        }
    }
    let word = pattern.split(':').next().unwrap_or_default();
    if messages::is_protocol(word) {
        return if any { Ok(()) } else { Err(failure(pattern, AttachError::NotFound(Vec::new()))) };
    }
    match kernel::list(pattern, &mut |name, args| each(&Entry::Probe(name, args))) {
        Ok(found) if found || any => Ok(()),
        Ok(_) => Err(failure(pattern, AttachError::NotFound(Vec::new()))),
        Err(error) => Err(failure(pattern, error)),
    }
}

const TYPE_WORDS: [&str; 3] = ["struct", "union", "enum"];

fn types(word: &str, name: &str, each: Each<'_>) -> Result<(), Failure> {
    let btf = Btf::kernel().map_err(|error| {
        Failure::new(Exit::Machine, format!("the kernel's types are not known: {}", error.why)).remedy(error.remedy)
    })?;
    let found = c_text::named(btf, word, name);
    if found.is_empty() {
        let failure = Failure::new(Exit::Usage, format!("this kernel has no `{word} {name}`"));
        let close = |other: &&str| other.len().abs_diff(name.len()) <= 2 && other.get(..1) == name.get(..1);
        let all = c_text::named(btf, word, "*");
        let near = nearest(name, all.iter().map(|ty| ty.name()).filter(close));
        return Err(match near.filter(|_| !name.contains('*')) {
            Some(near) => failure.remedy(format!("did you mean `{word} {near}`?")),
            None => failure.remedy(format!("search with a wildcard: `{word} *{}*`", name.trim_matches('*'))),
        });
    }
    for ty in found {
        if each(&Entry::Type(ty)).is_break() {
            break;
        }
    }
    Ok(())
}

/// Why a pattern names nothing, and what to write.
fn failure(pattern: &str, error: AttachError) -> Failure {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let word = pattern.split(':').next().unwrap_or_default();
    let search = || {
        format!(
            "search with wildcards: `reel list '*{}*'`",
            pattern.rsplit([':', '*']).find(|part| !part.is_empty()).unwrap_or("tcp")
        )
    };
    match error {
        AttachError::NoProvider(near) => {
            let failure = usage(format!("`{word}` is neither a probe nor a protocol"));
            let near = near.into_iter().next().or_else(|| messages::nearest_protocol(word));
            failure.remedy(near.map_or_else(search, |near| format!("did you mean `{near}`?")))
        }
        AttachError::NotFound(near) => {
            let failure = usage(format!("`{pattern}` matches no probe of this machine"));
            let near = near.first().map(|near| in_place(pattern, near));
            match near.or_else(|| messages::nearest_event(pattern)) {
                Some(near) => failure.remedy(format!("did you mean `{near}`?")),
                None => failure.remedy(search()),
            }
        }
        AttachError::Malformed(form) => usage(format!("`{pattern}` names no probes"))
            .remedy(format!("write {form}, in which the last part may be `*`")),
        AttachError::Unsupported { why, remedy } => {
            Failure::new(Exit::Machine, format!("this machine cannot attach `{word}` probes: {why}")).remedy(remedy)
        }
        AttachError::NotYet => {
            usage(format!("`{word}` is understood, but this version does not run it yet")).remedy(search())
        }
    }
}

/// A pattern with its last parts replaced by a name of as many parts.
fn in_place(pattern: &str, name: &str) -> String {
    let parts: Vec<&str> = pattern.split(':').collect();
    let kept = parts.len().saturating_sub(name.split(':').count()).max(1);
    parts.iter().take(kept).copied().chain([name]).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests;

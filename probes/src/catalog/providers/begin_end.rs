//! `begin` runs before anything is attached, `end` after everything is detached.
//!
//! Neither attaches: the program runs once, in reel. Example: `begin { print("tracing"); }`.
//! Minimum kernel: 5.10, for running a program without an event.

use reel_lang::env::{AttachError, AttachPoint, ProbeKind};

use super::{Provider, malformed, point};

pub(super) const BEGIN: Provider = Provider {
    names: &["begin"],
    form: "`begin`",
    attach: |parts| once(ProbeKind::Begin, "begin", parts),
    list: |_, each| Ok(each("begin", &Vec::new)),
};

pub(super) const END: Provider = Provider {
    names: &["end"],
    form: "`end`",
    attach: |parts| once(ProbeKind::End, "end", parts),
    list: |_, each| Ok(each("end", &Vec::new)),
};

fn once(kind: ProbeKind, name: &str, parts: &[String]) -> Result<Vec<AttachPoint>, AttachError> {
    if !parts.is_empty() {
        return malformed();
    }
    Ok(vec![point(kind, name.to_string(), Vec::new(), Vec::new())])
}

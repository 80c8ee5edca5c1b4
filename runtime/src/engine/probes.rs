//! What can be attached to, by a pattern: message probes, and the kernel's points as the catalog knows them.

use reel_lang::env::AttachError;
use reel_probes::catalog::{Catalog, glob, tracefs};

use crate::exit::{Exit, Failure};

/// The probes that need no name of a point.
const PLAIN: &[&str] = &["begin", "end"];

/// The probes that a pattern names, in a stable order. A pattern without `*` and without a provider may stand anywhere in a name.
/// A provider with names of its own (`uprobe:libc:mal*`, `fentry:tcp_*`) is asked for them; else tracepoints are looked through.
///
/// # Errors
/// The pattern names nothing, or this machine cannot tell.
pub fn matching(pattern: &str) -> Result<Vec<String>, Failure> {
    let mut found = messages();
    found.extend(PLAIN.iter().map(|name| (*name).to_owned()));
    let mut parts = pattern.split(':').map(str::to_owned);
    let provider = parts.next().unwrap_or_default();
    let parts: Vec<String> = parts.collect();
    let pattern = if glob::is_pattern(pattern) { pattern.to_owned() } else { format!("*{pattern}*") };
    found.retain(|name| glob::matches(&pattern, name));
    let is_ours = reel_protocols::protocols().iter().any(|protocol| protocol.schema().protocol == provider);
    if parts.is_empty() || is_ours || glob::is_pattern(&provider) {
        found.extend(tracepoints()?.into_iter().filter(|name| glob::matches(&pattern, name)));
    } else {
        let points = Catalog::new().attach(&provider, &parts).map_err(|error| failure(&pattern, &provider, error))?;
        found.extend(points.into_iter().map(|point| point.name));
        found.dedup();
    }
    if found.is_empty() { Err(nothing(&pattern)) } else { Ok(found) }
}

/// Every message probe.
pub fn messages() -> Vec<String> {
    let mut names = Vec::new();
    for schema in reel_protocols::protocols().iter().map(|protocol| protocol.schema()) {
        for event in ["request", "response", "exchange"] {
            names.push(format!("{}:{event}", schema.protocol));
        }
    }
    names
}

/// Every tracepoint of the kernel.
///
/// # Errors
/// They cannot be read here.
pub fn tracepoints() -> Result<Vec<String>, Failure> {
    let names = tracefs::tracepoints().map_err(crate::app::unsupported_failure)?;
    Ok(names.into_iter().map(|(category, name)| format!("tracepoint:{category}:{name}")).collect())
}

fn nothing(pattern: &str) -> Failure {
    Failure::new(Exit::Usage, format!("no probe is called `{pattern}`"))
        .remedy("try a part of its name, or a pattern with `*`")
}

fn failure(pattern: &str, provider: &str, error: AttachError) -> Failure {
    match error {
        AttachError::NoProvider(near) => {
            let failure = Failure::new(Exit::Usage, format!("no kind of probe is called `{provider}`"));
            match near.first() {
                Some(near) => failure.remedy(format!("did you mean `{near}`?")),
                None => failure,
            }
        }
        AttachError::Malformed(form) => {
            Failure::new(Exit::Usage, format!("`{pattern}` is no probe")).remedy(format!("it looks like {form}"))
        }
        AttachError::NotFound(_) => nothing(pattern),
        AttachError::Unsupported { why, remedy } => Failure::new(Exit::Machine, why).remedy(remedy),
        AttachError::NotYet => Failure::new(Exit::Machine, format!("`{provider}` cannot be attached to yet")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use reel_probes::doctor::Capability;

    #[test]
    fn a_part_of_a_name_and_a_pattern_find_probes() {
        if !Capability::Tracefs.needs() {
            return;
        }
        assert!(matching("sys_enter_openat").unwrap().contains(&"tracepoint:syscalls:sys_enter_openat".to_owned()));
        assert_eq!(matching("http:ex*").unwrap(), ["http:exchange"]);
        assert_eq!(matching("tracepoint:raw_syscalls:sys_e*").unwrap().len(), 2);
        assert!(matching("nothing_is_called_so").unwrap_err().message.contains("no probe is called"));
        assert_eq!(matching("tracepiont:x:y").unwrap_err().remedy.as_deref(), Some("did you mean `tracepoint`?"));
    }
}

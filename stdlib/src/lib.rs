//! What the language comes with, as text: noise classes, the default rules of each protocol, and tools.
//!
//! The files are ordinary `.rr` files, read after the user's: a rule of theirs wins over one of these, and a class of theirs
//! shadows one of these. They are in the binary, so that a script needs nothing beside it, and small, since they are read on
//! each start that has rules.

/// The files, in the order in which they are read: name and text.
pub fn files() -> &'static [(&'static str, &'static str)] {
    &[
        ("noise.rr", include_str!("noise.rr")),
        ("http.rr", include_str!("http.rr")),
        ("redis.rr", include_str!("redis.rr")),
        ("dns.rr", include_str!("dns.rr")),
        ("postgres.rr", include_str!("postgres.rr")),
    ]
}

mod tools;

pub use tools::{Tool, tool, tools};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

//! Recordings: what a run exchanged with the world, as a folder of readable files (DESIGN.md, "Recordings").
//!
//! [`Writer`] writes one, exchange by exchange. [`Recording::open`] finds out what is in it, and reads a test or a mock when it is
//! needed, so that a recording may be larger than memory. Fields are stored decoded, by the
//! schema of their protocol; bytes are kept beside them where the fields would not give them back. The files have a stable
//! order, so that two recordings of the same traffic differ only in what really changed, and in `timing.yaml`.

mod bodies;
mod display;
mod document;
mod error;
mod fields;
mod flows;
pub mod index;
pub mod layout;
mod limit;
mod message;
mod migrate;
mod model;
pub mod outline;
mod read;
mod redact;
pub mod secrets;
mod size;
#[cfg(test)]
pub(crate) mod testing;
mod title;
mod value;
mod write;
pub mod yaml;

pub use display::{display, display_message};
pub use error::Error;
pub use limit::cut;
pub use message::wire_bytes;
pub use model::*;
pub use outline::{CallId, CueOutline, EffectOutline, MockOutline, Owner, Place, ProtocolId, TestOutline};
pub use read::{Documents, Recording};
pub(crate) use redact::token_spans;
pub use redact::{Redactor, is_secret, secret_name};
pub use secrets::Vault;
pub use size::{exchange_len_bytes, message_len_bytes};
pub use title::{answer, title};
pub use value::NUMBER;
pub use write::{Closing, Writer};

#[cfg(test)]
mod tests;

/// Reads a value out of YAML text, for tests of other parts.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn yaml_value(text: &str) -> reel_lang::value::Value {
    let tags = |tag: &str| ["simple", "error"].into_iter().find(|known| *known == tag);
    value::read(&yaml::documents(text).unwrap().remove(0), &bodies::InMemory::default(), &tags).unwrap()
}

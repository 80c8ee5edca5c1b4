//! Values and messages as a recording writes them, for displays; what would be a file of its own is named by its hash.

use bytes::Bytes;
use reel_lang::value::Value;
use reel_protocols::{Message, Protocol};

use super::bodies::{Bodies, Sha256};
use super::{message, value, yaml};

/// Keeps nothing: a display names a large payload, and does not show it.
struct Named;

impl Bodies for Named {
    fn keep(&mut self, bytes: &Bytes) -> std::io::Result<Sha256> {
        Ok(Sha256::of(bytes))
    }

    fn load(&self, sum: &Sha256) -> Result<Bytes, String> {
        Err(format!("{sum} is not kept"))
    }
}

/// A value on one line.
pub fn display(content: &Value) -> String {
    value::write(content, &mut Named).map(|node| yaml::inline(&node)).unwrap_or_default()
}

/// A message as its document, without the exact bytes.
pub fn display_message(protocol: &dyn Protocol, content: &Message) -> String {
    let mut readable = content.clone();
    readable.exact = None;
    message::write(protocol, &readable, &mut Named).map(|node| yaml::document(&node)).unwrap_or_default()
}

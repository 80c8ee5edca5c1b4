//! JSON text (RFC 8259) as values, and back.
//!
//! Reading keeps what a decoded body needs to be written again: the order of keys, 64-bit integers, every other number by
//! its digits. What a `Value` cannot hold exactly is not read: an object with a key twice, half of a surrogate pair,
//! invalid UTF-8. Such a text stays bytes. Writing follows one of the few styles that real encoders use ([`Style`]).

mod parse;
mod style;
mod write;

pub use parse::{JsonError, parse};
pub use style::{Layout, Style};
pub use write::{NotJson, write};

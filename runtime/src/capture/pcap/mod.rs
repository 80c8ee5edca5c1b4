//! Packet files: packets become conversations.
//!
//! [`file`] reads pcap and pcapng, [`packet`] finds the TCP segment in a packet, [`flows`] puts the segments of each connection in order
//! and tells a [`Sink`](super::connections::Sink) what the kernel's events would have told it. Whatever is not whole is
//! counted by name ([`counts`]); nothing is guessed, and memory has named limits.

pub mod counts;
pub mod file;
pub mod flow;
pub mod flows;
pub mod input;
pub mod packet;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

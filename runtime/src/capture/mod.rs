//! Capture: what connections exchanged becomes conversations.
//!
//! Live: ring buffer record -> [`connections`] (which connection, which way) -> [`stream`] (order, holes) -> a protocol's codec.
//! From a packet file: packet -> [`pcap`] (which connection, which way) -> [`stream`] -> the same codecs.

pub mod connections;
pub mod conversations;
pub mod datagrams;
pub mod joining;
pub mod kernel;
pub mod left_out;
pub mod names;
pub mod pcap;
pub mod pickup;
pub mod reader;
pub mod stream;

//! Live capture: the kernel's events become conversations.
//!
//! ring buffer record -> [`connections`] (which connection, which way) -> [`stream`] (order, holes) -> a protocol's codec.

pub mod connections;
pub mod conversations;
pub mod kernel;
pub mod reader;
pub mod stream;

//! What a script prints, as text for people and as JSON lines for machines.
//!
//! Kernel clauses send records of bytes, native clauses values; [`decode`] makes the one into the other, and everything after
//! it is the same for both. The shapes are bpftrace's: scripts and tools that read its output read ours.

pub mod decode;
pub mod frame;
pub mod json;
pub mod map;
pub mod printf;
pub mod strftime;
pub mod text;

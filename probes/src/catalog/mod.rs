//! What can be attached to, and what it hands over: read from the running kernel and from files.

pub mod btf;
pub mod tracefs;

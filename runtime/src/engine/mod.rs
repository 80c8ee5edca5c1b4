//! Runs scripts: compiled clauses attached to the kernel or fed with messages, live or of the past, and what they print.
//!
//! [`maps`] reads the kernel's maps, [`printer`] turns what clauses emit into output. One thread runs one loop over kernel events,
//! timers, signals and the end of the command; nothing here blocks a probe.

pub mod attach;
pub mod clock;
pub mod compile;
pub mod environment;
pub mod hosts;
pub mod listener;
pub mod live;
pub mod maps;
pub mod messages;
pub mod names;
pub mod occurrence;
pub mod past;
pub mod printer;
pub mod run;
pub mod screen;
pub mod session;
pub mod signals;
pub mod source;

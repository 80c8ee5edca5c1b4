//! reel from end to end: its own program, real services, real servers and the real kernel.
//!
//! One binary, so that it is linked once. Every test has ports, folders and cgroups of its own, and waits for events, never for
//! a time. It needs root, and what `tests/setup` installs: where that is missing, a test fails in CI and says so elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alias;
mod attribution;
mod bad_input;
mod beside;
mod changes;
mod clock;
mod clock_replay;
mod connections;
mod demo;
mod dns;
mod flows;
mod killed;
mod learn;
mod list;
mod mutations;
mod network;
mod passthrough;
mod pipes;
mod postgres;
mod postgres_drivers;
#[path = "../../runtime/tests/pty/mod.rs"]
mod pty;
mod pushdown;
mod recordings;
mod report;
mod retries;
mod runners;
mod services;
mod shared;
mod shop;
mod sides;
mod sources;
mod support;
mod tools;
mod tracing;
mod unanswered;
mod update;
mod ways;

// The program that `pty` starts.
use support::REEL;

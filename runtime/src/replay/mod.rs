//! Replay: one test after another against an app whose every dependency is mocked.
//!
//! The app is started by an [`AppHost`], which also tells where its connections were meant to go; this module knows neither
//! kernel nor process. A test passes if its response is what was recorded, but for what rules relax by name, and if exactly the
//! recorded calls were made.

mod client;
mod driver;
mod flows;
mod host;
mod outcome;
mod runner;
mod sandbox_host;
mod timekeeper;

pub use driver::{Options, Watch, replay};
pub use host::{AppHost, Ended};
pub use outcome::{Answer, Left, Reply, Run, TestOutcome};
pub use runner::{Served, serve};
pub use sandbox_host::SandboxHost;
pub use timekeeper::{Choice, Timekeeper};

#[cfg(test)]
mod tests;

//! The reel program.
pub mod capture;

//! The reel language: text to typed program.
pub mod schema;
pub mod value;

//! Recording.
pub mod attribution;
pub mod collector;
pub mod compose;

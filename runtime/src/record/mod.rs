//! Recording.
pub mod attribution;

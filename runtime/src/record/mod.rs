//! Recording: the app runs, the kernel tells what it exchanges, and a recording is written.
//!
//! [`session`] runs it, [`collector`] makes exchanges of bytes, [`attribution`] finds which request caused which call, and
//! [`compose`] writes tests and mocks.

pub mod attribution;
pub mod collector;
pub mod compose;
pub mod session;
pub mod summary;
pub mod watch;

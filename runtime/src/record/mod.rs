//! Recording: the app runs, the kernel tells what it exchanges, and a recording is written.
//!
//! [`session`] runs it, [`collector`] makes exchanges of bytes, [`attribution`] finds which request caused which call, and
//! [`flows`] which value of a request came out of an earlier answer, and [`compose`] writes tests and mocks.

pub mod attribution;
pub mod collector;
pub mod compose;
pub mod flows;
pub mod session;
pub mod summary;
pub mod watch;

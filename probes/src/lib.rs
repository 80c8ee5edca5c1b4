//! The kernel edge: what reel asks of the kernel, and the only crate that knows aya.
//!
//! From the outside in: [`doctor`] says what this machine can do, [`catalog`] what can be
//! attached to, [`load`] puts an eBPF object into the kernel and attaches it, [`ringbuf`] and
//! [`maps`] read what comes back; [`cgroup`], [`spawn`] and [`guard`] start the app so that it can
//! be watched, and so that nothing of it outlives reel. No aya type appears in a public
//! signature, and nothing here knows a protocol or a rule.

pub mod attach;
pub mod catalog;
pub mod cgroup;
pub mod cpus;
pub mod doctor;
pub mod event;
pub mod guard;
pub mod inspect;
pub mod load;
pub mod maps;
pub mod programs;
pub mod ringbuf;
pub mod sockets;
pub mod spawn;
mod sys;
pub mod unsupported;

pub use unsupported::Unsupported;

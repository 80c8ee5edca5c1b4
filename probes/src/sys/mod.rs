//! System calls that std does not wrap, each behind a safe function.
//!
//! All `unsafe` of the crate that talks to the kernel is in this folder, in `spawn` and in `guard`
//! (code between fork and exec). The functions here take and return owned or borrowed descriptors
//! and byte slices, so that no caller handles a raw pointer.
#![allow(unsafe_code)]

pub(crate) mod bpf;
pub(crate) mod epoll;
mod memlock;
pub(crate) mod mmap;
pub(crate) mod mount;
pub(crate) mod net;
pub(crate) mod perf;
pub(crate) mod poll;
pub(crate) mod process;

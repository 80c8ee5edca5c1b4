//! What the end-to-end tests share: servers and apps as processes of their own, and reel run as a user runs it.

pub mod app;
pub mod attribution;
pub mod bench;
pub mod large;
pub mod pcap;
pub mod postgres;
pub mod process;
pub mod redis;

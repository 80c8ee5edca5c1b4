//! Fuzzes conversations of datagrams in dns.
#![no_main]

#[path = "../src/drive.rs"]
#[allow(dead_code)]
mod drive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| drive::datagrams("dns", data));

//! What is in the kernel: for tests, and for the question whether reel left something behind.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::sys::bpf;

/// Returns the number by which the kernel lists a program, map or link, from its descriptor.
///
/// # Errors
/// When /proc cannot be read, or the descriptor is nothing of bpf's.
pub fn object_id(fd: BorrowedFd<'_>) -> io::Result<u32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    let id = info.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        matches!(name, "prog_id" | "map_id" | "link_id").then(|| value.trim().parse().ok())?
    });
    id.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Returns the numbers of all programs in the kernel, anybody's, in ascending order.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn program_ids() -> io::Result<Vec<u32>> {
    all(bpf::prog_next_id)
}

/// Returns the numbers of all links in the kernel, anybody's, in ascending order.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn link_ids() -> io::Result<Vec<u32>> {
    all(bpf::link_next_id)
}

fn all(next: impl Fn(u32) -> io::Result<Option<u32>>) -> io::Result<Vec<u32>> {
    let mut ids = Vec::new();
    let mut last = 0;
    while let Some(id) = next(last)? {
        ids.push(id);
        last = id;
    }
    Ok(ids)
}

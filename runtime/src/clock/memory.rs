//! The memory of another process.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

/// The memory of the process that a thread belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory(pub(super) Pid);

impl Memory {
    /// Reads as many bytes as there are from an address on; how many.
    pub(super) fn read(self, address: u64, buffer: &mut [u8]) -> usize {
        let remote = RemoteIoVec { base: address as usize, len: buffer.len() };
        process_vm_readv(self.0, &mut [IoSliceMut::new(buffer)], &[remote]).unwrap_or(0)
    }

    /// Fills a buffer; whether it could.
    #[must_use]
    pub(super) fn read_exact(self, address: u64, buffer: &mut [u8]) -> bool {
        self.read(address, buffer) == buffer.len()
    }

    /// Writes; whether all of it could be.
    #[must_use]
    pub(super) fn write(self, address: u64, bytes: &[u8]) -> bool {
        let remote = RemoteIoVec { base: address as usize, len: bytes.len() };
        process_vm_writev(self.0, &[IoSlice::new(bytes)], &[remote]) == Ok(bytes.len())
    }

    /// Writes where the process itself may only read: into a copy of its own of the page.
    #[must_use]
    pub(super) fn force(self, address: u64, bytes: &[u8]) -> bool {
        let written = self.open().and_then(|file| file.write_all_at(bytes, address));
        written.is_ok()
    }

    fn open(self) -> std::io::Result<File> {
        OpenOptions::new().write(true).open(format!("/proc/{}/mem", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_neither_read_nor_written() {
        let own = Memory(Pid::this());
        let (mut from, to) = ([0; 3], *b"abc");
        assert!(own.read_exact(to.as_ptr().addr() as u64, &mut from) && from == to);
        assert!(!own.read_exact(8, &mut from) && !own.write(8, &to) && !own.force(8, &to));
    }

    #[test]
    fn a_constant_is_written_by_force_only() {
        static CONSTANT: [u8; 4096] = [7; 4096];
        let (own, at) = (Memory(Pid::this()), CONSTANT.as_ptr().addr() as u64);
        assert!(!own.write(at, &[7]) && own.force(at, &[7]));
    }
}

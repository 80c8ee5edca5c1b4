//! Reads what programs write to a BPF ring buffer.
//!
//! The policy that costs the app least (ebpf.md): programs submit without a wakeup, but for one
//! that is forced when much is waiting, and the reader looks every few milliseconds on its own. So
//! [`RingReader::wait`] returns at a forced wakeup, at its timeout, or when a watched descriptor
//! is ready; the caller then consumes whatever is there, whichever it was.
//!
//! A record that did not fit is not seen here: programs count those in a map of their own.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use aya::maps::{Map as AyaMap, MapData, RingBuf};

use crate::maps::Map;
use crate::sys::epoll::Epoll;

/// How long to wait between two looks at a ring whose programs do not wake its reader.
pub const POLL_INTERVAL: Duration = Duration::from_millis(8);

/// The token of the ring itself in the set of descriptors.
const RING: u64 = u64::MAX;

/// The one reader of one ring buffer.
pub struct RingReader {
    ring: RingBuf<MapData>,
    epoll: Epoll,
}

impl RingReader {
    /// Opens a map of kind ring buffer for reading. A ring has one reader at a time.
    ///
    /// # Errors
    /// When the map is of another kind, or cannot be mapped into memory.
    pub fn new(map: &Map) -> io::Result<Self> {
        let data = MapData::from_fd(map.as_fd().try_clone_to_owned()?).map_err(io::Error::other)?;
        let ring = RingBuf::try_from(AyaMap::RingBuf(data)).map_err(io::Error::other)?;
        let epoll = Epoll::new()?;
        epoll.add(ring.as_fd(), RING)?;
        Ok(Self { ring, epoll })
    }

    /// Makes [`RingReader::wait`] also return when `fd` becomes readable, naming it by `token`.
    ///
    /// The descriptor must stay open as long as the reader. It is reported once each time that it
    /// becomes ready, so that the caller has to read all there is.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn watch(&self, fd: BorrowedFd<'_>, token: u32) -> io::Result<()> {
        self.epoll.add(fd, u64::from(token))
    }

    /// Waits for a wakeup, at most `timeout`, and returns the tokens of the descriptors that are
    /// ready: none at the timeout, at a signal, and when the ring itself woke us.
    ///
    /// # Errors
    /// As epoll_wait(2).
    pub fn wait(&self, timeout: Duration) -> io::Result<Vec<u32>> {
        let mut ready = Vec::new();
        self.epoll.wait(timeout, |token| ready.extend(u32::try_from(token)))?;
        Ok(ready)
    }

    /// Hands every waiting record to `each`, in order, and returns how many there were.
    pub fn consume(&mut self, mut each: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        while let Some(record) = self.ring.next() {
            each(&record);
            count += 1;
        }
        count
    }

    /// Hands at most `limit` waiting records to `each`, and returns how many there were.
    pub fn consume_up_to(&mut self, limit: usize, mut each: impl FnMut(&[u8])) -> usize {
        for count in 0..limit {
            match self.ring.next() {
                Some(record) => each(&record),
                None => return count,
            }
        }
        limit
    }
}

impl AsFd for RingReader {
    /// Readable when the ring was woken, or a watched descriptor is ready; [`RingReader::wait`] takes note of it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl fmt::Debug for RingReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingReader").finish_non_exhaustive()
    }
}

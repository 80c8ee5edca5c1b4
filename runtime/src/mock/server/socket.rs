//! One socket, with what still has to be written to it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;

/// How many pieces are written at once: an answer of several, as PostgreSQL's extended protocol has, is one segment.
const MAX_SLICES: usize = 16;

/// How a socket ends once everything was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Not at all.
    Open,
    /// Its sending side is closed; what still comes in is thrown away, so that no reset overtakes what was sent.
    Close,
    Closed,
}

/// A non-blocking socket.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    out: VecDeque<Bytes>,
    pub(super) end: End,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Answers are small and wanted at once; a kernel that refuses is only slower.
        let _ = stream.set_nodelay(true);
        Socket { stream, out: VecDeque::new(), end: End::Open }
    }

    /// Queues bytes.
    pub(super) fn queue(&mut self, bytes: Bytes) {
        if self.end == End::Open && !bytes.is_empty() {
            self.out.push_back(bytes);
        }
    }

    /// Writes what the kernel takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = self.out.iter().zip(&mut slices).map(|(bytes, slice)| *slice = IoSlice::new(bytes)).count();
            match self.stream.write_vectored(slices.get(..count).unwrap_or_default()) {
                Ok(len) => self.wrote(len),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // Not connected yet, or the other side is slow: the poll says when to go on.
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        if self.end == End::Close {
            self.end = End::Closed;
            match self.stream.shutdown(Shutdown::Write) {
                Err(e) if e.kind() != ErrorKind::NotConnected => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets what was written.
    fn wrote(&mut self, mut len: usize) {
        while let Some(first) = self.out.front_mut() {
            if len < first.len() {
                return first.advance(len);
            }
            len -= first.len();
            self.out.pop_front();
        }
    }

    /// Reads what is there into a buffer; none where nothing is there now, 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.stream.read(buffer) {
                Ok(len) => return Ok(Some(len)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }

    /// Makes the kernel send a reset when the socket is dropped.
    pub(super) fn arm_reset(&self) {
        let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(std::time::Duration::ZERO));
    }
}

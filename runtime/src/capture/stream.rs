//! One direction of a TCP connection put in order by sequence number.
//!
//! The capture program tags every run of bytes with its TCP sequence number. Runs can come twice (`MSG_PEEK`, a send that was
//! only partly taken), out of order (two CPUs), or not at all (a full ring buffer, a page that could not be read). This
//! module gives the bytes once, in order, and says where a hole is and how long; it never guesses what was in it.
//!
//! Positions are kept as 64-bit offsets from the start of the stream: a sequence number is 32 bits and wraps (RFC 9293
//! section 3.4), so each is taken relative to the last one that is known.

use std::collections::BTreeMap;

/// The most bytes that wait for an earlier run, in one direction of one connection. Past it the gap before them is a hole.
pub const MAX_PENDING_BYTES: usize = 4 << 20;

/// A piece of a stream, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Bytes(Vec<u8>),
    /// So many bytes are missing here.
    Hole(u64),
    /// A message with bounds of its own, of a conversation that is no stream.
    Datagram(Vec<u8>),
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct Stream {
    /// The sequence number of offset 0; unknown until the first run or state change.
    base: Option<u32>,
    /// The offset of the next byte to give out.
    next: u64,
    /// Runs beyond `next`, by offset.
    pending: BTreeMap<u64, Run>,
    pending_bytes: usize,
    /// Bytes given out, holes not counted.
    pub captured_bytes: u64,
    /// Bytes in holes.
    pub missing_bytes: u64,
}

#[derive(Debug)]
struct Run {
    bytes: Vec<u8>,
    /// The length on the wire: `bytes` and what was not captured behind them.
    total_len: u64,
}

impl Run {
    /// Drops `n` bytes from the front.
    fn cut_front(mut self, n: u64) -> Run {
        let kept = usize::try_from(n).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.drain(..kept);
        self.total_len = self.total_len.saturating_sub(n);
        self
    }
}

impl Stream {
    /// Tells where the stream starts: the sequence number of its first byte.
    pub fn starts_at(&mut self, seq: u32) {
        self.base.get_or_insert(seq);
    }

    /// The sequence number of the first byte, once it is known.
    pub fn start(&self) -> Option<u32> {
        self.base
    }

    /// Adds a run of bytes and gives out what is in order now.
    pub fn add(&mut self, seq: u32, bytes: &[u8], total_len: u32, out: &mut impl FnMut(Piece)) {
        let offset = self.offset(seq);
        let run = Run { bytes: bytes.to_vec(), total_len: u64::from(total_len).max(bytes.len() as u64) };
        let late = self.next.saturating_sub(offset);
        if late >= run.total_len {
            return;
        }
        let (offset, run) = (offset.max(self.next), run.cut_front(late));
        if offset == self.next && self.pending.is_empty() {
            self.give(run, out);
            return;
        }
        self.keep(offset, run);
        self.drain(out);
        if self.pending_bytes > MAX_PENDING_BYTES {
            self.skip_gap(out);
        }
    }

    /// Tells that everything before `seq` was sent or read: what has not come by now is missing.
    pub fn reaches(&mut self, seq: u32, out: &mut impl FnMut(Piece)) {
        let end = self.offset(seq);
        while self.next < end {
            match self.pending.first_key_value() {
                Some((&offset, _)) if offset < end => self.skip_gap(out),
                _ => self.hole(end - self.next, out),
            }
        }
    }

    /// Whether bytes before `seq` have not come.
    pub fn is_behind(&mut self, seq: u32) -> bool {
        self.offset(seq) > self.next
    }

    /// How many bytes wait for an earlier run.
    pub fn pending_len_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Gives out everything that still waits, with its holes: the connection is over.
    pub fn finish(&mut self, out: &mut impl FnMut(Piece)) {
        while !self.pending.is_empty() {
            self.skip_gap(out);
        }
    }

    /// The 64-bit offset of a sequence number, by the shortest way from the next one expected.
    fn offset(&mut self, seq: u32) -> u64 {
        let base = *self.base.get_or_insert(seq);
        let expected = base.wrapping_add(self.next as u32);
        let distance = seq.wrapping_sub(expected).cast_signed();
        self.next.saturating_add_signed(i64::from(distance))
    }

    fn keep(&mut self, offset: u64, run: Run) {
        self.pending_bytes += run.bytes.len();
        match self.pending.get(&offset) {
            // The longer of two runs at one place holds the other.
            Some(other) if other.total_len >= run.total_len => self.pending_bytes -= run.bytes.len(),
            _ => {
                if let Some(old) = self.pending.insert(offset, run) {
                    self.pending_bytes -= old.bytes.len();
                }
            }
        }
    }

    /// Gives out the pending runs that have no gap before them.
    fn drain(&mut self, out: &mut impl FnMut(Piece)) {
        while let Some(entry) = self.pending.first_entry() {
            let offset = *entry.key();
            if offset > self.next {
                return;
            }
            let run = entry.remove();
            self.pending_bytes -= run.bytes.len();
            let late = self.next - offset;
            if late < run.total_len {
                self.give(run.cut_front(late), out);
            }
        }
    }

    /// Declares the gap before the first pending run a hole.
    fn skip_gap(&mut self, out: &mut impl FnMut(Piece)) {
        if let Some((&offset, _)) = self.pending.first_key_value() {
            if offset > self.next {
                self.hole(offset - self.next, out);
            }
            self.drain(out);
        }
    }

    fn give(&mut self, run: Run, out: &mut impl FnMut(Piece)) {
        let kept = run.bytes.len() as u64;
        self.next += kept;
        self.captured_bytes += kept;
        if kept > 0 {
            out(Piece::Bytes(run.bytes));
        }
        if run.total_len > kept {
            self.uncaptured(run.total_len - kept, out);
        }
    }

    /// A run's tail was not captured with it. Another run may hold those bytes, so they are only missing once it does not.
    fn uncaptured(&mut self, len: u64, out: &mut impl FnMut(Piece)) {
        let end = self.next + len;
        while self.next < end {
            match self.pending.first_key_value() {
                Some((&offset, _)) if offset <= self.next => self.drain(out),
                Some((&offset, _)) if offset < end => self.hole(offset - self.next, out),
                _ => self.hole(end - self.next, out),
            }
        }
    }

    fn hole(&mut self, len: u64, out: &mut impl FnMut(Piece)) {
        self.next += len;
        self.missing_bytes += len;
        out(Piece::Hole(len));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds runs `(seq, text, total)` and shows what comes out: text, and `[n]` for a hole.
    fn check(start: Option<u32>, runs: &[(u32, &str, u32)], end: Option<u32>, expect: &str) {
        let mut stream = Stream::default();
        let mut shown = String::new();
        let mut show = |piece: Piece| match piece {
            Piece::Bytes(bytes) => shown.push_str(&String::from_utf8_lossy(&bytes)),
            Piece::Hole(len) => shown.push_str(&format!("[{len}]")),
            Piece::Datagram(_) => {}
        };
        if let Some(seq) = start {
            stream.starts_at(seq);
        }
        for &(seq, text, total) in runs {
            stream.add(seq, text.as_bytes(), total, &mut show);
        }
        match end {
            Some(seq) => stream.reaches(seq, &mut show),
            None => stream.finish(&mut show),
        }
        assert_eq!(shown, expect);
    }

    #[test]
    fn runs_in_order_come_out_as_they_are() {
        check(None, &[(100, "abc", 3), (103, "def", 3)], None, "abcdef");
    }

    #[test]
    fn a_run_that_comes_twice_comes_out_once() {
        check(None, &[(100, "abc", 3), (100, "abcde", 5), (105, "f", 1)], None, "abcdef");
    }

    #[test]
    fn runs_out_of_order_are_put_in_order() {
        check(Some(100), &[(103, "def", 3), (106, "g", 1), (100, "abc", 3)], None, "abcdefg");
    }

    #[test]
    fn sequence_numbers_wrap() {
        check(None, &[(u32::MAX - 1, "abcd", 4), (2, "ef", 2)], None, "abcdef");
    }

    #[test]
    fn a_missing_run_is_a_hole_of_its_length() {
        check(Some(100), &[(102, "cd", 2)], None, "[2]cd");
        check(Some(100), &[(100, "ab", 2), (105, "f", 1)], None, "ab[3]f");
    }

    #[test]
    fn a_missing_end_is_a_hole() {
        check(Some(100), &[(100, "ab", 2)], Some(105), "ab[3]");
        check(Some(100), &[(103, "d", 1)], Some(104), "[3]d");
        check(Some(100), &[], Some(100), "");
    }

    #[test]
    fn a_tail_that_was_not_captured_is_a_hole() {
        check(None, &[(100, "ab", 5), (105, "f", 1)], None, "ab[3]f");
        check(None, &[(100, "", 3), (103, "d", 1)], None, "[3]d");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut stream = Stream::default();
        stream.starts_at(0);
        let (mut holes, mut bytes) = (0, 0);
        for i in 0..6u32 {
            stream.add(10 + (i << 20), &vec![0; 1 << 20], 1 << 20, &mut |piece| match piece {
                Piece::Hole(len) => holes += len,
                Piece::Bytes(b) => bytes += b.len(),
                Piece::Datagram(_) => {}
            });
        }
        assert_eq!((holes, bytes), (10, 6 << 20));
    }
}

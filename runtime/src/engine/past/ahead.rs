//! Reads the documents of a recording ahead of their turn, on a thread for each core.
//!
//! Reading a document takes longer than anything that a script does with it. The turns are cut into batches, which the threads take
//! round robin; each thread is at most one batch ahead of what was taken from it, so memory is bounded by the number of cores.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::recording::{Documents, Error, Exchange, Owner, Recording};

/// The most documents of a batch.
const BATCH: usize = 64;
/// The most bytes of a batch; a longer document is one alone.
const BATCH_LEN_BYTES: u64 = 1 << 20;
/// The most threads.
const MAX_THREADS: usize = 8;

/// An exchange in the order of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub ended_ns: u64,
    pub owner: Owner,
    /// Of its document.
    pub len_bytes: u32,
}

type Read = Result<Option<Exchange>, Error>;

/// Exchanges in order, read before they are asked for.
pub(super) struct Ahead {
    turns: Arc<Vec<Turn>>,
    at: usize,
    batch: std::vec::IntoIter<Read>,
    /// The batches of each thread, and whose turn it is.
    batches: Vec<Receiver<Vec<Read>>>,
    next: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Ahead {
    /// Starts reading.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn start(recording: Arc<Recording>, turns: Vec<Turn>) -> std::io::Result<Ahead> {
        let turns = Arc::new(turns);
        let ranges = Arc::new(cut(&turns));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let count = cores.min(MAX_THREADS).min(ranges.len());
        let (mut batches, mut threads) = (Vec::new(), Vec::new());
        for first in 0..count {
            let (sender, receiver) = sync_channel(1);
            let work = Work { recording: Arc::clone(&recording), turns: Arc::clone(&turns), sender };
            let ranges = Arc::clone(&ranges);
            let run = move || work.run(ranges.iter().skip(first).step_by(count).cloned());
            threads.push(thread::Builder::new().name("reel-ahead".to_owned()).spawn(run)?);
            batches.push(receiver);
        }
        Ok(Ahead { turns, at: 0, batch: Vec::new().into_iter(), batches, next: 0, threads })
    }

    /// The next exchange, none within where the recording has none of this name; none at the end.
    pub(super) fn next(&mut self) -> Option<(Turn, Read)> {
        let turn = *self.turns.get(self.at)?;
        let read = match self.batch.next() {
            Some(read) => read,
            None => {
                let Ok(batch) = self.batches.get(self.next)?.recv() else { self.give_up() };
                self.batch = batch.into_iter();
                self.next = (self.next + 1) % self.batches.len().max(1);
                self.batch.next()?
            }
        };
        self.at += 1;
        Some((turn, read))
    }
}

impl Ahead {
    /// A thread that ended before its last batch has panicked: so does whoever waits for it.
    fn give_up(&mut self) -> ! {
        self.batches.clear();
        let mut panics: Vec<_> = self.threads.drain(..).filter_map(|thread| thread.join().err()).collect();
        resume_unwind(panics.pop().unwrap_or_else(|| Box::new("a reader of documents ended early")))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Without a receiver a thread ends with its batch.
        self.batches.clear();
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Cuts turns into batches.
fn cut(turns: &[Turn]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut len_bytes) = (0, 0u64);
    for (at, turn) in turns.iter().enumerate() {
        let is_full = at - start == BATCH || len_bytes.saturating_add(turn.len_bytes.into()) > BATCH_LEN_BYTES;
        if is_full && at > start {
            ranges.push(start..at);
            (start, len_bytes) = (at, 0);
        }
        len_bytes = len_bytes.saturating_add(turn.len_bytes.into());
    }
    if start < turns.len() {
        ranges.push(start..turns.len());
    }
    ranges
}

/// What a thread does.
struct Work {
    recording: Arc<Recording>,
    turns: Arc<Vec<Turn>>,
    sender: SyncSender<Vec<Read>>,
}

impl Work {
    fn run(self, ranges: impl Iterator<Item = Range<usize>>) {
        let mut documents = self.recording.documents();
        for range in ranges {
            let turns = self.turns.get(range).unwrap_or_default();
            let batch = turns.iter().map(|turn| read(&self.recording, &mut documents, turn.owner)).collect();
            if self.sender.send(batch).is_err() {
                return;
            }
        }
    }
}

/// Reads what was exchanged.
fn read(recording: &Recording, documents: &mut Documents<'_>, owner: Owner) -> Read {
    Ok(match owner {
        Owner::Test(id) => {
            recording.find_test(id).map(|test| documents.test(test)).transpose()?.map(|test| test.exchange)
        }
        Owner::Mock(id) => recording.find(id).map(|mock| documents.mock(mock)).transpose()?.map(|mock| mock.exchange),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::TestId;

    fn check(lens: &[u32], expect: &[Range<usize>]) {
        let turn = |len_bytes: &u32| Turn { ended_ns: 0, owner: Owner::Test(TestId(1)), len_bytes: *len_bytes };
        assert_eq!(cut(&lens.iter().map(turn).collect::<Vec<_>>()), expect);
    }

    #[test]
    fn batches_are_bounded_in_number_and_length() {
        check(&[], &[]);
        check(&[1; 65], &[0..64, 64..65]);
        let large = BATCH_LEN_BYTES as u32;
        check(&[1, large, 1, large + 1, large + 1, 2], &[0..1, 1..2, 2..3, 3..4, 4..5, 5..6]);
        check(&[large / 2, large / 2, 1], &[0..2, 2..3]);
    }
}

//! The thread that empties the ring: it does nothing else, so that decoding never makes the kernel drop an event.
//!
//! Records are copied out in batches and go through a bounded channel: as they come, or in full batches where the consumer is behind. One
//! that falls behind by the whole channel makes the ring fill, which the kernel side counts; the app is never held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use reel_probes::event::Event;

use super::kernel::Capture;
use crate::exit::{Exit, Failure};

/// How many batches may wait for the consumer.
const MAX_BATCHES: usize = 4096;
/// A batch is full when it is longer than this.
const BATCH_LEN_BYTES: usize = 256 << 10;
/// The thread's nice value: it goes before the app and its servers, which fill the ring within milliseconds where it has to wait.
const NICE: i32 = -10;

/// Records as the kernel wrote them, one after the other.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The events of the batch; records that are not understood are counted.
    pub fn events(&self, mut each: impl FnMut(&Event<'_>)) -> u64 {
        let mut bad = 0;
        let mut start = 0;
        for &end in &self.ends {
            match Event::parse(self.bytes.get(start..end).unwrap_or_default()) {
                Ok(event) => each(&event),
                Err(_) => bad += 1,
            }
            start = end;
        }
        bad
    }
}

/// A capture that is read by a thread of its own.
pub struct Reader {
    batches: Receiver<Batch>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Capture>>,
}

impl Reader {
    /// Starts the thread.
    ///
    /// # Errors
    /// The machine has no thread left.
    pub fn start(capture: Capture) -> Result<Reader, Failure> {
        let (send, batches) = bounded(MAX_BATCHES);
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("reel-ring".to_owned())
            .spawn(move || read(capture, &send, &flag))
            .map_err(|error| Failure::new(Exit::Machine, format!("cannot start a thread: {error}")))?;
        Ok(Reader { batches, stop, thread: Some(thread) })
    }

    /// Where the batches come out.
    pub fn batches(&self) -> &Receiver<Batch> {
        &self.batches
    }

    /// Detaches the programs, hands out everything that is left, and gives the count of lost records.
    pub fn finish(mut self, mut each: impl FnMut(Batch)) -> u64 {
        self.stop.store(true, Ordering::Release);
        // The thread ends, and with it the channel, when the ring is empty.
        for batch in self.batches.iter() {
            each(batch);
        }
        let capture = self.thread.take().and_then(|thread| thread.join().ok());
        capture.map_or(u64::MAX, |capture| capture.lost_records())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            self.batches = crossbeam_channel::never();
            let _ = thread.join();
        }
    }
}

fn read(mut capture: Capture, send: &Sender<Batch>, stop: &AtomicBool) -> Capture {
    // Of the calling thread. Where that is not allowed, what is lost is counted as ever.
    let _ = rustix::process::setpriority_process(None, NICE);
    let mut batch = Batch::default();
    loop {
        let stopping = stop.load(Ordering::Acquire);
        if stopping {
            capture.stop();
        }
        let mut is_open = true;
        capture.records(|record| {
            batch.push(record);
            if batch.bytes.len() >= BATCH_LEN_BYTES {
                is_open &= send.send(std::mem::take(&mut batch)).is_ok();
            }
        });
        if !batch.is_empty() && (stopping || send.is_empty()) {
            is_open &= send.send(std::mem::take(&mut batch)).is_ok();
        }
        if stopping || !is_open {
            return capture;
        }
        capture.wait();
    }
}

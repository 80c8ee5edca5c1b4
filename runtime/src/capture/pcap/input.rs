//! The bytes of a packet file, which may be a pipe that is still written to: waiting for more ends when the run is to end.
//!
//! What a pipe holds at that moment is still read, so that nothing that was captured before the end is lost; a writer that never
//! stops is left after [`DRAIN`].

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

/// How long a pipe is read on after the run was to end.
const DRAIN: Duration = Duration::from_secs(1);
/// The length of a pcap file's header (draft-ietf-opsawg-pcap section 4).
const PCAP_HEAD_LEN: usize = 24;
/// The first word of a pcapng file, the same in both byte orders, and how the order is told (draft-ietf-opsawg-pcapng section 4.1).
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const LITTLE_ENDIAN: [u8; 4] = [0x4d, 0x3c, 0x2b, 0x1a];
/// The longest section header that is waited for.
const MAX_HEAD_LEN: usize = 64 << 10;

/// What ends the wait for more of a pipe: any of these descriptors, once it can be read. Nothing is read of them.
pub type Stop = Vec<OwnedFd>;

/// A packet file's bytes.
pub struct Input {
    file: Arc<File>,
    /// None for a file on a disk, which is never waited for.
    stop: Option<Stop>,
    deadline: Option<Instant>,
    is_stopped: Arc<AtomicBool>,
}

/// What is known of an input while somebody reads it.
#[derive(Debug, Clone)]
pub struct Progress {
    file: Arc<File>,
    /// Whether it may be written to still, and is waited for.
    pub is_pipe: bool,
    is_stopped: Arc<AtomicBool>,
}

impl Progress {
    /// Whether there is nothing to read at this moment.
    pub fn is_idle(&self) -> bool {
        self.is_pipe && !is_ready(&self.file)
    }

    /// Whether reading ended since the run was to end, and not at the end of the file.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

/// Opens a packet file; `-` is standard input.
///
/// # Errors
/// As for opening any file.
pub fn open(path: &Path, stop: Stop) -> io::Result<(Input, Progress)> {
    let file =
        if path == Path::new("-") { File::from(io::stdin().as_fd().try_clone_to_owned()?) } else { File::open(path)? };
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let (file, is_stopped, is_pipe) = (Arc::new(file), Arc::new(AtomicBool::new(false)), !meta.is_file());
    let progress = Progress { file: file.clone(), is_pipe, is_stopped: is_stopped.clone() };
    Ok((Input { file, stop: is_pipe.then_some(stop), deadline: None, is_stopped }, progress))
}

impl Input {
    /// Waits until the header of the file has come, however it was cut, and gives all bytes from the first.
    ///
    /// # Errors
    /// As for reading.
    pub fn from_head(mut self) -> io::Result<impl Read + Send> {
        let mut head = Vec::new();
        self.fill(&mut head, PCAP_HEAD_LEN)?;
        if let (Some((magic, rest)), Some(order)) = (head.split_first_chunk::<4>(), head.get(8..12))
            && *magic == PCAPNG_MAGIC
            && let Some(len) = rest.first_chunk::<4>()
        {
            let len = if order == LITTLE_ENDIAN { u32::from_le_bytes(*len) } else { u32::from_be_bytes(*len) };
            self.fill(&mut head, (len as usize).min(MAX_HEAD_LEN))?;
        }
        Ok(Cursor::new(head).chain(self))
    }

    /// Reads until there are so many bytes, or no more.
    fn fill(&mut self, bytes: &mut Vec<u8>, len: usize) -> io::Result<()> {
        let missing = len.saturating_sub(bytes.len()) as u64;
        self.by_ref().take(missing).read_to_end(bytes).map(drop)
    }

    /// Waits until there is something to read.
    fn wait(&mut self) -> io::Result<()> {
        let Some(stop) = &self.stop else { return Ok(()) };
        loop {
            let mut fds = vec![PollFd::new(&*self.file, PollFlags::IN)];
            fds.extend(stop.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut is_ready = fds.iter().map(|fd| !fd.revents().is_empty());
            let has_more = is_ready.next().unwrap_or(false);
            if is_ready.any(|is_ready| is_ready) {
                let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + DRAIN);
                if !has_more || Instant::now() > deadline {
                    self.is_stopped.store(true, Ordering::Relaxed);
                    return Err(io::Error::other("the run was to end"));
                }
            }
            if has_more {
                return Ok(());
            }
        }
    }
}

impl Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.wait()?;
        (&*self.file).read(bytes)
    }
}

fn is_ready(file: &File) -> bool {
    let mut fds = [PollFd::new(file, PollFlags::IN)];
    poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

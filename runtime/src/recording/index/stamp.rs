//! Whether a file is still what it was.
//!
//! Size and time of change tell without reading. Where they do not (the file was copied, or is as young as the index itself, so
//! that a change after it could have the same time), its content does.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Present;

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// Relative to the recording.
    pub name: Box<str>,
    pub len: u64,
    /// When it was changed last, since the Unix epoch.
    pub changed_ns: i64,
    /// Of its content.
    pub hash: u64,
}

/// When a file was changed last.
pub(super) fn changed_ns(meta: &Metadata) -> i64 {
    meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec())
}

/// Whether a file is what it was, and what says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    No,
    /// Its time does not tell.
    ByContent,
    ByTime,
}

impl Stamped {
    /// Holds a file of the recording at `dir` against what it was. An index that was written at `written_ns` knows nothing of a change
    /// at that time or later.
    pub(super) fn fit(&self, dir: &Path, now: &Present, written_ns: i64) -> Fit {
        if now.len != self.len {
            return Fit::No;
        }
        if now.changed_ns == self.changed_ns && now.changed_ns < written_ns {
            return Fit::ByTime;
        }
        if hash_file(&dir.join(&*now.name)).is_ok_and(|hash| hash == self.hash) { Fit::ByContent } else { Fit::No }
    }
}

fn hash_file(path: &Path) -> std::io::Result<u64> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            len => hasher.add(buffer.get(..len).unwrap_or_default()),
        }
    }
}

/// The first eight bytes of a SHA-256: enough to tell a change, and the same as those of a body's name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// The hash of bytes.
    pub(crate) fn of(bytes: &[u8]) -> u64 {
        let mut hasher = Hasher::default();
        hasher.add(bytes);
        hasher.finish()
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> u64 {
        let sum: [u8; 32] = self.0.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = sum;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

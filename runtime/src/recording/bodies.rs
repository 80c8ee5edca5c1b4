//! Payloads that are too large or too binary for a YAML file, each in a file named by its SHA-256.

#[cfg(test)]
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use bytes::Bytes;
use sha2::Digest;

/// The name of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Sha256([u8; 32]);

impl Sha256 {
    /// Computes the name of a payload.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Sha256(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Sha256 {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut sum = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(());
        }
        for (byte, digits) in sum.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| ())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ())?;
        }
        Ok(Sha256(sum))
    }
}

/// Where payloads are kept.
pub(super) trait Bodies {
    /// Keeps a payload; the same payload twice is kept once.
    fn keep(&mut self, bytes: &Bytes) -> std::io::Result<Sha256>;

    /// Reads a payload back.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    fn load(&self, sum: &Sha256) -> Result<Bytes, String>;
}

/// Payloads in the `bodies` folder of a recording.
#[derive(Debug)]
pub(super) struct InFolder {
    folder: PathBuf,
    known: HashSet<Sha256>,
}

impl InFolder {
    /// Uses this folder, which is made when the first payload comes.
    pub(super) fn new(folder: PathBuf) -> Self {
        InFolder { folder, known: HashSet::new() }
    }
}

impl Bodies for InFolder {
    fn keep(&mut self, bytes: &Bytes) -> std::io::Result<Sha256> {
        let sum = Sha256::of(bytes);
        if self.known.is_empty() {
            std::fs::create_dir_all(&self.folder)?;
        }
        if self.known.insert(sum) {
            std::fs::write(self.folder.join(sum.to_string()), bytes)?;
        }
        Ok(sum)
    }

    fn load(&self, sum: &Sha256) -> Result<Bytes, String> {
        let path = self.folder.join(sum.to_string());
        let bytes = std::fs::read(&path).map_err(|e| format!("bodies/{sum}: {e}"))?;
        if Sha256::of(&bytes) != *sum {
            return Err(format!("bodies/{sum} does not have the SHA-256 that is its name: it was changed or cut"));
        }
        Ok(bytes.into())
    }
}

/// Payloads in memory, for tests.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct InMemory(HashMap<Sha256, Bytes>);

#[cfg(test)]
impl Bodies for InMemory {
    fn keep(&mut self, bytes: &Bytes) -> std::io::Result<Sha256> {
        let sum = Sha256::of(bytes);
        self.0.insert(sum, bytes.clone());
        Ok(sum)
    }

    fn load(&self, sum: &Sha256) -> Result<Bytes, String> {
        self.0.get(sum).cloned().ok_or_else(|| format!("there is no body {sum}"))
    }
}

//! Maps as bytes: keys and values have the lengths that the compiler gave them.
//!
//! A value of a per-CPU map is one value for each *possible* CPU (not only those online), each
//! rounded up to 8 bytes by the kernel; here the rounding is taken off again. All methods check
//! lengths, so that the kernel never reads or writes beyond a slice.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use aya_obj::generated::bpf_map_type::{
    self, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH,
};

use crate::cpus;
use crate::sys::bpf::{self, MapSpec};

/// A map in the kernel. Clones are the same map; it lives as long as one of them or a program.
#[derive(Debug, Clone)]
pub struct Map {
    fd: Arc<OwnedFd>,
    name: Arc<str>,
    spec: MapSpec,
    /// How many values one key has: 1, or the number of possible CPUs.
    copies: usize,
}

/// A key of a map with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As many bytes as the map's keys have.
    pub key: Vec<u8>,
    /// One value, or one for each possible CPU.
    pub values: Vec<Vec<u8>>,
}

impl Map {
    pub(crate) fn create(name: &str, spec: MapSpec, btf: Option<bpf::MapBtf<'_>>) -> io::Result<Self> {
        let copies = if is_per_cpu(spec.kind) { cpus::possible()? } else { 1 };
        let fd = Arc::new(bpf::map_create(name, spec, btf)?);
        Ok(Self { fd, name: name.into(), spec, copies })
    }

    /// Returns the name that the object gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the length of a key.
    #[must_use]
    pub fn key_len_bytes(&self) -> usize {
        self.spec.key_len_bytes as usize
    }

    /// Returns the length of one value, of one CPU.
    #[must_use]
    pub fn value_len_bytes(&self) -> usize {
        self.spec.value_len_bytes as usize
    }

    /// Returns how many keys fit.
    #[must_use]
    pub fn max_entries(&self) -> u32 {
        self.spec.max_entries
    }

    /// Returns the values of a key: one, or one for each possible CPU; none without that key.
    ///
    /// # Errors
    /// `InvalidInput` when the key has the wrong length; else the kernel's answer.
    pub fn lookup(&self, key: &[u8]) -> io::Result<Option<Vec<Vec<u8>>>> {
        self.check_key(key)?;
        let stride = self.stride();
        let mut bytes = vec![0; stride * self.copies];
        if !bpf::map_lookup(self.as_fd(), key, &mut bytes)? {
            return Ok(None);
        }
        let len = self.value_len_bytes();
        let values = bytes.chunks(stride.max(1)).map(|value| value[..len].to_vec());
        Ok(Some(values.collect()))
    }

    /// Sets the value of a key, on every CPU where each has its own.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong length; E2BIG when the map is full.
    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.check_key(key)?;
        self.check_len("value", value.len(), self.value_len_bytes())?;
        let mut padded = value.to_vec();
        padded.resize(self.stride(), 0);
        bpf::map_update(self.as_fd(), key, &padded.repeat(self.copies))
    }

    /// Removes a key; false when the map did not have it. An array's keys cannot be removed.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong length; EINVAL for an array.
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        self.check_key(key)?;
        bpf::map_delete(self.as_fd(), key)
    }

    /// Returns the keys, each once.
    ///
    /// Programs may add and remove keys meanwhile: a key that was there all the time is returned,
    /// one that was not may be.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn keys(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut seen = HashSet::new();
        let mut keys: Vec<Vec<u8>> = Vec::new();
        // When the key that we stand on is removed, the kernel begins again at the first.
        let limit = 2 * self.max_entries() as usize;
        for _ in 0..=limit {
            let mut next = vec![0; self.key_len_bytes()];
            let last = keys.last().map(Vec::as_slice);
            if !bpf::map_next_key(self.as_fd(), last, &mut next)? {
                break;
            }
            if seen.insert(next.clone()) {
                keys.push(next);
            } else {
                // Go on from the key that we had already, without listing it a second time.
                keys.retain(|key| *key != next);
                keys.push(next);
            }
        }
        Ok(keys)
    }

    /// Returns every key with its values; a key that is removed meanwhile is left out.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for key in self.keys()? {
            if let Some(values) = self.lookup(&key)? {
                entries.push(Entry { key, values });
            }
        }
        Ok(entries)
    }

    /// Removes every key of a hash map.
    ///
    /// # Errors
    /// EINVAL for an array, whose keys cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        for key in self.keys()? {
            self.delete(&key)?;
        }
        Ok(())
    }

    fn stride(&self) -> usize {
        let len = self.value_len_bytes();
        if is_per_cpu(self.spec.kind) { len.next_multiple_of(8) } else { len }
    }

    fn check_key(&self, key: &[u8]) -> io::Result<()> {
        self.check_len("key", key.len(), self.key_len_bytes())
    }

    fn check_len(&self, what: &str, found: usize, expected: usize) -> io::Result<()> {
        if found == expected {
            return Ok(());
        }
        let name = &self.name;
        let text = format!("map {name}: expected a {what} of {expected} bytes, found {found}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn is_per_cpu(kind: bpf_map_type) -> bool {
    matches!(kind, BPF_MAP_TYPE_PERCPU_ARRAY | BPF_MAP_TYPE_PERCPU_HASH | BPF_MAP_TYPE_LRU_PERCPU_HASH)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use aya_obj::generated::bpf_map_type::{BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH};

    fn map(kind: bpf_map_type, key: u32, value: u32, max_entries: u32) -> Map {
        let spec = MapSpec { kind, key_len_bytes: key, value_len_bytes: value, max_entries, flags: 0, extra: 0 };
        Map::create("reel_test", spec, None).unwrap()
    }

    #[test]
    fn a_hash_map_keeps_bytes() {
        let map = map(BPF_MAP_TYPE_HASH, 3, 5, 16);
        assert_eq!(map.lookup(b"abc").unwrap(), None);
        map.update(b"abc", b"12345").unwrap();
        map.update(b"abd", b"54321").unwrap();
        assert_eq!(map.lookup(b"abc").unwrap(), Some(vec![b"12345".to_vec()]));
        let mut keys = map.keys().unwrap();
        keys.sort();
        assert_eq!(keys, [b"abc", b"abd"]);
        assert!(map.delete(b"abc").unwrap());
        assert!(!map.delete(b"abc").unwrap());
        map.clear().unwrap();
        assert!(map.entries().unwrap().is_empty());
    }

    #[test]
    fn a_per_cpu_value_is_one_for_each_possible_cpu_without_the_rounding() {
        let map = map(BPF_MAP_TYPE_PERCPU_HASH, 8, 12, 4);
        map.update(&[7; 8], &[9; 12]).unwrap();
        let values = map.lookup(&[7; 8]).unwrap().unwrap();
        assert_eq!(values, vec![vec![9; 12]; cpus::possible().unwrap()]);
    }

    #[test]
    fn a_wrong_length_is_refused_before_the_kernel_sees_it() {
        let map = map(BPF_MAP_TYPE_ARRAY, 4, 8, 2);
        assert_eq!(map.lookup(&[0; 3]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(map.update(&[0; 4], &[0; 9]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(map.delete(&[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(map.entries().unwrap().len(), 2);
        assert!(map.clear().is_err());
    }

    #[test]
    fn a_full_map_says_so() {
        let map = map(BPF_MAP_TYPE_HASH, 4, 4, 1);
        map.update(&[1; 4], &[0; 4]).unwrap();
        let error = map.update(&[2; 4], &[0; 4]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::E2BIG));
    }
}

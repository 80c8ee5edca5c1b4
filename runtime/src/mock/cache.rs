//! A cache with a limit in bytes.
//!
//! Two generations: what is asked for moves to the young one; when that has half of the limit, the old one goes and the young
//! one is old. So the least lately used go first, without a list that is kept in order.

use std::collections::HashMap;
use std::hash::Hash;

/// Values by key, the lately used ones.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    limit_len_bytes: usize,
    young: HashMap<K, (V, usize)>,
    young_len_bytes: usize,
    old: HashMap<K, (V, usize)>,
}

impl<K: Hash + Eq + Copy, V: Clone> Cache<K, V> {
    /// Keeps values of so many bytes at most.
    pub(super) fn new(limit_len_bytes: usize) -> Self {
        Cache { limit_len_bytes, young: HashMap::new(), young_len_bytes: 0, old: HashMap::new() }
    }

    /// Finds a value.
    pub(super) fn get(&mut self, key: K) -> Option<V> {
        if let Some((value, _)) = self.young.get(&key) {
            return Some(value.clone());
        }
        let (value, len_bytes) = self.old.remove(&key)?;
        self.put(key, value.clone(), len_bytes);
        Some(value)
    }

    /// Keeps a value; one that alone has half of the limit is not kept.
    pub(super) fn put(&mut self, key: K, value: V, len_bytes: usize) {
        let half = self.limit_len_bytes / 2;
        if len_bytes > half {
            return;
        }
        if self.young_len_bytes + len_bytes > half {
            self.old = std::mem::take(&mut self.young);
            self.young_len_bytes = 0;
        }
        if let Some((_, before)) = self.young.insert(key, (value, len_bytes)) {
            self.young_len_bytes -= before;
        }
        self.young_len_bytes += len_bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_lately_used_go_first() {
        let mut cache = Cache::new(80);
        for key in 0..4 {
            cache.put(key, key, 20);
        }
        // 0 and 1 are old, 2 and 3 young; asking makes 0 young, and so 1 goes.
        assert_eq!(cache.get(0), Some(0));
        assert_eq!([0, 1, 2, 3].map(|key| cache.get(key)), [Some(0), None, Some(2), Some(3)]);
        cache.put(9, 9, 41);
        assert_eq!(cache.get(9), None);
    }

    #[test]
    fn what_is_kept_stays_below_the_limit() {
        let mut cache = Cache::new(1000);
        for key in 0..10_000u32 {
            cache.put(key % 300, key, (key as usize * 7) % 90);
            let kept = cache.young.values().chain(cache.old.values()).map(|(_, len)| len).sum::<usize>();
            assert!(kept <= 1000 && cache.young_len_bytes == cache.young.values().map(|(_, len)| len).sum::<usize>());
        }
    }
}

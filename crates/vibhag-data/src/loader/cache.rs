//! A least-recently-used cache bounded by bytes.

use std::collections::{BTreeMap, HashMap};

/// Values by sample index; the least recently used leave first.
pub(super) struct Cache<T> {
    limit: usize,
    bytes: usize,
    clock: u64,
    entries: HashMap<usize, Entry<T>>,
    by_use: BTreeMap<u64, usize>,
}

struct Entry<T> {
    value: T,
    bytes: usize,
    used: u64,
}

impl<T: Clone> Cache<T> {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, clock: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&mut self, index: usize) -> Option<T> {
        self.clock += 1;
        let entry = self.entries.get_mut(&index)?;
        self.by_use.remove(&entry.used);
        entry.used = self.clock;
        self.by_use.insert(self.clock, index);
        Some(entry.value.clone())
    }

    /// Keeps `value` unless it is larger than the whole cache.
    pub(super) fn insert(&mut self, index: usize, value: T, bytes: usize) {
        self.remove(index);
        if bytes > self.limit {
            return;
        }
        while self.bytes + bytes > self.limit {
            let Some((_, &oldest)) = self.by_use.first_key_value() else { break };
            self.remove(oldest);
        }
        self.clock += 1;
        self.bytes += bytes;
        self.by_use.insert(self.clock, index);
        self.entries.insert(index, Entry { value, bytes, used: self.clock });
    }

    fn remove(&mut self, index: usize) {
        if let Some(entry) = self.entries.remove(&index) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_recently_used_leaves_first() {
        let mut cache = Cache::new(10);
        cache.insert(1, 'a', 4);
        cache.insert(2, 'b', 4);
        assert_eq!(cache.get(1), Some('a'));
        cache.insert(3, 'c', 4);
        assert_eq!((cache.get(1), cache.get(2), cache.get(3)), (Some('a'), None, Some('c')));
        cache.insert(4, 'd', 11);
        assert_eq!((cache.get(4), cache.bytes()), (None, 8));
    }

    proptest! {
        #[test]
        fn the_bound_holds(steps in proptest::collection::vec((0usize..8, 0usize..40, any::<bool>()), 0..200)) {
            let mut cache = Cache::new(100);
            for (index, bytes, insert) in steps {
                if insert { cache.insert(index, index, bytes) } else { prop_assert!(cache.get(index).is_none_or(|v| v == index)) }
                prop_assert!(cache.bytes() <= 100);
                prop_assert_eq!(cache.bytes(), cache.entries.values().map(|e| e.bytes).sum::<usize>());
                prop_assert_eq!(cache.by_use.len(), cache.entries.len());
            }
        }
    }
}

//! A map that keeps at most so many values: those used last.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A bounded map. Values are handles that are cheap to clone.
pub(crate) struct Recent<K, V> {
    capacity: usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    clock: u64,
    values: HashMap<K, (u64, V)>,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            inner: Mutex::new(Inner {
                clock: 0,
                values: HashMap::new(),
            }),
        }
    }

    /// The value of this key, if it is kept.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let (used, value) = inner.values.get_mut(key)?;
        *used = now;
        Some(value.clone())
    }

    /// The value of this key, or this one if there is none yet. Drops the value that was not used
    /// for the longest time where there are too many.
    pub(crate) fn get_or_insert(&self, key: K, make: impl FnOnce() -> V) -> V {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let value = {
            let (used, value) = inner.values.entry(key).or_insert_with(|| (now, make()));
            *used = now;
            value.clone()
        };
        let mut evicted = None;
        if inner.values.len() > self.capacity {
            // Linear, but only on insertion, and the capacity is in the hundreds.
            let oldest = inner
                .values
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(key, _)| key.clone());
            evicted = oldest.and_then(|key| inner.values.remove(&key));
        }
        // Dropping a value can be slow: not under the lock.
        drop(inner);
        drop(evicted);
        value
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        // No code of others runs under the lock, so a poisoned one still holds a whole map.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_was_not_used_for_the_longest_time_goes_first() {
        let recent = Recent::new(2);
        recent.get_or_insert("a", || 1);
        recent.get_or_insert("b", || 2);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.get_or_insert("c", || 3);
        assert_eq!(recent.get(&"b"), None);
        assert_eq!((recent.get(&"a"), recent.get(&"c")), (Some(1), Some(3)));
    }

    #[test]
    fn a_kept_value_is_not_made_again() {
        let recent = Recent::new(2);
        recent.get_or_insert("a", || 1);
        assert_eq!(recent.get_or_insert("a", || unreachable!()), 1);
    }
}

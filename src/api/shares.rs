//! What each remote address or caller may hold at once. Keys that hold nothing are forgotten, so the memory is bounded by what is
//! held.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what each key holds. Cheap to clone.
#[derive(Debug)]
pub struct Shares<K> {
    /// What one key may hold; 0 for no limit.
    max: usize,
    held: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self { max: self.max, held: Arc::clone(&self.held) }
    }
}

/// One of the things that a key holds, until it is dropped.
#[derive(Debug)]
pub struct Share<K: Eq + Hash> {
    key: K,
    held: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash + Clone> Shares<K> {
    /// At most `max` for each key; 0 for no limit.
    pub fn new(max: usize) -> Self {
        Self { max, held: Arc::default() }
    }

    /// One more for `key`; `None` when it holds its share already.
    pub fn take(&self, key: K) -> Option<Share<K>> {
        let mut held = locked(&self.held);
        let count = held.get(&key).copied().unwrap_or_default();
        if self.max > 0 && count >= self.max {
            return None;
        }
        held.insert(key.clone(), count + 1);
        drop(held);
        Some(Share { key, held: Arc::clone(&self.held) })
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut held = locked(&self.held);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

/// Ignores poisoning: each change is one call of the map.
fn locked<K>(held: &Mutex<HashMap<K, usize>>) -> MutexGuard<'_, HashMap<K, usize>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_share_and_is_forgotten_when_it_holds_nothing() {
        let shares = Shares::new(2);
        let mut held: Vec<_> = (0..10_000).map(|key| shares.take(key).unwrap()).collect();
        held.push(shares.take(7).unwrap());
        assert!(shares.take(7).is_none() && shares.take(8).is_some());
        held.pop();
        assert!(shares.take(7).is_some());
        assert_eq!(locked(&shares.held).len(), 10_000);
        held.clear();
        assert_eq!(locked(&shares.held).len(), 0);
        let unlimited = Shares::new(0);
        let held: Vec<_> = (0..100).map(|_| unlimited.take("one").unwrap()).collect();
        assert_eq!(held.len(), 100);
    }
}

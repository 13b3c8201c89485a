use std::fmt;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::store::forked;
use crate::store::guard;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::{Args, Clock, Error, Expiry, Found, KeyHash, KeyedStore, Namespace, Process, Store};

/// Results in memory; the least recently used one is evicted first. This store needs no engine.
///
/// It knows keys by their [`KeyHash`], under a secret that is random in every process, so it stores no arguments.
/// An operation takes constant time, under one lock; `twat-cache-mem` is faster.
///
/// ```
/// use std::time::Duration;
/// use twat_cache_core::{LruStore, Memo};
///
/// let store = LruStore::new(1000).ttl(Duration::from_secs(60));
/// let double = Memo::new(store, |n: &u64| n * 2);
/// assert_eq!(double.call(&21), 42);
/// ```
pub struct LruStore<V> {
    process: Process,
    namespace: Namespace,
    entries: Mutex<Entries<V>>,
    max_weight: u64,
    weigh: fn(&V) -> u64,
    expiry: Expiry,
    evictions: AtomicU64,
}

struct Entries<V> {
    /// `insert_with_ttl` bounds it: a bounded `LruCache` allocates memory for all its entries at once.
    cache: LruCache<KeyHash, Entry<V>>,
    /// The weight of all entries together.
    weight: u64,
}

struct Entry<V> {
    // Shared, so that values are cloned and dropped outside the lock: both are the user's code.
    value: Arc<V>,
    weight: u64,
    deadline: Option<Instant>,
}

impl<V> LruStore<V> {
    /// A store for at most this many entries; 0 stores nothing. Entries do not expire.
    pub fn new(max_entries: usize) -> Self {
        Self::by_weight(max_entries as u64, |_| 1)
    }

    /// A store for entries that weigh at most `max_weight` together. An entry weighs at least 1.
    ///
    /// An entry that is heavier than the limit is not stored, and no other is evicted for it. Entries do not expire.
    ///
    /// ```
    /// use twat_cache_core::{KeyedStore, LruStore, Store};
    ///
    /// let store = LruStore::by_weight(10, |text: &String| text.len() as u64);
    /// for text in ["four", "five5", "a text that is too long"] {
    ///     store.insert(text, &text.to_owned())?;
    /// }
    /// assert_eq!(store.len()?, 2);
    /// store.insert("two", &"22".to_owned())?;
    /// assert_eq!((store.get("four")?, store.len()?), (None, 2));
    /// # Ok::<(), twat_cache_core::Error>(())
    /// ```
    pub fn by_weight(max_weight: u64, weigh: fn(&V) -> u64) -> Self {
        Self {
            process: Process::this(),
            namespace: Namespace::process(),
            entries: Mutex::new(Entries::new()),
            max_weight,
            weigh,
            expiry: Expiry::default(),
            evictions: AtomicU64::new(0),
        }
    }

    /// An empty store with the same options.
    #[doc(hidden)]
    pub fn emptied(&self) -> Self {
        Self { expiry: self.expiry.clone(), ..Self::by_weight(self.max_weight, self.weigh) }
    }

    /// Entries expire this long after they were stored. Zero stores nothing.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.expiry.ttl = Some(ttl);
        self
    }

    /// Entries are stale, and not yet expired, for this long after their TTL. See [`Store::stale`].
    pub fn stale(mut self, stale: Duration) -> Self {
        self.expiry.stale = Some(stale);
        self
    }

    /// Reads the time from this clock, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.expiry.clock = clock;
        self
    }

    fn is_valid(&self, entry: &Entry<V>) -> bool {
        entry.deadline.is_none_or(|deadline| self.expiry.clock.remaining(deadline).is_some())
    }

    fn lock(&self) -> Result<MutexGuard<'_, Entries<V>>, Error> {
        self.process.lock(&self.entries).ok_or_else(forked)
    }

    fn entry(&self, digest: KeyHash) -> Result<Option<Found<Arc<V>>>, Error> {
        let mut entries = self.lock()?;
        let Some(entry) = entries.cache.get(&digest) else { return Ok(None) };
        let ttl = entry.deadline.map(|deadline| self.expiry.clock.remaining(deadline));
        if ttl != Some(None) {
            return Ok(Some(Found { value: entry.value.clone(), ttl: ttl.flatten() }));
        }
        let expired = entries.remove(digest);
        drop(entries);
        drop(expired);
        Ok(None)
    }
}

impl<V> Entries<V> {
    fn new() -> Self {
        Self { cache: LruCache::unbounded(), weight: 0 }
    }

    fn put(&mut self, digest: KeyHash, entry: Entry<V>) -> Option<Entry<V>> {
        self.weight = self.weight.saturating_add(entry.weight);
        let replaced = self.cache.put(digest, entry);
        self.without(replaced)
    }

    fn remove(&mut self, digest: KeyHash) -> Option<Entry<V>> {
        let removed = self.cache.pop(&digest);
        self.without(removed)
    }

    /// Removes the least recently used entry if all together weigh more than this.
    fn evict(&mut self, max_weight: u64) -> Option<Entry<V>> {
        let evicted = if self.weight > max_weight { self.cache.pop_lru() } else { None };
        self.without(evicted.map(|(_, entry)| entry))
    }

    /// Subtracts the weight of what was removed.
    fn without(&mut self, removed: Option<Entry<V>>) -> Option<Entry<V>> {
        self.weight = self.weight.saturating_sub(removed.as_ref().map_or(0, |entry| entry.weight));
        removed
    }
}

impl<V: Send + Sync> Store for LruStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        Ok(self.lock()?.cache.len())
    }

    fn clear(&self) -> Result<(), Error> {
        let cleared = std::mem::replace(&mut *self.lock()?, Entries::new());
        drop(cleared);
        Ok(())
    }

    fn ttl(&self) -> Option<Duration> {
        self.expiry.lifetime()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.expiry.stale
    }

    fn describe(&self) -> String {
        String::from("memory")
    }

    fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }
}

impl<K: Args + ?Sized, V: Clone + Send + Sync> KeyedStore<K> for LruStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.get_with_ttl(key)?.map(|found| found.value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let digest = self.namespace.digest_of(key);
        let removed = self.lock()?.remove(digest);
        Ok(removed.is_some_and(|entry| self.is_valid(&entry)))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        // If the value's `Clone` panics, the function can still compute the value.
        guard("copy a value", || {
            let found = self.entry(self.namespace.digest_of(key))?;
            Ok(found.map(|Found { value, ttl }| Found { value: V::clone(&value), ttl }))
        })
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        let digest = self.namespace.digest_of(key);
        let ttl = self.expiry.of_entry(time);
        let weight = guard("weigh a result", || Ok((self.weigh)(value).max(1)))?;
        if weight > self.max_weight || ttl == Some(Duration::ZERO) {
            let replaced = self.lock()?.remove(digest);
            drop(replaced);
            return Ok(());
        }
        let value = Arc::new(guard("store a result", || Ok(value.clone()))?);
        let deadline = ttl.and_then(|_| self.expiry.clock.deadline(ttl));
        let mut entries = self.lock()?;
        let replaced = entries.put(digest, Entry { value, weight, deadline });
        // Of entries that weigh 1, one is enough.
        let evicted = entries.evict(self.max_weight);
        let more: Vec<_> = iter::from_fn(|| entries.evict(self.max_weight)).collect();
        drop(entries);
        let count = evicted.iter().chain(&more).filter(|entry| self.is_valid(entry)).count();
        self.evictions.fetch_add(count as u64, Ordering::Relaxed);
        drop((replaced, evicted, more));
        Ok(())
    }
}

impl<V> fmt::Debug for LruStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LruStore")
            .field("max_weight", &self.max_weight)
            .field("ttl", &self.expiry.ttl)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::ManualClock;

    #[test]
    fn only_what_the_limit_drives_out_counts_as_evicted() {
        let clock = ManualClock::new();
        let store = LruStore::by_weight(10, |weight: &u64| *weight).ttl(Duration::from_secs(60)).clock(clock.clock());
        (0..5).for_each(|key: u64| store.insert(&key, &2).unwrap());
        store.insert(&0_u64, &1).unwrap();
        store.remove(&0_u64).unwrap();
        store.insert(&5_u64, &11).unwrap();
        assert_eq!(store.evictions(), 0);
        store.insert(&6_u64, &9).unwrap();
        assert_eq!((store.len().unwrap(), store.evictions()), (1, 4));
        // An expired entry makes room without being evicted.
        clock.advance(Duration::from_secs(60));
        store.insert(&7_u64, &10).unwrap();
        store.clear().unwrap();
        assert_eq!(store.evictions(), 4);
    }
}

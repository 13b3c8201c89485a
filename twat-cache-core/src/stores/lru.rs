use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::store::forked;
use crate::store::guard;
use crate::sync::{Mutex, MutexGuard};
use crate::{Args, Clock, Error, Found, KeyHash, KeyedStore, Namespace, Process, Store};
use lru::LruCache;

/// Results in memory, least recently used first out: the store of last resort, always compiled in.
///
/// It knows keys by their [`KeyHash`], under a secret that is random in every process, so it keeps no arguments.
/// All operations take constant time, under one lock; for speed there is `twat-cache-mem`.
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
    max_entries: usize,
    ttl: Option<Duration>,
    clock: Clock,
}

type Entries<V> = LruCache<KeyHash, Entry<V>>;

struct Entry<V> {
    // Shared, so that values are cloned and dropped outside the lock: both are the user's code.
    value: Arc<V>,
    deadline: Option<Instant>,
}

impl<V> LruStore<V> {
    /// A store for this many entries; 0 keeps nothing. They never expire.
    pub fn new(max_entries: usize) -> Self {
        Self {
            process: Process::this(),
            namespace: Namespace::process(),
            // Bounded by `insert`: a bounded `LruCache` allocates for all its entries at once.
            entries: Mutex::new(LruCache::unbounded()),
            max_entries,
            ttl: None,
            clock: Clock::system(),
        }
    }

    /// Entries expire this long after they were stored. Zero keeps nothing.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Where to read the time from, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    fn lock(&self) -> Result<MutexGuard<'_, Entries<V>>, Error> {
        self.process.lock(&self.entries).ok_or_else(forked)
    }

    fn entry(&self, digest: KeyHash) -> Result<Option<Found<Arc<V>>>, Error> {
        let mut entries = self.lock()?;
        let Some(entry) = entries.get(&digest) else { return Ok(None) };
        let ttl = entry.deadline.map(|deadline| self.clock.remaining(deadline));
        if ttl != Some(None) {
            return Ok(Some(Found { value: entry.value.clone(), ttl: ttl.flatten() }));
        }
        let expired = entries.pop(&digest);
        drop(entries);
        drop(expired);
        Ok(None)
    }
}

impl<V: Send + Sync> Store for LruStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        Ok(self.lock()?.len())
    }

    fn clear(&self) -> Result<(), Error> {
        let cleared = std::mem::replace(&mut *self.lock()?, LruCache::unbounded());
        drop(cleared);
        Ok(())
    }

    fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    fn describe(&self) -> String {
        String::from("memory")
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
        let removed = self.lock()?.pop(&digest);
        let lives = |deadline| self.clock.remaining(deadline).is_some();
        Ok(removed.is_some_and(|entry| entry.deadline.is_none_or(lives)))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        // A value whose `Clone` panics is as good as none: the function can still give it.
        guard("copy a value", || {
            let found = self.entry(self.namespace.digest_of(key))?;
            Ok(found.map(|Found { value, ttl }| Found { value: V::clone(&value), ttl }))
        })
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        let digest = self.namespace.digest_of(key);
        let ttl = self.ttl.into_iter().chain(time).min();
        if self.max_entries == 0 || ttl == Some(Duration::ZERO) {
            let replaced = self.lock()?.pop(&digest);
            drop(replaced);
            return Ok(());
        }
        let deadline = ttl.and_then(|_| self.clock.deadline(ttl));
        let entry = Entry { value: Arc::new(guard("store a result", || Ok(value.clone()))?), deadline };
        let mut entries = self.lock()?;
        let replaced = entries.put(digest, entry);
        let evicted = if entries.len() > self.max_entries { entries.pop_lru() } else { None };
        drop(entries);
        drop((replaced, evicted));
        Ok(())
    }
}

impl<V> fmt::Debug for LruStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LruStore")
            .field("max_entries", &self.max_entries)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

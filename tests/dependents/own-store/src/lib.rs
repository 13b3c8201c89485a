//! A store outside the library: a map with a limit and a TTL. It needs only `twat-cache-core`.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twat_cache_core::{Error, Expiry, Found, KeyHash, KeyedStore, Namespace, Store};

/// At most `max_entries` results. The least recently used ones are evicted first.
#[derive(Debug)]
pub struct Shelf<V> {
    max_entries: usize,
    expiry: Expiry,
    namespace: Namespace,
    entries: Mutex<Entries<V>>,
}

#[derive(Debug)]
struct Entries<V> {
    by_digest: HashMap<KeyHash, Entry<V>>,
    /// The number of uses until now.
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    deadline: u64,
    used: u64,
}

impl<V> Shelf<V> {
    /// A shelf for at most `max_entries` results, which expire as `expiry` says.
    #[must_use]
    pub fn new(max_entries: usize, expiry: Expiry) -> Self {
        let entries = Mutex::new(Entries { by_digest: HashMap::new(), uses: 0 });
        Self { max_entries, expiry, namespace: Namespace::random(), entries }
    }

    fn entries(&self) -> MutexGuard<'_, Entries<V>> {
        // A panic under this lock can only come from the value's `clone`, and then the entries are still consistent.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Send> Store for Shelf<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        Ok(self.entries().by_digest.len())
    }

    fn clear(&self) -> Result<(), Error> {
        self.entries().by_digest.clear();
        Ok(())
    }

    fn ttl(&self) -> Option<Duration> {
        self.expiry.ttl
    }

    fn describe(&self) -> String {
        format!("a shelf for {}", self.max_entries)
    }
}

impl<K: Hash + ?Sized, V: Clone + Send> KeyedStore<K> for Shelf<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.get_with_ttl(key)?.map(|found| found.value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let digest = self.namespace.digest(key);
        let removed = self.entries().by_digest.remove(&digest);
        Ok(removed.is_some_and(|entry| self.expiry.allows(entry.deadline)))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        let digest = self.namespace.digest(key);
        let mut entries = self.entries();
        entries.uses += 1;
        let uses = entries.uses;
        let found = entries.by_digest.get_mut(&digest).filter(|entry| self.expiry.allows(entry.deadline));
        Ok(found.map(|entry| {
            entry.used = uses;
            Found { value: entry.value.clone(), ttl: self.expiry.left(entry.deadline) }
        }))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        if self.max_entries == 0 || self.expiry.of_entry(time) == Some(Duration::ZERO) {
            return KeyedStore::remove(self, key).map(drop);
        }
        let (digest, deadline) = (self.namespace.digest(key), self.expiry.deadline(time));
        let mut entries = self.entries();
        entries.uses += 1;
        let entry = Entry { value: value.clone(), deadline, used: entries.uses };
        entries.by_digest.insert(digest, entry);
        if entries.by_digest.len() > self.max_entries {
            // A shelf is small, so a search through all entries is fast enough.
            let oldest = entries.by_digest.iter().min_by_key(|(_, entry)| entry.used).map(|(digest, _)| *digest);
            oldest.map(|digest| entries.by_digest.remove(&digest));
        }
        Ok(())
    }
}

//! A store of its own: a map with a limit and a TTL, which needs `twat-cache-core` and nothing else.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, clippy::pedantic)]

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twat_cache_core::{Error, Expiry, Found, KeyHash, KeyedStore, Namespace, Store};

/// So many results, of which those go that were used least recently.
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
    /// Counts uses.
    moment: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    deadline: u64,
    used: u64,
}

impl<V> Shelf<V> {
    /// A shelf for so many results, each for so long.
    #[must_use]
    pub fn new(max_entries: usize, expiry: Expiry) -> Self {
        let entries = Mutex::new(Entries { by_digest: HashMap::new(), moment: 0 });
        Self { max_entries, expiry, namespace: Namespace::random(), entries }
    }

    fn entries(&self) -> MutexGuard<'_, Entries<V>> {
        // No method of a store panics; and what a panicking `clone` leaves behind is whole.
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
        entries.moment += 1;
        let moment = entries.moment;
        let found = entries.by_digest.get_mut(&digest).filter(|entry| self.expiry.allows(entry.deadline));
        Ok(found.map(|entry| {
            entry.used = moment;
            Found { value: entry.value.clone(), ttl: self.expiry.left(entry.deadline) }
        }))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        if self.max_entries == 0 || self.expiry.within(time) == Some(Duration::ZERO) {
            return KeyedStore::remove(self, key).map(drop);
        }
        let (digest, deadline) = (self.namespace.digest(key), self.expiry.deadline(time));
        let mut entries = self.entries();
        entries.moment += 1;
        let entry = Entry { value: value.clone(), deadline, used: entries.moment };
        entries.by_digest.insert(digest, entry);
        if entries.by_digest.len() > self.max_entries {
            // A shelf is short enough to look at all of it.
            let oldest = entries.by_digest.iter().min_by_key(|(_, entry)| entry.used).map(|(digest, _)| *digest);
            oldest.map(|digest| entries.by_digest.remove(&digest));
        }
        Ok(())
    }
}

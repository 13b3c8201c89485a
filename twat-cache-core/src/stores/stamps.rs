use std::hash::Hash;

use super::lru::LruStore;
use crate::{KeyHash, KeyedStore, Namespace, Stamp};

/// The stamps of entries that a shared store did not take, by the digests of their keys.
pub(super) struct Stamps(LruStore<Stamp>);

/// If there are more, the least recently used ones are lost, and their entries count as outdated.
const MAX: usize = 1 << 16;

impl Stamps {
    pub(super) fn new() -> Self {
        Self(LruStore::new(MAX))
    }

    /// Keeps the stamp of an entry. Without one, the entry counts as outdated.
    pub(super) fn set<K: Hash + ?Sized>(&self, key: &K, stamp: Option<Stamp>) {
        let _ = match stamp {
            Some(stamp) => self.0.insert(&digest(key), &stamp),
            None => self.0.remove(&digest(key)).map(drop),
        };
    }

    pub(super) fn get<K: Hash + ?Sized>(&self, key: &K) -> Option<Stamp> {
        self.0.get(&digest(key)).ok().flatten()
    }
}

fn digest<K: Hash + ?Sized>(key: &K) -> KeyHash {
    Namespace::process().digest(key)
}

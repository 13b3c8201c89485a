use std::hash::Hash;

use super::lru::LruStore;
use crate::{KeyHash, KeyedStore, Namespace, Stamp, Ticket};

/// The stamps of computations and of entries, by the digests of their keys. In a shared store, others may outdate them.
pub(super) struct Stamps(LruStore<Stamp>);

/// If there are more, the least recently used ones are lost, and what they belong to counts as outdated.
const MAX: usize = 1 << 16;

impl Stamps {
    pub(super) fn new() -> Self {
        Self(LruStore::new(MAX))
    }

    /// Keeps the stamp of a computation that begins.
    pub(super) fn begin<K: Hash + ?Sized>(&self, key: &K, ticket: Ticket, stamp: Stamp) {
        let _ = self.0.insert(&(digest(key), Some(ticket.number)), &stamp);
    }

    /// The stamp of a computation.
    pub(super) fn of_computation<K: Hash + ?Sized>(&self, key: &K, ticket: Ticket) -> Option<Stamp> {
        self.0.get(&(digest(key), Some(ticket.number))).ok().flatten()
    }

    /// Keeps the stamp of an entry. Without one, it counts as outdated.
    pub(super) fn set<K: Hash + ?Sized>(&self, key: &K, stamp: Option<Stamp>) {
        let entry = &(digest(key), None::<u64>);
        let _ = match stamp {
            Some(stamp) => self.0.insert(entry, &stamp),
            None => self.0.remove(entry).map(drop),
        };
    }

    /// The stamp of an entry.
    pub(super) fn of_entry<K: Hash + ?Sized>(&self, key: &K) -> Option<Stamp> {
        self.0.get(&(digest(key), None::<u64>)).ok().flatten()
    }
}

fn digest<K: Hash + ?Sized>(key: &K) -> KeyHash {
    Namespace::process().digest(key)
}

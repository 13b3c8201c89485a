//! What several of these tests need.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod child;
pub mod files;
pub mod numbers;
pub mod system;

use std::time::Duration;

use tempfile::TempDir;
use twat_cache_core::Found;
use twat_cache_disk::{Error, KeyedStore, Store};

/// A store, and the directory that goes with it.
pub struct Rooted<S> {
    // Dropped in this order.
    pub store: S,
    pub dir: TempDir,
}

impl<S> Rooted<S> {
    pub fn new(open: impl FnOnce(&TempDir) -> S) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { store: open(&dir), dir }
    }
}

impl<S: Store> Store for Rooted<S> {
    type Value = S::Value;

    fn len(&self) -> Result<usize, Error> {
        self.store.len()
    }

    fn clear(&self) -> Result<(), Error> {
        self.store.clear()
    }

    fn ttl(&self) -> Option<Duration> {
        self.store.ttl()
    }
}

impl<K: ?Sized, S: KeyedStore<K>> KeyedStore<K> for Rooted<S> {
    fn get(&self, key: &K) -> Result<Option<S::Value>, Error> {
        self.store.get(key)
    }

    fn insert(&self, key: &K, value: &S::Value) -> Result<(), Error> {
        self.store.insert(key, value)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.store.remove(key)
    }

    fn get_for(&self, key: &K) -> Result<Found<S::Value>, Error> {
        self.store.get_for(key)
    }

    fn insert_for(&self, key: &K, value: &S::Value, time: Option<Duration>) -> Result<(), Error> {
        self.store.insert_for(key, value, time)
    }
}

//! A store that has something with it.

use std::time::Duration;

use crate::{Claim, Error, Found, KeyedStore, Store, Ticket, ViewStore};

/// A store, and what must stay as long as it: its directory, say.
#[derive(Debug)]
pub struct Rooted<S, D> {
    // Dropped in this order.
    /// The store.
    pub store: S,
    /// What goes with it.
    pub root: D,
}

impl<S: Store, D: Send + Sync> Store for Rooted<S, D> {
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

    fn describe(&self) -> String {
        self.store.describe()
    }

    fn survived(&self) -> u64 {
        self.store.survived()
    }
}

impl<K: ?Sized, S: KeyedStore<K>, D: Send + Sync> KeyedStore<K> for Rooted<S, D> {
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

    fn begin(&self, key: &K) -> Ticket {
        self.store.begin(key)
    }

    fn insert_begun(&self, key: &K, value: &S::Value, ticket: Ticket) -> Result<bool, Error> {
        self.store.insert_begun(key, value, ticket)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        self.store.claim(key, patience)
    }
}

impl<K: ?Sized, S: ViewStore<K>, D: Send + Sync> ViewStore<K> for Rooted<S, D> {
    type View = S::View;

    fn view(&self, key: &K) -> Result<Option<S::View>, Error> {
        self.store.view(key)
    }

    fn to_view(&self, value: &S::Value) -> Result<S::View, Error> {
        self.store.to_view(value)
    }
}

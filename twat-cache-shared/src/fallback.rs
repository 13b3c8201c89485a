use std::path::Path;

use rusqlite::Connection;
use twat_cache_core::{Args, Error, Fallback, KeyedStore, LruStore, Store};

use crate::store::SharedStore;

/// Results in the database, and in memory when the database fails. All memos that [`scache`](crate::scache) makes have this
/// store.
#[derive(Debug)]
pub struct SharedFallback<V>(pub(crate) Fallback<SharedStore<V>, LruStore<V>>);

impl<V> SharedFallback<V> {
    /// The directory of the database, see [`SharedStore::path`].
    pub fn path(&self) -> &Path {
        self.primary().path()
    }

    /// Works with a connection to the database, see [`SharedStore::with_connection`].
    pub fn with_connection<T>(&self, work: impl FnOnce(&Connection) -> T) -> Result<T, Error> {
        self.primary().with_connection(work)
    }

    /// The store in the database.
    pub fn primary(&self) -> &SharedStore<V> {
        self.0.primary()
    }

    /// The memory that serves when the database fails.
    pub fn secondary(&self) -> &LruStore<V> {
        self.0.secondary()
    }

    /// Whether memory serves for as long as this store exists.
    pub fn has_switched(&self) -> bool {
        self.0.has_switched()
    }
}

impl<V: Clone + Send + Sync> Store for SharedFallback<V> {
    type Value = V;

    twat_cache_core::__forward_0_1!(Store, |this| this.0);
}

impl<K: Args + ?Sized, V: Clone + Send + Sync> KeyedStore<K> for SharedFallback<V> {
    twat_cache_core::__forward_0_1!(KeyedStore<K>, |this| this.0);
}

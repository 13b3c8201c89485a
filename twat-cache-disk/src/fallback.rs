use std::path::Path;

use fjall::Keyspace;
use twat_cache_core::{Args, Error, Fallback, KeyedStore, LruStore, Store};

use crate::store::DiskStore;

/// Results in the database, and in memory when the database fails. All memos that [`bcache`](crate::bcache) makes have this
/// store.
#[derive(Debug)]
pub struct DiskFallback<V>(pub(crate) Fallback<DiskStore<V>, LruStore<V>>);

impl<V> DiskFallback<V> {
    /// The directory of the database, see [`DiskStore::path`].
    pub fn path(&self) -> &Path {
        self.primary().path()
    }

    /// The engine, see [`DiskStore::database`].
    pub fn database(&self) -> Result<fjall::Database, Error> {
        self.primary().database()
    }

    /// The part of the database that has the entries, see [`DiskStore::keyspace`].
    pub fn keyspace(&self) -> Result<Keyspace, Error> {
        self.primary().keyspace()
    }

    /// The store on disk.
    pub fn primary(&self) -> &DiskStore<V> {
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

impl<V: Clone + Send + Sync> Store for DiskFallback<V> {
    type Value = V;

    twat_cache_core::__forward_0_1!(Store, |this| this.0);
}

impl<K: Args + ?Sized, V: Clone + Send + Sync> KeyedStore<K> for DiskFallback<V> {
    twat_cache_core::__forward_0_1!(KeyedStore<K>, |this| this.0);
}

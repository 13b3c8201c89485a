use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use twat_cache_core::persist::CacheValue;
use twat_cache_core::{Args, Clock, Error, Found, KeyedStore, LruStore, Process, Store, ViewStore};

use crate::view::View;

/// Archived results in memory; the least recently used one is evicted first. It serves where no file can be written.
///
/// A result takes as much memory as it would take on disk. A view of it is like a view of a file.
pub struct MemoryStore<V: CacheValue> {
    views: LruStore<View<V>>,
    process: Process,
    /// The store of a process that was forked from this one. There, threads that hold a lock of this store may be missing.
    forked: OnceLock<Box<Self>>,
}

impl<V: CacheValue> MemoryStore<V> {
    /// A store for at most this many bytes, of which an entry takes 64 more than its value; 0 stores nothing. Entries do not
    /// expire.
    pub fn new(max_bytes: u64) -> Self {
        Self::of(LruStore::by_weight(max_bytes, |view: &View<V>| view.as_bytes().len() as u64 + 64))
    }

    fn of(views: LruStore<View<V>>) -> Self {
        Self { views, process: Process::this(), forked: OnceLock::new() }
    }

    /// Entries expire this long after they were stored. Zero stores nothing.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { views: self.views.ttl(ttl), ..self }
    }

    /// Reads the time from this clock, for tests.
    pub fn clock(self, clock: Clock) -> Self {
        Self { views: self.views.clock(clock), ..self }
    }

    /// The views of this process.
    fn views(&self) -> &LruStore<View<V>> {
        if !self.process.is_forked() {
            return &self.views;
        }
        self.forked.get_or_init(|| Box::new(Self::of(self.views.emptied()))).views()
    }
}

impl<V: CacheValue> Store for MemoryStore<V> {
    type Value = V;

    twat_cache_core::__forward_0_1!(Store, |this| *this.views());
}

impl<K: Args + ?Sized, V: CacheValue> KeyedStore<K> for MemoryStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        self.view(key)?.map(|view| view.to_value()).transpose()
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.views().remove(key)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        let Some(Found { value: view, ttl }) = self.views().get_with_ttl(key)? else { return Ok(None) };
        Ok(Some(Found { value: view.to_value()?, ttl }))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.views().insert_with_ttl(key, &View::new(value)?, time)
    }
}

impl<K: Args + ?Sized, V: CacheValue> ViewStore<K> for MemoryStore<V> {
    type View = View<V>;

    fn view(&self, key: &K) -> Result<Option<View<V>>, Error> {
        self.views().get(key)
    }

    fn view_with_ttl(&self, key: &K) -> Result<Option<Found<View<V>>>, Error> {
        self.views().get_with_ttl(key)
    }

    fn to_view(&self, value: &V) -> Result<View<V>, Error> {
        View::new(value)
    }
}

impl<V: CacheValue> fmt::Debug for MemoryStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryStore").field(&self.views).finish()
    }
}

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use twat_cache_core::persist::{CacheValue, Rkyv};
use twat_cache_core::{Args, Clock, Error, Found, KeyedStore, LruStore, Process, Store, ViewStore};

use crate::codec::FileCodec;
use crate::entry::Header;
use crate::measure::in_memory;
use crate::view::View;

/// Encoded results in memory; the least recently used one is evicted first. It serves where no file can be written.
///
/// A result takes as much memory as it would take on disk. A view of it is like a view of a file.
pub struct MemoryStore<V, C: FileCodec<V> = Rkyv> {
    entries: LruStore<C::Entry>,
    max_bytes: u64,
    process: Process,
    /// The store of a process that was forked from this one. There, threads that hold a lock of this store may be missing.
    forked: OnceLock<Box<Self>>,
}

impl<V: CacheValue> MemoryStore<V> {
    /// A store for at most this many bytes, of which an entry takes 64 more than its value; 0 stores nothing. Entries do not
    /// expire.
    pub fn new(max_bytes: u64) -> Self {
        Self::with_codec(max_bytes)
    }
}

impl<V, C: FileCodec<V>> MemoryStore<V, C> {
    /// Like [`new`](MemoryStore::new), for values in the form of this codec.
    #[doc(hidden)]
    pub fn with_codec(max_bytes: u64) -> Self {
        let weigh = |entry: &C::Entry| (Header::LEN + C::bytes(entry).payload().len()) as u64;
        Self::of(LruStore::by_weight(max_bytes, weigh), max_bytes)
    }

    fn of(entries: LruStore<C::Entry>, max_bytes: u64) -> Self {
        Self { entries, max_bytes, process: Process::this(), forked: OnceLock::new() }
    }

    /// Entries expire this long after they were stored. Zero stores nothing.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { entries: self.entries.ttl(ttl), ..self }
    }

    /// Reads the time from this clock, for tests.
    pub fn clock(self, clock: Clock) -> Self {
        Self { entries: self.entries.clock(clock), ..self }
    }

    /// The entries of this process.
    fn entries(&self) -> &LruStore<C::Entry> {
        if !self.process.is_forked() {
            return &self.entries;
        }
        self.forked.get_or_init(|| Box::new(Self::of(self.entries.emptied(), self.max_bytes))).entries()
    }
}

impl<V, C: FileCodec<V>> Store for MemoryStore<V, C> {
    type Value = V;

    twat_cache_core::__forward_0_1!(Store, |this| *this.entries());
}

impl<K: Args + ?Sized, V, C: FileCodec<V>> KeyedStore<K> for MemoryStore<V, C> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        self.entries().get(key)?.map(|entry| C::value(&entry)).transpose()
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.entries().remove(key)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        let Some(Found { value: entry, ttl }) = self.entries().get_with_ttl(key)? else { return Ok(None) };
        Ok(Some(Found { value: C::value(&entry)?, ttl }))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        match in_memory::<V, C>(value, self.max_bytes)? {
            Some(entry) => self.entries().insert_with_ttl(key, &entry, time),
            None => self.entries().remove(key).map(drop),
        }
    }
}

impl<K: Args + ?Sized, V: CacheValue> ViewStore<K> for MemoryStore<V> {
    type View = View<V>;

    fn view(&self, key: &K) -> Result<Option<View<V>>, Error> {
        self.entries().get(key)
    }

    fn view_with_ttl(&self, key: &K) -> Result<Option<Found<View<V>>>, Error> {
        self.entries().get_with_ttl(key)
    }

    fn to_view(&self, value: &V) -> Result<View<V>, Error> {
        View::new(value)
    }
}

impl<V, C: FileCodec<V>> fmt::Debug for MemoryStore<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryStore").field(&self.entries).finish()
    }
}

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::{Error, ErrorKind, Found, KeyedStore, Store};

/// A store that fails on demand, around one that works.
///
/// ```
/// use twat_cache_core::testing::Faulty;
/// use twat_cache_core::{ErrorKind, LruStore, Memo};
///
/// let store = Faulty::new(LruStore::new(10));
/// store.fail_all(ErrorKind::Io);
/// let double = Memo::new(store, |n: &u64| n * 2);
/// assert_eq!(double.call(&21), 42);
/// ```
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    name: String,
    reads: Mutex<Option<ErrorKind>>,
    writes: Mutex<Option<ErrorKind>>,
    removals: Mutex<Option<ErrorKind>>,
    operations: AtomicUsize,
}

impl<S> Faulty<S> {
    /// Works until told otherwise.
    pub fn new(inner: S) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            inner,
            name: format!("faulty store {}#", NEXT.fetch_add(1, Ordering::Relaxed)),
            reads: Mutex::default(),
            writes: Mutex::default(),
            removals: Mutex::default(),
            operations: AtomicUsize::new(0),
        }
    }

    /// Something that stands in every one of its errors, and in no other store's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The store inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// From now on lookups fail like this, or work.
    pub fn fail_reads(&self, kind: impl Into<Option<ErrorKind>>) {
        *self.reads.lock() = kind.into();
    }

    /// From now on inserts fail like this, or work.
    pub fn fail_writes(&self, kind: impl Into<Option<ErrorKind>>) {
        *self.writes.lock() = kind.into();
    }

    /// From now on removals fail like this, or work.
    pub fn fail_removals(&self, kind: impl Into<Option<ErrorKind>>) {
        *self.removals.lock() = kind.into();
    }

    /// From now on everything fails like this, or works.
    pub fn fail_all(&self, kind: impl Into<Option<ErrorKind>>) {
        let kind = kind.into();
        self.fail_reads(kind);
        self.fail_writes(kind);
        self.fail_removals(kind);
    }

    /// How many operations it has been asked for.
    pub fn operations(&self) -> usize {
        self.operations.load(Ordering::SeqCst)
    }

    fn check(&self, fault: &Mutex<Option<ErrorKind>>, attempt: &'static str) -> Result<&S, Error> {
        self.operations.fetch_add(1, Ordering::SeqCst);
        match *fault.lock() {
            Some(kind) => Err(Error::new(kind, attempt).at(&self.name)),
            None => Ok(&self.inner),
        }
    }
}

impl<S: Store> Store for Faulty<S> {
    type Value = S::Value;

    fn len(&self) -> Result<usize, Error> {
        self.check(&self.reads, "count entries")?.len()
    }

    fn clear(&self) -> Result<(), Error> {
        self.check(&self.removals, "clear")?.clear()
    }

    fn ttl(&self) -> Option<Duration> {
        self.inner.ttl()
    }

    fn stale(&self) -> Option<Duration> {
        self.inner.stale()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn suppressed_errors(&self) -> u64 {
        self.inner.suppressed_errors()
    }

    fn evictions(&self) -> u64 {
        self.inner.evictions()
    }
}

impl<K: ?Sized, S: KeyedStore<K>> KeyedStore<K> for Faulty<S> {
    fn get(&self, key: &K) -> Result<Option<Self::Value>, Error> {
        self.check(&self.reads, "read an entry")?.get(key)
    }

    fn insert(&self, key: &K, value: &Self::Value) -> Result<(), Error> {
        self.check(&self.writes, "store an entry")?.insert(key, value)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.check(&self.removals, "remove an entry")?.remove(key)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<Self::Value>>, Error> {
        self.check(&self.reads, "read an entry")?.get_with_ttl(key)
    }

    fn insert_with_ttl(&self, key: &K, value: &Self::Value, time: Option<Duration>) -> Result<(), Error> {
        self.check(&self.writes, "store an entry")?.insert_with_ttl(key, value, time)
    }
}

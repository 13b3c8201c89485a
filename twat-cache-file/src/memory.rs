use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use twat_cache_core::Process;
use twat_cache_core::persist::RkyvValue;
use twat_cache_core::{Args, Clock, Error, Expiry, Found, KeyHash, KeyedStore, Namespace, Store, ViewStore};

use crate::view::View;

/// Archived results in memory, least used first out: what steps in where no file can be written.
///
/// A result takes as much memory as it would take on disk, and a view of it is one like those of files.
pub struct MemoryStore<V: RkyvValue> {
    namespace: Namespace,
    entries: Cache<KeyHash, Entry<V>, Weight>,
    max_bytes: u64,
    expiry: Expiry,
    process: Process,
    /// The one of a process that was forked from ours: there, the locks of this one may be held by threads that are missing.
    forked: OnceLock<Box<Self>>,
}

struct Entry<V: RkyvValue> {
    view: View<V>,
    deadline: Option<Instant>,
}

impl<V: RkyvValue> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self { view: self.view.clone(), deadline: self.deadline }
    }
}

#[derive(Clone)]
struct Weight;

impl<V: RkyvValue> Weighter<KeyHash, Entry<V>> for Weight {
    fn weight(&self, _: &KeyHash, entry: &Entry<V>) -> u64 {
        bytes_of(&entry.view)
    }
}

/// With what it takes to find it.
fn bytes_of<V: RkyvValue>(view: &View<V>) -> u64 {
    view.as_bytes().len() as u64 + 64
}

impl<V: RkyvValue> MemoryStore<V> {
    /// A store for this many bytes, 64 an entry added; 0 keeps nothing. They never expire.
    pub fn new(max_bytes: u64) -> Self {
        // One shard, so that one entry may be as large as the limit.
        let options = OptionsBuilder::new().weight_capacity(max_bytes).estimated_items_capacity(64).shards(1).build();
        let options = options.unwrap_or_else(|_| unreachable!("both capacities are given"));
        let entries = Cache::with_options(
            options,
            Weight,
            quick_cache::DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Self {
            namespace: Namespace::process(),
            entries,
            max_bytes,
            expiry: Expiry::default(),
            process: Process::this(),
            forked: OnceLock::new(),
        }
    }

    /// The store of this process.
    fn here(&self) -> &Self {
        if !self.process.is_forked() {
            return self;
        }
        let made = || Box::new(Self { expiry: self.expiry.clone(), ..Self::new(self.max_bytes) });
        self.forked.get_or_init(made).here()
    }

    /// Entries expire this long after they were stored. Zero keeps nothing.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.expiry.ttl = Some(ttl);
        self
    }

    /// Where to read the time from, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.expiry.clock = clock;
        self
    }

    fn find<K: Args + ?Sized>(&self, key: &K) -> Option<(View<V>, Option<Duration>)> {
        let digest = self.namespace.digest_of(key);
        let entries = &self.here().entries;
        let Entry { view, deadline } = entries.get(&digest)?;
        let Some(deadline) = deadline else { return Some((view, None)) };
        let left = self.expiry.clock.remaining(deadline);
        if left.is_none() {
            entries.remove(&digest);
        }
        Some((view, Some(left?)))
    }
}

impl<V: RkyvValue> Store for MemoryStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        Ok(self.here().entries.len())
    }

    fn clear(&self) -> Result<(), Error> {
        self.here().entries.clear();
        Ok(())
    }

    fn ttl(&self) -> Option<Duration> {
        self.expiry.ttl
    }

    fn describe(&self) -> String {
        String::from("memory")
    }
}

impl<K: Args + ?Sized, V: RkyvValue> KeyedStore<K> for MemoryStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        self.find(key).map(|(view, _)| view.to_value()).transpose()
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let removed = self.here().entries.remove(&self.namespace.digest_of(key));
        let lives = |deadline| self.expiry.clock.remaining(deadline).is_some();
        Ok(removed.is_some_and(|(_, entry)| entry.deadline.is_none_or(lives)))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        self.find(key).map(|(view, ttl)| Ok(Found { value: view.to_value()?, ttl })).transpose()
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        let time = self.expiry.within(time);
        let digest = self.namespace.digest_of(key);
        if self.max_bytes > 0 && time != Some(Duration::ZERO) {
            let view = View::new(value)?;
            if bytes_of(&view) <= self.max_bytes {
                let deadline = time.and_then(|time| self.expiry.clock.deadline(Some(time)));
                self.here().entries.insert(digest, Entry { view, deadline });
                return Ok(());
            }
        }
        self.here().entries.remove(&digest);
        Ok(())
    }
}

impl<K: Args + ?Sized, V: RkyvValue> ViewStore<K> for MemoryStore<V> {
    type View = View<V>;

    fn view(&self, key: &K) -> Result<Option<View<V>>, Error> {
        Ok(self.find(key).map(|(view, _)| view))
    }

    fn to_view(&self, value: &V) -> Result<View<V>, Error> {
        View::new(value)
    }
}

impl<V: RkyvValue> fmt::Debug for MemoryStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

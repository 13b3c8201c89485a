use std::hash::Hash;
use std::time::Duration;

use twat_cache_core::{Args, Expiry};

use crate::MemStore;
use crate::evictions::{OnEvict, Unobserved};
use crate::weigher::{Unweighed, Weigher};

/// A cache of function results in memory.
///
/// ```
/// use twat_cache_mem::mcache;
///
/// let square = mcache().wrap(|n: &u64| n * n);
/// assert_eq!(square.call(&12), 144);
/// ```
///
/// Without options it holds the 1024 most used entries, and they never expire.
pub fn mcache() -> MemBuilder {
    MemBuilder {
        max_entries: 1024,
        expiry: Expiry::default(),
        patience: None,
        weighing: Unweighed,
        observer: Unobserved,
    }
}

/// The options of [`mcache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct MemBuilder<W = Unweighed, O = Unobserved> {
    max_entries: usize,
    expiry: Expiry,
    patience: Option<Duration>,
    weighing: W,
    observer: O,
}

impl<W, O> MemBuilder<W, O> {
    /// Holds at most this many entries. The default is 1024, and 0 means to compute every time.
    ///
    /// ```
    /// use twat_cache_mem::mcache;
    ///
    /// let square = mcache().max_entries(100).wrap(|n: &u64| n * n);
    /// (0..100).for_each(|n| assert_eq!(square.call(&n), n * n));
    /// assert_eq!(square.len()?, 100);
    /// # Ok::<(), twat_cache_mem::Error>(())
    /// ```
    ///
    /// This many different keys all fit. A store of 256 entries or more is divided into shards, and may hold a tenth more. A
    /// [`weigher`](MemBuilder::weigher) replaces this limit.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    twat_cache_core::__expiry_setters_0_1!(expiry);
    twat_cache_core::__patience_setter_0_1!(patience);

    twat_cache_core::__wraps_0_1! {
        MemStore<A::Owned, V>, by open, patience patience,
        where
            A: Args + ?Sized,
            W: Into<Option<Weigher<A::Owned, V>>>,
            O: Into<Option<OnEvict<A::Owned, V>>>,
            V: Clone + Send + Sync
    }

    /// The store alone, for entries with keys `K` and values `V`. This cannot fail.
    ///
    /// ```
    /// use twat_cache_mem::{KeyedStore, MemStore, mcache};
    ///
    /// let store: MemStore<String, u32> = mcache().open();
    /// store.insert("tea", &3)?;
    /// assert_eq!(store.get("tea")?, Some(3));
    /// # Ok::<(), twat_cache_mem::Error>(())
    /// ```
    pub fn open<K, V>(self) -> MemStore<K, V>
    where
        W: Into<Option<Weigher<K, V>>>,
        O: Into<Option<OnEvict<K, V>>>,
        K: Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync,
    {
        MemStore::new(self.max_entries, self.expiry, self.weighing.into(), self.observer.into())
    }
}

impl<O> MemBuilder<Unweighed, O> {
    /// Limits the weight of the entries instead of their number. `weigh` tells the weight of an entry, in any unit, and all
    /// entries together weigh at most `max_weight`.
    ///
    /// ```
    /// use twat_cache_mem::mcache;
    ///
    /// let zeros = mcache().weigher(1 << 20, |_key: &usize, value: &Vec<u8>| value.len() as u64).wrap(|n: &usize| vec![0; *n]);
    /// assert_eq!(zeros.call(&1000).len(), 1000);
    /// assert_eq!(zeros.store().cache().weight(), 1000);
    /// ```
    ///
    /// One entry may weigh as much as the limit. A heavier one is returned and not stored, and nothing is evicted for it. A
    /// weight of 0 counts as 1. An entry is weighed once, before it is stored. If the weigher panics, the entry is not stored.
    ///
    /// Such a store has one shard, so that the heaviest entry fits. So it scales less well with threads that hit it at once.
    pub fn weigher<K, V>(
        self,
        max_weight: u64,
        weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static,
    ) -> MemBuilder<Weigher<K, V>, O> {
        let Self { max_entries, expiry, patience, weighing: Unweighed, observer } = self;
        let weighing = Weigher { max_weight, weigh: Box::new(weigh), is_divided: false };
        MemBuilder { max_entries, expiry, patience, weighing, observer }
    }
}

impl<K, V, O> MemBuilder<Weigher<K, V>, O> {
    /// Divides the store into shards, as one that is limited by number. It holds up to a tenth more. When it is full, it does
    /// not take an entry that weighs much more than the share of a shard.
    #[doc(hidden)]
    pub fn divided(mut self) -> Self {
        self.weighing.is_divided = true;
        self
    }
}

impl<W> MemBuilder<W> {
    /// Calls `on_evict` with each entry that is evicted because of the limit.
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use twat_cache_mem::mcache;
    ///
    /// let (evicted, entries) = channel();
    /// let last = mcache().max_entries(1).on_evict(move |n: &u64, square: &u64| _ = evicted.send((*n, *square)));
    /// let square = last.wrap(|n: &u64| n * n);
    /// (1..=3).for_each(|n| assert_eq!(square.call(&n), n * n));
    /// assert_eq!(entries.try_iter().collect::<Vec<_>>(), [(1, 1), (2, 4)]);
    /// ```
    ///
    /// It is not called with an entry that is forgotten, cleared, replaced or expired.
    ///
    /// The call whose result evicts the entry runs `on_evict` before it returns. No lock of the store is held, and its new
    /// result is stored. `on_evict` may use the same memo. If it stores a result, that may evict an entry, and `on_evict` is
    /// called inside itself, at most four deep. Entries that the innermost call evicts are dropped without a call. If
    /// `on_evict` panics, the log gets one warning, and nothing else changes.
    pub fn on_evict<K, V>(self, on_evict: impl Fn(&K, &V) + Send + Sync + 'static) -> MemBuilder<W, OnEvict<K, V>> {
        let Self { max_entries, expiry, patience, weighing, observer: Unobserved } = self;
        MemBuilder { max_entries, expiry, patience, weighing, observer: OnEvict(Box::new(on_evict)) }
    }
}

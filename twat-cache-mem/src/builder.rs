use std::time::Duration;

use twat_cache_core::{Args, Expiry};

use crate::MemStore;
use crate::weigher::{Unweighed, Weigher, Weighing};

/// A cache of function results in memory.
///
/// ```
/// use twat_cache_mem::mcache;
///
/// let square = mcache().wrap(|n: &u64| n * n);
/// assert_eq!(square.call(&12), 144);
/// ```
///
/// Without options it holds the 1024 entries that are used most, for as long as it lives.
pub fn mcache() -> MemBuilder {
    MemBuilder { max_entries: 1024, expiry: Expiry::default(), patience: None, weighing: Unweighed }
}

/// The options of [`mcache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct MemBuilder<W = Unweighed> {
    max_entries: usize,
    expiry: Expiry,
    patience: Option<Duration>,
    weighing: W,
}

impl<W> MemBuilder<W> {
    /// Keeps at most this many entries; 1024 by default, and 0 means to compute every time.
    ///
    /// So many different keys are all kept. A store of 256 entries or more is divided into shards, and may hold up to a
    /// tenth more. A [`weigher`](MemBuilder::weigher) takes the place of this limit.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    twat_cache_core::__expiry_setters_0_1!(expiry);
    twat_cache_core::__patience_setter_0_1!(patience);

    twat_cache_core::__wraps_0_1! {
        MemStore<A::Owned, V>, by open, patience patience,
        where A: Args + ?Sized, W: Weighing<A::Owned, V>, V: Clone + Send + Sync
    }

    /// The bare store, for entries with keys `K` and values `V`. This cannot fail.
    pub fn open<K, V>(self) -> MemStore<K, V>
    where
        W: Weighing<K, V>,
        K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync,
    {
        MemStore::new(self.max_entries, self.expiry, self.weighing.weigher())
    }
}

impl MemBuilder {
    /// Bounds the store by weight instead of by number: `weigh` says what an entry weighs, and all of them together
    /// weigh at most `max_weight`, in whatever unit you like.
    ///
    /// ```
    /// use twat_cache_mem::mcache;
    ///
    /// let zeros = mcache().weigher(1 << 20, |_key: &usize, value: &Vec<u8>| value.len() as u64).wrap(|n: &usize| vec![0; *n]);
    /// assert_eq!(zeros.call(&1000).len(), 1000);
    /// assert_eq!(zeros.store().cache().weight(), 1000);
    /// ```
    ///
    /// A single entry may weigh as much as the limit; a heavier one is returned and not kept, and nothing is thrown
    /// out for it. A weight of 0 counts as 1. An entry is weighed once, when it is stored; one whose weigher panics is
    /// not kept.
    ///
    /// Such a store has one shard, so that the largest entry fits: threads that hit it at once scale less well.
    pub fn weigher<K, V>(
        self,
        max_weight: u64,
        weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static,
    ) -> MemBuilder<Weigher<K, V>> {
        let Self { max_entries, expiry, patience, weighing: Unweighed } = self;
        MemBuilder { max_entries, expiry, patience, weighing: Weigher::new(max_weight, weigh) }
    }
}

use std::time::Duration;

use twat_cache_core::{Args, AsyncFunction, Clock, Function, Memo};

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
    MemBuilder { max_entries: 1024, ttl: None, weighing: Unweighed, clock: Clock::system() }
}

/// The options of [`mcache`]. All values are legal.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `wrap` or `open`"]
pub struct MemBuilder<W = Unweighed> {
    max_entries: usize,
    ttl: Option<Duration>,
    weighing: W,
    clock: Clock,
}

impl<W> MemBuilder<W> {
    /// Keeps at most this many entries; 1024 by default, and 0 means to compute every time.
    ///
    /// The engine divides a store of 256 entries or more into shards and lets each have its part of the limit plus a
    /// sixteenth, because arguments do not spread evenly. So the store may come to hold up to 6 % more than this, and
    /// may evict an entry when it is nearly full; where every entry matters, ask for double. A [`weigher`](MemBuilder::weigher) takes the place of this limit.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// Forgets a result this long after it was stored; never by default. Zero means to compute every time.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Reads the time from this clock, for tests of what expires. It is read only if there is a TTL.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A memo of `function`, for [`Memo::call`].
    pub fn wrap<A, V, F>(self, function: F) -> Memo<MemStore<A::Owned, V>, F>
    where
        A: Args + ?Sized,
        F: Function<A, V>,
        W: Weighing<A::Owned, V>,
        V: Clone + Send + Sync,
    {
        Memo::new(self.open(), function)
    }

    /// A memo of a function that can fail, for [`Memo::try_call`]. Only `Ok` is kept.
    pub fn try_wrap<A, V, E, F>(self, function: F) -> Memo<MemStore<A::Owned, V>, F>
    where
        A: Args + ?Sized,
        F: Function<A, Result<V, E>>,
        W: Weighing<A::Owned, V>,
        V: Clone + Send + Sync,
    {
        Memo::new(self.open(), function)
    }

    /// A memo of an async function, for [`Memo::call_async`].
    pub fn wrap_async<A, V, F>(self, function: F) -> Memo<MemStore<A::Owned, V>, F>
    where
        A: Args + ?Sized,
        F: AsyncFunction<A, V>,
        W: Weighing<A::Owned, V>,
        V: Clone + Send + Sync,
    {
        Memo::new(self.open(), function)
    }

    /// A memo of an async function that can fail, for [`Memo::try_call_async`].
    pub fn try_wrap_async<A, V, E, F>(self, function: F) -> Memo<MemStore<A::Owned, V>, F>
    where
        A: Args + ?Sized,
        F: AsyncFunction<A, Result<V, E>>,
        W: Weighing<A::Owned, V>,
        V: Clone + Send + Sync,
    {
        Memo::new(self.open(), function)
    }

    /// The bare store, for entries with keys `K` and values `V`. This cannot fail.
    pub fn open<K, V>(self) -> MemStore<K, V>
    where
        W: Weighing<K, V>,
        K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
        V: Clone + Send + Sync,
    {
        MemStore::new(self.max_entries, self.ttl, self.weighing.weigher(), self.clock)
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
        let Self { max_entries, ttl, weighing: Unweighed, clock } = self;
        MemBuilder { max_entries, ttl, weighing: Weigher::new(max_weight, weigh), clock }
    }
}

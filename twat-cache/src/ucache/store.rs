use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use twat_cache_core::persist::{Options, Rkyv, encoded_len};
use twat_cache_core::{Args, Error, Fallback, KeyedStore, LruStore, Store, Tiered};
#[cfg(feature = "disk")]
use twat_cache_disk::DiskStore;
#[cfg(feature = "file")]
use twat_cache_file::FileStore;
use twat_cache_mem::{MemStore, mcache};

use super::persistent::Persistent;
use super::{Backend, BackendCodec};

/// Results in memory, and behind it in the best persistent backend.
///
/// [`ucache`](fn@crate::ucache)`(name).open()` and the `wrap`s make it. It is a [`Tiered`] of a [`MemStore`] and the backend;
/// [`backend`](Self::backend) says which.
pub struct UnifiedStore<K, V, C: BackendCodec<V> = Rkyv> {
    // The secondary keeps nothing: the memory in front has what the backend does not take.
    tiers: Tiered<MemStore<K, V>, Back<V, C>>,
}

type Back<V, C> = Fallback<Persistent<V, C>, LruStore<V>>;

impl<K, V, C> UnifiedStore<K, V, C>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
    C: BackendCodec<V>,
{
    pub(super) fn new(options: &Options, max_entries: usize, backend: Backend) -> Self {
        let keeps = options.keeps() && max_entries > 0;
        let front = front::<K, V, C>(options, if keeps { max_entries } else { 0 });
        let back = Persistent::new(options, backend, keeps);
        Self { tiers: Tiered::new(front, Fallback::new(back, LruStore::new(0))) }
    }
}

/// Memory for this many entries that keeps to the limit in bytes as well: an entry that is larger than the average allows
/// counts as several.
fn front<K, V, C>(options: &Options, max_entries: usize) -> MemStore<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
    C: BackendCodec<V>,
{
    let max_bytes = options.max_bytes;
    let capacity = (max_entries as u64).min(max_bytes);
    let average = max_bytes.checked_div(capacity).unwrap_or(1);
    let weigh = move |_: &K, value: &V| match encoded_len::<V, C>(value, max_bytes.saturating_sub(OVERHEAD)) {
        Ok(Some(bytes)) => (bytes + OVERHEAD).div_ceil(average).min(capacity),
        Ok(None) => u64::MAX,
        // It can be kept in memory only.
        Err(_) => 1,
    };
    // Each entry has the rest of the TTL that it has in the backend.
    mcache().clock(options.expiry.clock.clone()).weigher(capacity, weigh).open()
}

/// About how many bytes the backends count for an entry besides its value.
const OVERHEAD: u64 = 64;

impl<K, V: Send + Sync, C: BackendCodec<V>> UnifiedStore<K, V, C> {
    pub(super) fn open_strictly(&self) -> Result<(), Error> {
        self.persistent().open_strictly()
    }

    /// The backend behind memory: [`Disk`](Backend::Disk), [`File`](Backend::File), or [`Memory`](Backend::Memory) if neither can
    /// be used. Never [`Auto`](Backend::Auto). Opens it if it is not open.
    pub fn backend(&self) -> Backend {
        self.chosen().unwrap_or(Backend::Memory)
    }

    /// The memory in front.
    pub fn memory(&self) -> &MemStore<K, V> {
        self.tiers.front()
    }

    /// The database, if it is the backend.
    #[cfg(feature = "disk")]
    pub fn disk(&self) -> Option<&DiskStore<V>> {
        (self.backend() == Backend::Disk).then(|| self.persistent().disk())
    }

    /// The files, if they are the backend.
    #[cfg(feature = "file")]
    pub fn file(&self) -> Option<&FileStore<V, C>> {
        (self.backend() == Backend::File).then(|| self.persistent().file())
    }

    fn persistent(&self) -> &Persistent<V, C> {
        self.tiers.back().primary()
    }

    fn chosen(&self) -> Option<Backend> {
        if self.tiers.back().has_switched() { None } else { self.persistent().choose().ok().flatten() }
    }
}

impl<K, V, C> Store for UnifiedStore<K, V, C>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
    C: BackendCodec<V>,
{
    type Value = V;

    /// The number of entries of the backend, or of memory if there is no other.
    fn len(&self) -> Result<usize, Error> {
        if self.chosen().is_some() { self.tiers.len() } else { self.memory().len() }
    }

    fn clear(&self) -> Result<(), Error> {
        self.tiers.clear()
    }

    fn ttl(&self) -> Option<Duration> {
        self.tiers.ttl()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.tiers.stale()
    }

    fn describe(&self) -> String {
        if self.chosen().is_some() { self.tiers.describe() } else { format!("{} alone", self.memory().describe()) }
    }

    fn suppressed_errors(&self) -> u64 {
        self.tiers.suppressed_errors()
    }

    fn evictions(&self) -> u64 {
        if self.chosen().is_some() { self.tiers.evictions() } else { self.memory().evictions() }
    }
}

impl<A, K, V, C> KeyedStore<A> for UnifiedStore<K, V, C>
where
    A: Args<Owned = K> + ?Sized,
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
    C: BackendCodec<V>,
{
    twat_cache_core::__forward_0_1!(KeyedStore<A>, |this| this.tiers);
}

impl<K, V, C: BackendCodec<V>> fmt::Debug for UnifiedStore<K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnifiedStore")
            .field("memory", self.tiers.front())
            .field("persistent", self.tiers.back().primary())
            .finish_non_exhaustive()
    }
}

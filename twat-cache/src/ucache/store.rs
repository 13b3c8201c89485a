use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use twat_cache_core::persist::{Options, Rkyv, encoded_len};
use twat_cache_core::{Answer, Args, Copied, Error, Fallback, KeyedStore, LruStore, Near, Stamp, Store};
#[cfg(feature = "disk")]
use twat_cache_disk::DiskStore;
#[cfg(feature = "file")]
use twat_cache_file::FileStore;
use twat_cache_mem::{MemStore, mcache};
#[cfg(feature = "remote")]
use twat_cache_remote::{RemoteBuilder, RemoteStore};
#[cfg(feature = "shared")]
use twat_cache_shared::SharedStore;

use super::back::Back;
use super::persistent::Persistent;
use super::{Backend, BackendCodec};

/// Results in memory, in front of the best backend.
///
/// [`ucache`](fn@crate::ucache)`(name).open()` and the `wrap`s make it. It is a [`Near`] cache of the backend, in a [`MemStore`];
/// [`backend`](Self::backend) says which backend it is. Its memory never returns what another process, or another memo, has
/// forgotten or refreshed in the same backend.
pub struct UnifiedStore<K, V, C: BackendCodec<V> = Rkyv> {
    tiers: Near<MemStore<K, Copied<V>>, Back<V, C>>,
}

impl<K, V, C> UnifiedStore<K, V, C>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
    C: BackendCodec<V>,
{
    pub(super) fn new(options: &Options, max_entries: usize, backend: Backend, server: Option<&str>) -> Self {
        let keeps = options.keeps() && max_entries > 0;
        let back = back(options, if keeps { backend } else { Backend::Memory }, server);
        // Without a backend, the memory in front has all results.
        let is_alone = back.is_none();
        let front = front::<K, V, C>(options, if keeps { max_entries } else { 0 }, is_alone);
        let tiers = if is_alone { Near::alone(front, back) } else { Near::new(front, back) };
        Self { tiers }
    }
}

#[cfg_attr(not(feature = "remote"), allow(unused_variables, reason = "nobody names a server"))]
fn back<V, C>(options: &Options, backend: Backend, server: Option<&str>) -> Back<V, C>
where
    V: Clone + Send + Sync,
    C: BackendCodec<V>,
{
    #[cfg(feature = "remote")]
    if backend == Backend::Remote || backend == Backend::Auto && (server.is_some() || RemoteBuilder::is_server_named())
    {
        let builder = RemoteBuilder::from(options.clone()).with_codec::<C>();
        return Back::Remote(server.into_iter().fold(builder, RemoteBuilder::server).with_memory());
    }
    let persistent = Persistent::new(options, backend);
    let max_bytes = if matches!(persistent, Persistent::None { .. }) { 0 } else { MEMORY.min(options.max_bytes) };
    let memory = LruStore::by_weight(max_bytes, weight::<V, C>).clock(options.expiry.clock.clone());
    Back::Local(Fallback::new(persistent, memory))
}

/// How many bytes of results memory has at most that the backend could not take.
const MEMORY: u64 = 512 << 20;

/// How many bytes a result counts for. One that cannot be encoded is stored in memory only.
fn weight<V, C: BackendCodec<V>>(value: &V) -> u64 {
    encoded_len::<V, C>(value, u64::MAX).ok().flatten().unwrap_or_default() + OVERHEAD
}

/// Memory for this many entries that keeps to the limit in bytes as well: an entry that is larger than the average allows
/// counts as several.
fn front<K, V, C>(options: &Options, max_entries: usize, is_alone: bool) -> MemStore<K, Copied<V>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
    C: BackendCodec<V>,
{
    let max_bytes = options.max_bytes;
    let capacity = (max_entries as u64).min(max_bytes);
    let average = max_bytes.checked_div(capacity).unwrap_or(1);
    let weigh = move |_: &K, copy: &Copied<V>| {
        match encoded_len::<V, C>(&copy.value, max_bytes.saturating_sub(OVERHEAD)) {
            Ok(Some(bytes)) => (bytes + OVERHEAD).div_ceil(average).min(capacity),
            Ok(None) => u64::MAX,
            // It can be kept in memory only.
            Err(_) => 1,
        }
    };
    // Each entry has the rest of the TTL that it has in the backend.
    let front = mcache().clock(options.expiry.clock.clone()).weigher(capacity, weigh);
    // What no shard takes is in the backend.
    if is_alone { front.open() } else { front.divided().open() }
}

/// About how many bytes the backends count for an entry besides its value.
const OVERHEAD: u64 = 64;

impl<K, V: Send + Sync, C: BackendCodec<V>> UnifiedStore<K, V, C> {
    /// Opens the backend, if it is not open.
    pub(super) fn open(&self) -> Result<(), Error> {
        match self.tiers.back() {
            Back::Local(store) => store.primary().open(),
            #[cfg(feature = "remote")]
            Back::Remote(store) => store.primary().open(),
        }
    }

    /// The backend behind the memory: `Remote`, `Shared`, `Disk` or `File`, or `Memory` if it is not compiled in, or cannot be
    /// opened at present. Never [`Auto`](Backend::Auto). Opens it if it is not open.
    pub fn backend(&self) -> Backend {
        if self.open().is_err() {
            return Backend::Memory;
        }
        self.tiers.back().local().map_or(Backend::Remote, Persistent::backend)
    }

    /// The memory in front. It has copies of the backend's entries.
    pub fn memory(&self) -> &MemStore<K, Copied<V>> {
        self.tiers.front()
    }

    /// The shared database, if it is the backend.
    #[cfg(feature = "shared")]
    pub fn shared(&self) -> Option<&SharedStore<V>> {
        if let Some(Persistent::Shared(store)) = self.tiers.back().local() { Some(store) } else { None }
    }

    /// The database, if it is the backend.
    #[cfg(feature = "disk")]
    pub fn disk(&self) -> Option<&DiskStore<V>> {
        if let Some(Persistent::Disk(store)) = self.tiers.back().local() { Some(store) } else { None }
    }

    /// The files, if they are the backend.
    #[cfg(feature = "file")]
    pub fn file(&self) -> Option<&FileStore<V, C>> {
        if let Some(Persistent::File(store)) = self.tiers.back().local() { Some(store) } else { None }
    }

    /// The store on the server, if that is the backend.
    #[cfg(feature = "remote")]
    pub fn remote(&self) -> Option<&RemoteStore<V>> {
        if let Back::Remote(store) = self.tiers.back() { Some(store.primary()) } else { None }
    }

    /// Whether memory has all results.
    fn is_alone(&self) -> bool {
        self.tiers.back().is_none()
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
        if self.is_alone() { self.memory().len() } else { self.tiers.len() }
    }

    fn clear(&self) -> Result<(), Error> {
        self.tiers.clear()
    }

    fn len_async(&self) -> Answer<'_, usize> {
        if self.is_alone() { self.memory().len_async() } else { self.tiers.len_async() }
    }

    fn clear_async(&self) -> Answer<'_, ()> {
        self.tiers.clear_async()
    }

    fn ttl(&self) -> Option<Duration> {
        self.tiers.ttl()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.tiers.stale()
    }

    fn describe(&self) -> String {
        if self.is_alone() { format!("{} alone", self.memory().describe()) } else { self.tiers.describe() }
    }

    fn suppressed_errors(&self) -> u64 {
        self.tiers.suppressed_errors()
    }

    fn is_shared(&self) -> bool {
        self.tiers.is_shared()
    }

    fn is_current(&self, stamp: Stamp) -> bool {
        self.tiers.is_current(stamp)
    }

    fn evictions(&self) -> u64 {
        if self.is_alone() { self.memory().evictions() } else { self.tiers.evictions() }
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
            .field("back", self.tiers.back())
            .finish_non_exhaustive()
    }
}

//! Caches of `quick_cache`, each behind a lock.
//!
//! The locks are not the engine's own, because every wait for a lock must end: user code runs under it and may call the same
//! memo. A cleared cache is replaced. So its memory is given back, and its entries are dropped after the lock is free.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash};
use std::iter::Sum;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use quick_cache::unsync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};
use twat_cache_core::{Args, Error, ErrorKind};

use crate::key::{HASHER, Hashed, Key, Lookup};
use crate::limits::Limits;

/// A cache of the engine, for a part of the keys.
type Shard<K, E, W> = Cache<Key<K>, E, W, BuildHasherDefault<Hashed>, Collect>;

/// The shards of a store. `W` tells the engine what an entry `E` weighs.
pub struct Shards<K, E, W> {
    caches: Box<[RwLock<Shard<K, E, W>>]>,
    pub(crate) limits: Limits,
    /// The number of entries, and their weight.
    entries: AtomicUsize,
    weight: AtomicU64,
    /// The part of the surplus that no shard has taken yet.
    spare: AtomicU64,
    /// How many removals did not get their lock. While there are any, a shard may have an outdated entry, and every lookup is
    /// a miss.
    refused: AtomicUsize,
    hasher: DefaultHashBuilder,
    /// The process that has made this. A forked process has another number.
    process: u32,
}

/// A wait for a lock is made of rounds. A process that was stopped for a while loses one round, not the whole wait.
const ROUND: Duration = Duration::from_millis(10);

/// 0.1 s, where giving up costs one computation. On a busy machine, a thread that holds a lock may wait a tenth of that for
/// a processor.
pub(crate) const SHORT: u32 = 10;

/// 0.5 s, where giving up is an error for the caller.
pub(crate) const LONG: u32 = 50;

impl<K, E, W> Shards<K, E, W>
where
    K: Hash + Eq + 'static,
    W: Weighter<Key<K>, E> + Default,
{
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            caches: (0..limits.shards).map(|_| RwLock::new(fresh(limits))).collect(),
            limits,
            entries: AtomicUsize::new(0),
            weight: AtomicU64::new(0),
            spare: AtomicU64::new(limits.surplus),
            refused: AtomicUsize::new(0),
            hasher: HASHER.clone(),
            process: process::id(),
        }
    }

    /// Reads the entry for `key`. There is none if the shard's lock cannot be had.
    #[inline]
    pub(crate) fn get<A, T>(&self, key: &Lookup<'_, A>, read: impl FnOnce(&E) -> T) -> Option<T>
    where
        A: Args<Owned = K> + ?Sized,
    {
        let shard = self.read(self.index(key.hash))?;
        if self.refused.load(Ordering::Acquire) == 0 { shard.get(key).map(read) } else { None }
    }

    /// Stores an entry. It replaces the entry for this key, if there is one. Gives what the limit has driven out.
    pub(crate) fn insert(&self, key: K, entry: E) -> Result<Vec<(Key<K>, E)>, Error> {
        if self.refused.load(Ordering::Acquire) > 0 {
            self.clear_within(SHORT)?;
        }
        // Dropped after the lock is free.
        let mut collected = Collected::default();
        let index = self.index(self.hasher.hash_one(&key));
        let (key, total) = (Key(key), self.limits.total);
        let weight = W::default().weight(&key, &entry);
        self.change(index, SHORT, "store a result", |shard| {
            let is_full = self.weight.load(Ordering::Relaxed).saturating_add(weight) > total;
            if self.caches.len() > 1 && is_full && shard.capacity() == total {
                self.confine(shard);
            }
            shard.insert_with_lifecycle(key, entry, &mut collected);
        })?;
        Ok(collected.evicted)
    }

    /// Removes the entry for `key`. `rounds` is how long to wait for the lock.
    pub(crate) fn remove<A>(&self, key: &Lookup<'_, A>, rounds: u32) -> Result<Option<E>, Error>
    where
        A: Args<Owned = K> + ?Sized,
    {
        let removed = self.change(self.index(key.hash), rounds, "remove a result", |shard| shard.remove(key));
        Ok(removed.inspect_err(|_| self.refuse())?.map(|(_, entry)| entry))
    }

    /// Removes all entries, and gives their memory back.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        self.clear_within(LONG).inspect_err(|_| self.refuse())
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::AcqRel);
    }

    fn clear_within(&self, mut rounds: u32) -> Result<(), Error> {
        let (refused, mut cleared) = (self.refused.load(Ordering::Acquire), Ok(()));
        for index in 0..self.caches.len() {
            let emptied = self.change(index, rounds, "clear the memory", |it| mem::replace(it, fresh(self.limits)));
            if let Err(error) = emptied {
                // The caller waits for one lock only.
                (rounds, cleared) = (0, Err(error));
            }
        }
        if cleared.is_ok() {
            // Unless another removal was refused meanwhile.
            let _ = self.refused.compare_exchange(refused, 0, Ordering::AcqRel, Ordering::Relaxed);
            self.spare.store(self.limits.surplus, Ordering::Relaxed);
        }
        cleared
    }

    /// Removes the expired entries. It leaves a shard alone whose lock cannot be had.
    pub(crate) fn sweep(&self, has_expired: impl Fn(&E) -> bool)
    where
        K: Clone,
    {
        for index in 0..self.caches.len() {
            // They are found while others may read, and removed in parts, so that nobody waits long.
            let Some(shard) = self.read(index) else { continue };
            let expired: Vec<_> =
                shard.iter().filter(|(_, entry)| has_expired(entry)).map(|(key, _)| key.clone()).collect();
            drop(shard);
            for part in expired.chunks(1024) {
                let _ = self.change(index, SHORT, "remove expired entries", |it| {
                    let removed: Vec<_> = part.iter().filter_map(|key| it.remove_if(key, &has_expired)).collect();
                    // An empty shard gives its memory back.
                    (removed, it.is_empty().then(|| mem::replace(it, fresh(self.limits))))
                });
            }
        }
    }

    /// The store is full. From now on this shard has no more room than what it has filled and what it takes of the surplus.
    fn confine(&self, shard: &mut Shard<K, E, W>) {
        let filled = shard.weight();
        let wanted = self.limits.share.saturating_sub(filled);
        let take = |spare: u64| Some(spare.saturating_sub(wanted));
        let spare = self.spare.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or(0);
        // A shard that happens to be empty needs room as well.
        shard.set_capacity((filled + wanted.min(spare)).max(self.limits.share / 2));
    }

    /// Changes a shard. If a panic leaves a change half done, the shard starts empty.
    fn change<T>(
        &self,
        index: usize,
        rounds: u32,
        what: &'static str,
        change: impl FnOnce(&mut Shard<K, E, W>) -> T,
    ) -> Result<T, Error> {
        let Some(mut shard) = self.write(index, rounds) else {
            return Err(Error::new(ErrorKind::Other, what).because("a part of the memory is in use"));
        };
        let before = (shard.len(), shard.weight());
        let changed = catch_unwind(AssertUnwindSafe(|| change(&mut shard)));
        let broken = changed.is_err().then(|| mem::replace(&mut *shard, fresh(self.limits)));
        // These wrap if there are fewer now, and the sums are right.
        self.entries.fetch_add(shard.len().wrapping_sub(before.0), Ordering::Relaxed);
        self.weight.fetch_add(shard.weight().wrapping_sub(before.1), Ordering::Relaxed);
        drop(shard);
        drop(broken);
        changed.map_err(|_| Error::new(ErrorKind::Panicked, what))
    }
}

impl<K, E, W> Shards<K, E, W> {
    /// For hits.
    #[inline]
    pub(crate) fn lookup<'a, A: Hash + ?Sized>(&self, key: &'a A) -> Lookup<'a, A> {
        Lookup { key, hash: self.hasher.hash_one(key) }
    }

    /// The caches themselves. While one is locked, calls whose keys belong into it wait 0.1 s for it and then compute.
    pub fn shards(&self) -> &[RwLock<Shard<K, E, W>>] {
        &self.caches
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// The sum over all shards, without those whose lock cannot be had.
    pub(crate) fn sum<T: Sum>(&self, of: impl Fn(&Shard<K, E, W>) -> T) -> T {
        (0..self.caches.len()).filter_map(|index| self.read(index).map(|shard| of(&shard))).sum()
    }

    /// The bits in the middle tell the shard, as in the engine: its tables use those at the ends.
    #[inline]
    fn index(&self, hash: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits are wanted")]
        let bits = hash.rotate_right(32) as usize;
        // The number of shards is a power of two.
        bits & (self.caches.len() - 1)
    }

    #[inline]
    fn read(&self, index: usize) -> Option<RwLockReadGuard<'_, Shard<K, E, W>>> {
        let shard = self.caches.get(index)?;
        shard.try_read().or_else(|| self.wait(SHORT, || shard.try_read(), |time| shard.try_read_for(time)))
    }

    fn write(&self, index: usize, rounds: u32) -> Option<RwLockWriteGuard<'_, Shard<K, E, W>>> {
        let shard = self.caches.get(index)?;
        shard.try_write().or_else(|| self.wait(rounds, || shard.try_write(), |time| shard.try_write_for(time)))
    }

    /// Waits for a lock, for this many rounds.
    #[cold]
    #[inline(never)]
    fn wait<G>(
        &self,
        rounds: u32,
        try_lock: impl Fn() -> Option<G>,
        try_lock_for: impl Fn(Duration) -> Option<G>,
    ) -> Option<G> {
        if process::id() == self.process {
            return (0..rounds).find_map(|_| try_lock_for(ROUND));
        }
        // In a forked process, the thread that holds the lock may not exist. Nor may a thread that holds the list of parked
        // threads, so this does not park.
        (0..rounds * 10).find_map(|_| {
            thread::sleep(ROUND / 10);
            try_lock()
        })
    }
}

impl<K, E, W> fmt::Debug for Shards<K, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").field("limits", &self.limits).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// An empty shard, which may have all of the limit.
fn fresh<K, E, W>(limits: Limits) -> Shard<K, E, W>
where
    K: Hash + Eq + 'static,
    W: Weighter<Key<K>, E> + Default,
{
    let options = OptionsBuilder::new()
        .hot_allocation(limits.hot)
        .estimated_items_capacity(usize::try_from(limits.estimate).unwrap_or(usize::MAX).min(1 << 20))
        .weight_capacity(limits.total)
        .build()
        .expect("both capacities are set, and nothing else is checked");
    Cache::with_options(options, W::default(), BuildHasherDefault::default(), Collect)
}

/// Collects what an insert removes, so that it is dropped after the lock is free.
#[derive(Clone, Copy, Debug, Default)]
pub struct Collect;

/// What an insert has removed.
#[derive(Debug)]
pub struct Collected<K, E> {
    /// What the limit has driven out.
    evicted: Vec<(K, E)>,
    /// The earlier entry of the key.
    replaced: Option<(K, E)>,
    /// Whether the limit drives the next entry out.
    is_eviction: bool,
}

impl<K, E> Default for Collected<K, E> {
    fn default() -> Self {
        Self { evicted: Vec::new(), replaced: None, is_eviction: false }
    }
}

impl<K, E> Lifecycle<K, E> for Collect {
    type RequestState = Collected<K, E>;

    // The engine does not call this before it replaces an entry.
    fn before_evict(&self, collected: &mut Self::RequestState, _: &K, _: &mut E) {
        collected.is_eviction = true;
    }

    fn on_evict(&self, collected: &mut Self::RequestState, key: K, entry: E) {
        if mem::take(&mut collected.is_eviction) {
            collected.evicted.push((key, entry));
        } else {
            collected.replaced = Some((key, entry));
        }
    }
}

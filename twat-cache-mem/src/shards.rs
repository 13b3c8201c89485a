//! The engine: caches of `quick_cache`, each behind a lock of its own.
//!
//! The locks are ours and not the engine's, because every wait for one must end: the user's code runs under it and may
//! call the same memo. A cleared cache is replaced, so its memory is given back, and its entries are dropped when the
//! lock is free.

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

/// A part of the engine: a cache for the keys that belong into it.
pub type Shard<K, E, W> = Cache<Key<K>, E, W, BuildHasherDefault<Hashed>, Evictions>;

/// The shards of a store. An entry is an `E`, and weighs what `W` says.
pub struct Shards<K, E, W> {
    caches: Box<[RwLock<Shard<K, E, W>>]>,
    limits: Limits,
    /// How many entries there are.
    entries: AtomicUsize,
    /// How much room above the limit no shard has taken yet.
    spare: AtomicU64,
    /// How many removals could not get their lock. As long as there are any, something old may be here, and nothing is given
    /// out.
    refused: AtomicUsize,
    hasher: DefaultHashBuilder,
    /// The process that has made this. A forked one has another number.
    process: u32,
}

/// How many [`ROUND`]s to wait for a lock.
#[derive(Clone, Copy)]
pub(crate) struct Patience(u32);

impl Patience {
    /// 0.1 s, for what costs one computation if it cannot be done. On a busy machine, a thread that holds a lock may wait
    /// a tenth of that for a processor.
    pub(crate) const SHORT: Self = Self(10);
    /// 0.5 s, for what the caller has to be told.
    pub(crate) const LONG: Self = Self(50);
    const NONE: Self = Self(0);
}

/// Waits are made of rounds: a process that stood still for a while has lost one of them, not all.
const ROUND: Duration = Duration::from_millis(10);

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
            spare: AtomicU64::new(limits.spare()),
            refused: AtomicUsize::new(0),
            hasher: HASHER.clone(),
            process: process::id(),
        }
    }

    /// Reads the entry for `key`. If the shard's lock is not to be had, there is none.
    #[inline]
    pub(crate) fn get<A, T>(&self, key: &Lookup<'_, A>, read: impl FnOnce(&E) -> T) -> Option<T>
    where
        A: Args<Owned = K> + ?Sized,
    {
        let shard = self.read(self.index(key.hash))?;
        if self.refused.load(Ordering::Acquire) == 0 { shard.get(key).map(read) } else { None }
    }

    /// Stores an entry in place of what is there.
    pub(crate) fn insert(&self, key: K, entry: E) -> Result<(), Error> {
        if self.refused.load(Ordering::Acquire) > 0 {
            self.clear_within(Patience::SHORT)?;
        }
        // Dropped when the lock is free.
        let mut evicted = Vec::new();
        let index = self.index(self.hasher.hash_one(&key));
        self.change(index, Patience::SHORT, "store a result", |shard| {
            let total = self.limits.total;
            if self.caches.len() > 1 && self.len() as u64 >= total && shard.capacity() == total {
                self.confine(shard);
            }
            shard.insert_with_lifecycle(Key(key), entry, &mut evicted);
        })
    }

    /// Removes the entry for `key` if it is one of these.
    pub(crate) fn remove_if<A>(
        &self,
        key: &Lookup<'_, A>,
        patience: Patience,
        which: impl FnOnce(&E) -> bool,
    ) -> Result<Option<(Key<K>, E)>, Error>
    where
        A: Args<Owned = K> + ?Sized,
    {
        let removed = self.change(self.index(key.hash), patience, "remove a result", |it| it.remove_if(key, which));
        removed.inspect_err(|_| self.refuse())
    }

    /// Removes everything, and gives its memory back.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        self.clear_within(Patience::LONG).inspect_err(|_| self.refuse())
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::AcqRel);
    }

    fn clear_within(&self, mut patience: Patience) -> Result<(), Error> {
        let (refused, mut cleared) = (self.refused.load(Ordering::Acquire), Ok(()));
        for index in 0..self.caches.len() {
            let emptied = self.change(index, patience, "clear the memory", |it| mem::replace(it, fresh(self.limits)));
            if let Err(error) = emptied {
                (patience, cleared) = (Patience::NONE, Err(error));
            }
        }
        if cleared.is_ok() {
            // Unless more were refused meanwhile.
            let _ = self.refused.compare_exchange(refused, 0, Ordering::AcqRel, Ordering::Relaxed);
            self.spare.store(self.limits.spare(), Ordering::Relaxed);
        }
        cleared
    }

    /// Removes all of these; says whether there are `others` left.
    pub(crate) fn sweep(&self, which: impl Fn(&E) -> bool, others: impl Fn(&E) -> bool) -> Result<bool, Error>
    where
        K: Clone,
    {
        let mut left = false;
        for index in 0..self.caches.len() {
            // Found while others may read, and removed in parts, so that nobody waits for long.
            let Some(shard) = self.read(index) else { return Ok(true) };
            let (mut found, mut kept) = (Vec::new(), false);
            for (key, entry) in shard.iter() {
                if which(entry) {
                    found.push(key.clone());
                } else {
                    kept |= others(entry);
                }
            }
            drop(shard);
            left |= kept;
            for part in found.chunks(1024) {
                self.change(index, Patience::SHORT, "remove what has expired", |it| {
                    let removed: Vec<_> = part.iter().filter_map(|key| it.remove_if(key, &which)).collect();
                    // What is empty need not keep its memory.
                    (removed, it.is_empty().then(|| mem::replace(it, fresh(self.limits))))
                })?;
            }
        }
        Ok(left)
    }

    /// The store is full: from now on this shard has no more room than it has filled, and what it takes of the spare.
    fn confine(&self, shard: &mut Shard<K, E, W>) {
        let filled = shard.weight();
        let wanted = self.limits.share.saturating_sub(filled);
        let take = |spare: u64| Some(spare.saturating_sub(wanted));
        let spare = self.spare.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or(0);
        // One that happens to be empty must not stay so.
        shard.set_capacity((filled + wanted.min(spare)).max(self.limits.share / 2));
    }

    /// Changes a shard. What a panic has left half-done starts anew.
    fn change<T>(
        &self,
        index: usize,
        patience: Patience,
        what: &'static str,
        change: impl FnOnce(&mut Shard<K, E, W>) -> T,
    ) -> Result<T, Error> {
        let Some(mut shard) = self.write(index, patience) else {
            return Err(Error::new(ErrorKind::Other, what).because("a part of the memory is in use"));
        };
        let before = shard.len();
        let changed = catch_unwind(AssertUnwindSafe(|| change(&mut shard)));
        let broken = changed.is_err().then(|| mem::replace(&mut *shard, fresh(self.limits)));
        let after = shard.len();
        // This wraps, as it must if there are less now.
        self.entries.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
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

    /// The caches themselves. While one is locked, calls whose keys belong into it compute, or wait 0.1 s for it.
    pub fn shards(&self) -> &[RwLock<Shard<K, E, W>>] {
        &self.caches
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// What all shards have together, but for those that are not to be had.
    pub(crate) fn sum<T: Sum>(&self, of: impl Fn(&Shard<K, E, W>) -> T) -> T {
        (0..self.caches.len()).filter_map(|index| self.read(index).map(|shard| of(&shard))).sum()
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limits.total
    }

    /// Of the bits in the middle, as the engine takes them: its tables go by those at the ends.
    #[inline]
    fn index(&self, hash: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits are wanted")]
        let bits = hash.rotate_right(32) as usize;
        // There is a power of two of them.
        bits & (self.caches.len() - 1)
    }

    #[inline]
    fn read(&self, index: usize) -> Option<RwLockReadGuard<'_, Shard<K, E, W>>> {
        let shard = self.caches.get(index)?;
        shard.try_read().or_else(|| {
            self.wait(Patience::SHORT, |time| match time {
                Some(time) => shard.try_read_for(time),
                None => shard.try_read(),
            })
        })
    }

    fn write(&self, index: usize, patience: Patience) -> Option<RwLockWriteGuard<'_, Shard<K, E, W>>> {
        let shard = self.caches.get(index)?;
        shard.try_write().or_else(|| {
            self.wait(patience, |time| match time {
                Some(time) => shard.try_write_for(time),
                None => shard.try_write(),
            })
        })
    }

    /// Tries to lock until patience is at an end, each time for so long, or without waiting.
    #[cold]
    #[inline(never)]
    fn wait<G>(&self, Patience(rounds): Patience, lock: impl Fn(Option<Duration>) -> Option<G>) -> Option<G> {
        if process::id() == self.process {
            return (0..rounds).find_map(|_| lock(Some(ROUND)));
        }
        // The thread that holds the lock may not exist in a forked process. Neither may one that holds the list of parked
        // threads, so this does not park.
        (0..rounds * 10).find_map(|_| {
            thread::sleep(ROUND / 10);
            lock(None)
        })
    }
}

impl<K, E, W> fmt::Debug for Shards<K, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").field("limits", &self.limits).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A shard for all of the limit.
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
    Cache::with_options(options, W::default(), BuildHasherDefault::default(), Evictions)
}

/// Collects what an insert evicts, to drop it when the lock is free.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Evictions;

impl<K, E> Lifecycle<K, E> for Evictions {
    type RequestState = Vec<(K, E)>;

    fn on_evict(&self, evicted: &mut Self::RequestState, key: K, entry: E) {
        evicted.push((key, entry));
    }
}

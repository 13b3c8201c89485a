use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::UnitWeighter;
use twat_cache_core::{Args, Error, ErrorKind, Expiry, Found, KeyedStore, Store};

use crate::engine::Engine;
use crate::key::Lookup;
use crate::limits::Limits;
use crate::shards::{Patience, Shards};
use crate::weigher::{StoredWeight, Weigher};

/// Results in memory, in [`quick_cache`] caches.
///
/// Made by [`mcache`](crate::mcache)`().open()` and by its `wrap`s. Keys are compared exactly; arguments are owned only
/// when a result is stored. What is used is kept: the engine's eviction is S3-FIFO-like, and all operations but `clear`
/// take constant time, amortised.
///
/// # Code in keys and values
///
/// Keys are compared, and values cloned for hits, under the lock of a shard. An `Eq`, `Hash`, `Clone` or `Drop` may call
/// the same memo all the same, because every wait for a lock ends. After 0.1 s a lookup is a miss, and a result is
/// returned and not stored. After 0.5 s [`remove`](KeyedStore::remove) and [`clear`](Store::clear) return an error. A panic
/// in such code is an error of this store, which a [`Memo`](crate::Memo) logs before it computes.
///
/// # Expired entries
///
/// They are removed when a miss, a removal, storing, or a hit of an entry with a deadline finds that the last look for them
/// was 30 s ago, or a TTL ago if that is shorter, but at least 1 s.
pub struct MemStore<K, V> {
    /// Entries without deadline and weight. Used until there is an entry with one of them.
    bare: Bare<K, V>,
    /// Entries with a deadline or a weight. Once it is made, all entries are here.
    timed: OnceLock<TimedShards<K, V>>,
    limits: Limits,
    expiry: Expiry,
    weigher: Option<Weigher<K, V>>,
    /// Whether anything is kept at all.
    keeps: bool,
    start: Instant,
    /// When to look for expired entries, in seconds from the start.
    due: AtomicU64,
}

type Bare<K, V> = Shards<K, V, UnitWeighter>;
type TimedShards<K, V> = Shards<K, Timed<V>, StoredWeight>;

/// Nothing will expire.
const NEVER: u64 = u64::MAX;

/// A value with its deadline, if it has one, and its weight.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Timed<V> {
    value: V,
    deadline: Option<Instant>,
    pub(crate) weight: u64,
}

impl<V> Timed<V> {
    /// When it expires; `None` is never.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn has_expired(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl<V> Deref for Timed<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<K, V> MemStore<K, V>
where
    K: Hash + Eq + 'static,
{
    pub(crate) fn new(max_entries: usize, expiry: Expiry, weigher: Option<Weigher<K, V>>) -> Self {
        let limits = match &weigher {
            Some(weigher) => Limits::by_weight(weigher.max_weight),
            None => Limits::by_number(max_entries),
        };
        let is_bare = weigher.is_none() && expiry.ttl.is_none();
        Self {
            bare: Shards::new(if is_bare { limits } else { Limits::by_number(0) }),
            timed: if is_bare { OnceLock::new() } else { Shards::new(limits).into() },
            limits,
            keeps: limits.total > 0 && expiry.ttl != Some(Duration::ZERO),
            start: expiry.clock.now(),
            due: AtomicU64::new(NEVER),
            expiry,
            weigher,
        }
    }
}

impl<K, V> MemStore<K, V> {
    /// The engine.
    pub fn cache(&self) -> Engine<'_, K, V> {
        self.timed.get().map_or(Engine::Bare(&self.bare), Engine::Timed)
    }
}

impl<K, V> MemStore<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
{
    /// The entry for `key`, and when it expires.
    #[inline]
    fn entry<A: Args<Owned = K> + ?Sized>(&self, key: &A) -> Option<(V, Option<Instant>)> {
        let key = self.bare.lookup(key);
        match self.timed.get() {
            None => self.bare.get(&key, V::clone).map(|value| (value, None)),
            Some(timed) => self.timed_entry(timed, &key),
        }
    }

    // Not inlined, to keep the hit of a bare value short.
    #[inline(never)]
    fn timed_entry<A: Args<Owned = K> + ?Sized>(
        &self,
        timed: &TimedShards<K, V>,
        key: &Lookup<'_, A>,
    ) -> Option<(V, Option<Instant>)> {
        let found = timed.get(key, |entry| (entry.value.clone(), entry.deadline));
        match found {
            Some((_, None)) => found,
            Some((_, Some(deadline))) => {
                let now = self.expiry.clock.now();
                self.sweep(timed, now);
                if now < deadline {
                    return found;
                }
                // Looked at again under the lock: somebody may have stored a new one.
                let _ = timed.remove_if(key, Patience::SHORT, |entry| entry.has_expired(now));
                None
            }
            None => {
                if self.due.load(Ordering::Relaxed) != NEVER {
                    self.sweep(timed, self.expiry.clock.now());
                }
                None
            }
        }
    }

    /// Removes what has expired, if it is time to look for it.
    fn sweep(&self, timed: &TimedShards<K, V>, now: Instant) {
        if self.seconds(now) >= self.due.load(Ordering::Relaxed) {
            self.sweep_now(timed, now);
        }
    }

    #[cold]
    fn sweep_now(&self, timed: &TimedShards<K, V>, now: Instant) {
        // One thread only. What is stored from here on makes a sweep due again.
        if self.due.swap(NEVER, Ordering::AcqRel) == NEVER {
            return;
        }
        let left = timed.sweep(|entry| entry.has_expired(now), |entry| entry.deadline.is_some());
        if left.unwrap_or(true) {
            self.sweep_later(now);
        }
    }

    fn sweep_later(&self, now: Instant) {
        let ttl = self.expiry.ttl.map_or(30, |ttl| ttl.as_secs().clamp(1, 30));
        self.due.fetch_min(self.seconds(now).saturating_add(ttl), Ordering::AcqRel);
    }

    fn seconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs()
    }

    fn insert_timed<A>(&self, key: &A, value: &V, ttl: Option<Duration>, timed: &TimedShards<K, V>) -> Result<(), Error>
    where
        A: Args<Owned = K> + ?Sized,
    {
        let owned = key.to_key();
        let weight = self.weigher.as_ref().map_or(Ok(1), |weigher| weigher.weigh(&owned, value));
        // The engine's shard holds as much as the largest entry may weigh.
        let weight = match weight {
            Ok(weight) if weight <= timed.limit() => weight,
            unfit => {
                timed.remove_if(&Lookup::rare(key), Patience::LONG, |_| true)?;
                return unfit.map(drop);
            }
        };
        let now = ttl.map(|_| self.expiry.clock.now());
        let deadline = ttl.and_then(|ttl| now?.checked_add(ttl));
        timed.insert(owned, Timed { value: value.clone(), deadline, weight })?;
        if let Some(now) = now {
            self.sweep(timed, now);
            self.sweep_later(now);
        }
        Ok(())
    }

    /// The first entry with a deadline in a store without a TTL. The entries so far are dropped, once.
    #[cold]
    fn begin_to_time(&self) -> &TimedShards<K, V> {
        let timed = self.timed.get_or_init(|| Shards::new(self.limits));
        // Nothing looks there any more, so one that cannot be removed does no harm.
        let _ = self.bare.clear();
        timed
    }
}

/// Makes a panic of the user's code an error.
#[inline]
fn caught<T>(what: &'static str, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(panicked(what)))
}

#[cold]
fn panicked(what: &'static str) -> Error {
    Error::new(ErrorKind::Panicked, what)
}

impl<K, V> Store for MemStore<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
{
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        Ok(self.cache().len())
    }

    fn clear(&self) -> Result<(), Error> {
        caught("clear the memory", || {
            let timed = self.timed.get().map_or(Ok(()), Shards::clear);
            self.bare.clear().and(timed)
        })
    }

    fn ttl(&self) -> Option<Duration> {
        self.expiry.ttl
    }

    fn describe(&self) -> String {
        String::from("memory")
    }
}

impl<A, K, V> KeyedStore<A> for MemStore<K, V>
where
    A: Args<Owned = K> + ?Sized,
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
{
    #[inline]
    fn get(&self, key: &A) -> Result<Option<V>, Error> {
        caught("look up a result", || Ok(self.entry(key).map(|(value, _)| value)))
    }

    fn insert(&self, key: &A, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &A) -> Result<bool, Error> {
        caught("remove a result", || {
            let Some(timed) = self.timed.get() else {
                return Ok(self.bare.remove_if(&Lookup::rare(key), Patience::LONG, |_| true)?.is_some());
            };
            let removed = timed.remove_if(&Lookup::rare(key), Patience::LONG, |_| true)?;
            let Some((_, Timed { deadline: Some(deadline), .. })) = removed else { return Ok(removed.is_some()) };
            let now = self.expiry.clock.now();
            self.sweep(timed, now);
            Ok(now < deadline)
        })
    }

    fn get_with_ttl(&self, key: &A) -> Result<Option<Found<V>>, Error> {
        caught("look up a result", || {
            let Some((value, deadline)) = self.entry(key) else { return Ok(None) };
            let Some(deadline) = deadline else { return Ok(Some(Found { value, ttl: None })) };
            let left = self.expiry.clock.remaining(deadline);
            Ok(left.map(|left| Found { value, ttl: Some(left) }))
        })
    }

    fn insert_with_ttl(&self, key: &A, value: &V, time: Option<Duration>) -> Result<(), Error> {
        caught("store a result", || {
            let ttl = self.expiry.within(time);
            if !self.keeps || ttl == Some(Duration::ZERO) {
                return self.remove(key).map(drop);
            }
            match self.timed.get() {
                Some(timed) => self.insert_timed(key, value, ttl, timed),
                None if ttl.is_some() => self.insert_timed(key, value, ttl, self.begin_to_time()),
                None => {
                    self.bare.insert(key.to_key(), value.clone())?;
                    if self.timed.get().is_some() {
                        // Nothing looks here any more.
                        self.bare.remove_if(&Lookup::rare(key), Patience::SHORT, |_| true)?;
                    }
                    Ok(())
                }
            }
        })
    }
}

// A panic leaves no lock behind, and a shard that it leaves half-changed starts anew.
impl<K, V> UnwindSafe for MemStore<K, V> {}
impl<K, V> RefUnwindSafe for MemStore<K, V> {}

impl<K, V> fmt::Debug for MemStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemStore")
            .field("ttl", &self.expiry.ttl)
            .field("weigher", &self.weigher)
            .finish_non_exhaustive()
    }
}

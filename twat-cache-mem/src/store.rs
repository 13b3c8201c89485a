use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::UnitWeighter;
use twat_cache_core::{Args, Error, ErrorKind, Expiry, Found, KeyedStore, Store, Ticket};

use crate::engine::Engine;
use crate::entry::{StoredWeight, Timed};
use crate::evictions::{Evictions, OnEvict};
use crate::key::{Key, Lookup};
use crate::limits::Limits;
use crate::shards::{LONG, SHORT, Shards};
use crate::weigher::Weigher;

/// Results in memory, in caches of [`quick_cache`].
///
/// [`mcache`](crate::mcache)`().open()` makes one, and so do its `wrap`s. Keys are compared exactly. Arguments are cloned only
/// when a result is stored. The engine evicts entries that are not used, by an algorithm like S3-FIFO. All operations but
/// `clear` take constant time, amortised.
///
/// # Code in keys and values
///
/// Keys are compared, and values are cloned for hits, under the lock of a shard. An `Eq`, `Hash`, `Clone` or `Drop` may call
/// the same memo, because every wait for a lock ends. After 0.1 s a lookup is a miss, and a result is returned and not stored.
/// After 0.5 s [`remove`](KeyedStore::remove) and [`clear`](Store::clear) return an error. A panic in such code is an error of
/// this store. A [`Memo`](crate::Memo) logs it and computes.
///
/// # Expired entries
///
/// They are never returned. A store that is used removes them at most every 30 s, or every TTL if that is shorter, and at most
/// every second.
pub struct MemStore<K, V> {
    /// Entries without deadline and weight. They are here until there is an entry with a deadline or a weight.
    bare: Bare<K, V>,
    /// Entries with a deadline or a weight. Once this is made, all entries are here.
    timed: OnceLock<TimedShards<K, V>>,
    limits: Limits,
    expiry: Expiry,
    weigher: Option<Weigher<K, V>>,
    evictions: Evictions<K, V>,
    start: Instant,
    /// When to remove expired entries, in seconds from the start.
    sweep_at: AtomicU64,
}

type Bare<K, V> = Shards<K, V, UnitWeighter>;
type TimedShards<K, V> = Shards<K, Timed<V>, StoredWeight>;

/// No entry has had a deadline yet.
const NEVER: u64 = u64::MAX;

impl<K, V> MemStore<K, V>
where
    K: Hash + Eq + 'static,
{
    pub(crate) fn new(
        max_entries: usize,
        expiry: Expiry,
        weigher: Option<Weigher<K, V>>,
        on_evict: Option<OnEvict<K, V>>,
    ) -> Self {
        let limits = match &weigher {
            Some(weigher) if !weigher.is_divided => Limits::whole(weigher.max_weight),
            Some(weigher) => Limits::divided(weigher.max_weight),
            None => Limits::divided(max_entries as u64),
        };
        let is_bare = weigher.is_none() && expiry.ttl.is_none();
        Self {
            bare: Shards::new(if is_bare { limits } else { Limits::divided(0) }),
            timed: if is_bare { OnceLock::new() } else { Shards::new(limits).into() },
            limits,
            start: expiry.clock.now(),
            sweep_at: AtomicU64::new(NEVER),
            expiry,
            weigher,
            evictions: Evictions::new(on_evict),
        }
    }
}

impl<K, V> MemStore<K, V> {
    /// The engine.
    ///
    /// ```
    /// use twat_cache_mem::mcache;
    ///
    /// let square = mcache().max_entries(100).wrap(|n: &u64| n * n);
    /// square.call(&3);
    /// let engine = square.store().cache();
    /// assert_eq!((engine.len(), engine.capacity()), (1, 100));
    /// ```
    pub fn cache(&self) -> Engine<'_, K, V> {
        self.timed.get().map_or(Engine::Bare(&self.bare), Engine::Timed)
    }
}

impl<K, V> MemStore<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
{
    /// What is read of the value for `key`, and the time until it expires.
    #[inline]
    fn entry<A, T>(&self, key: &A, read: impl FnOnce(&V) -> T) -> Option<(T, Option<Duration>)>
    where
        A: Args<Owned = K> + ?Sized,
    {
        let key = self.bare.lookup(key);
        let Some(timed) = self.timed.get() else { return self.bare.get(&key, read).map(|part| (part, None)) };
        let found = timed.get(&key, |entry| (read(&entry.value), entry.deadline));
        // Without deadlines, the clock is not read.
        if self.sweep_at.load(Ordering::Relaxed) == NEVER {
            return found;
        }
        let now = self.now_swept(timed);
        let (part, deadline) = found?;
        let left = deadline.map(|deadline| deadline.saturating_sub(now));
        (left != Some(Duration::ZERO)).then_some((part, left))
    }

    // Not inlined, so that a hit without a deadline is short.
    #[inline(never)]
    fn now_swept(&self, timed: &TimedShards<K, V>) -> Duration {
        let now = self.now();
        self.sweep(timed, now);
        now
    }

    /// The time since the start.
    #[inline]
    fn now(&self) -> Duration {
        self.expiry.clock.now().saturating_duration_since(self.start)
    }

    /// Removes expired entries, if the last time was long enough ago. The first call only sets the time for the next.
    #[inline]
    fn sweep(&self, timed: &TimedShards<K, V>, now: Duration) {
        let seconds = now.as_secs();
        let at = self.sweep_at.load(Ordering::Relaxed);
        if seconds >= at || at == NEVER {
            self.sweep_now(timed, now, at);
        }
    }

    #[cold]
    fn sweep_now(&self, timed: &TimedShards<K, V>, now: Duration, at: u64) {
        let pause = self.expiry.lifetime().map_or(30, |ttl| ttl.as_secs().clamp(1, 30));
        let next = self.sweep_at.compare_exchange(at, now.as_secs() + pause, Ordering::Relaxed, Ordering::Relaxed);
        // One thread sweeps.
        if next.is_ok_and(|at| at != NEVER) {
            timed.sweep(|entry| entry.deadline.is_some_and(|deadline| deadline <= now));
        }
    }

    fn insert_timed<A>(
        &self,
        key: &A,
        value: &V,
        ttl: Option<Duration>,
        timed: &TimedShards<K, V>,
        is_put_off: bool,
    ) -> Result<(), Error>
    where
        A: Args<Owned = K> + ?Sized,
    {
        let owned = key.to_key();
        // The engine never evicts an entry without weight.
        let weigh = |weigher: &Weigher<K, V>| caught("weigh an entry", || Ok((weigher.weigh)(&owned, value).max(1)));
        let weight = match self.weigher.as_ref().map_or(Ok(1), weigh) {
            Ok(weight) if weight <= self.limits.total => weight,
            unfit => {
                timed.remove(&Lookup::rare(key), LONG)?;
                return unfit.map(drop);
            }
        };
        let now = ttl.map(|_| self.now());
        if let Some(now) = now {
            self.sweep(timed, now);
        }
        let deadline = ttl.and_then(|ttl| now?.checked_add(ttl));
        let evicted = timed.insert(owned, Timed { value: value.clone(), deadline, weight })?;
        let is_valid = |deadline| now.unwrap_or_else(|| self.now()) < deadline;
        let evicted = evicted.into_iter().filter(|(_, entry)| entry.deadline.is_none_or(is_valid));
        self.evictions.take(evicted.map(|(Key(key), entry)| (key, entry.value)), is_put_off);
        Ok(())
    }

    /// Stores a result. `on_evict` may be put off until the caller settles.
    fn store<A>(&self, key: &A, value: &V, time: Option<Duration>, is_put_off: bool) -> Result<(), Error>
    where
        A: Args<Owned = K> + ?Sized,
    {
        caught("store a result", || {
            let ttl = self.expiry.of_entry(time);
            if self.limits.total == 0 || ttl == Some(Duration::ZERO) {
                return self.remove(key).map(drop);
            }
            match self.timed.get() {
                Some(timed) => self.insert_timed(key, value, ttl, timed, is_put_off),
                None if ttl.is_some() => self.insert_timed(key, value, ttl, self.begin_to_time(), is_put_off),
                None => {
                    let evicted = self.bare.insert(key.to_key(), value.clone())?;
                    if self.timed.get().is_some() {
                        // Another thread has begun to keep deadlines. No lookup reads these entries any more.
                        self.bare.remove(&Lookup::rare(key), SHORT)?;
                    } else {
                        let evicted = evicted.into_iter().map(|(Key(key), value)| (key, value));
                        self.evictions.take(evicted, is_put_off);
                    }
                    Ok(())
                }
            }
        })
    }

    /// The first entry with a deadline in a store without a TTL. It drops the entries so far, once.
    #[cold]
    fn begin_to_time(&self) -> &TimedShards<K, V> {
        let timed = self.timed.get_or_init(|| Shards::new(self.limits));
        // No lookup reads them any more, so an entry that cannot be removed does no harm.
        let _ = self.bare.clear();
        timed
    }
}

/// Makes a panic of user code an error.
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
        self.expiry.lifetime()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.expiry.stale
    }

    fn describe(&self) -> String {
        String::from("memory")
    }

    fn suppressed_errors(&self) -> u64 {
        self.evictions.panics()
    }

    fn evictions(&self) -> u64 {
        self.evictions.count()
    }

    fn settle(&self) {
        self.evictions.settle();
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
        caught("look up a result", || Ok(self.entry(key, V::clone).map(|(value, _)| value)))
    }

    fn insert(&self, key: &A, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &A) -> Result<bool, Error> {
        caught("remove a result", || {
            let key = Lookup::rare(key);
            let Some(timed) = self.timed.get() else { return Ok(self.bare.remove(&key, LONG)?.is_some()) };
            let Some(entry) = timed.remove(&key, LONG)? else { return Ok(false) };
            let Some(deadline) = entry.deadline else { return Ok(true) };
            let now = self.now();
            self.sweep(timed, now);
            Ok(now < deadline)
        })
    }

    #[inline]
    fn get_part<T>(&self, key: &A, read: impl Fn(&V) -> Option<T>) -> Result<Option<T>, Error> {
        caught("look up a result", || Ok(self.entry(key, read).and_then(|(part, _)| part)))
    }

    #[inline]
    fn get_with_ttl(&self, key: &A) -> Result<Option<Found<V>>, Error> {
        caught("look up a result", || Ok(self.entry(key, V::clone).map(|(value, ttl)| Found { value, ttl })))
    }

    fn insert_with_ttl(&self, key: &A, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.store(key, value, time, false)
    }

    fn insert_begun(&self, key: &A, value: &V, time: Option<Duration>, _: Ticket) -> Result<bool, Error> {
        self.store(key, value, time, true).map(|()| true)
    }
}

// A panic leaves no lock behind, and a shard that it leaves half changed starts empty.
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

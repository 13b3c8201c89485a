use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, OptionsBuilder};
use twat_cache_core::{Args, Error, Found, KeyedStore, Lifetime, Store};

use crate::weigher::{StoredWeight, Weigher};

/// Results in memory, in a [`quick_cache`] cache.
///
/// Made by [`mcache`](crate::mcache)`().open()` and by its `wrap`s. Keys are compared exactly; arguments are owned only
/// when a result is stored. What is used is kept: the engine's eviction is S3-FIFO-like, and all operations but `clear`
/// take constant time, amortised.
///
/// The engine clones values for hits, and drops them for `clear`, under the lock of a shard. A `Clone` or `Drop` that
/// uses the same cache would wait for itself there.
pub struct MemStore<K, V> {
    cache: Engine<K, V>,
    lifetime: Lifetime,
    weigher: Option<Weigher<K, V>>,
    /// Whether anything is kept at all.
    keeps: bool,
}

type Engine<K, V> = Cache<K, Timed<V>, StoredWeight, DefaultHashBuilder, Evictions>;

/// Collects what an insert evicts, to be dropped when the engine has let go of its lock: dropping a value may run code
/// that uses the cache.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evictions;

impl<K, V> Lifecycle<K, V> for Evictions {
    type RequestState = Vec<(K, V)>;

    fn on_evict(&self, evicted: &mut Self::RequestState, key: K, value: V) {
        evicted.push((key, value));
    }
}

/// A value as the engine has it: with its deadline, if it has one, and its weight.
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

    /// The value itself.
    pub fn into_value(self) -> V {
        self.value
    }
}

impl<V> Deref for Timed<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

/// The engine adds weights up without looking for overflow.
const MAX_WEIGHT: u64 = u64::MAX / 4;
/// Shards are locked one by one; smaller ones than this fill too unevenly.
const MIN_SHARD: u64 = 128;

impl<K, V> MemStore<K, V>
where
    K: Hash + Eq,
    V: Clone,
{
    pub(crate) fn new(max_entries: usize, lifetime: Lifetime, weigher: Option<Weigher<K, V>>) -> Self {
        let limit = weigher.as_ref().map_or(max_entries as u64, |weigher| weigher.max_weight).min(MAX_WEIGHT);
        let keeps = limit > 0 && lifetime.ttl != Some(Duration::ZERO);
        let cache = if weigher.is_some() { weighed(limit) } else { counted(limit) };
        Self { cache, lifetime, weigher, keeps }
    }
}

/// An engine for so many entries.
fn counted<K: Hash + Eq, V: Clone>(max_entries: u64) -> Engine<K, V> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    // What the engine itself would take, unless that makes them too small. It wants a power of two.
    let most = (processors * 4).next_power_of_two();
    let shards = (max_entries / MIN_SHARD + 1).next_power_of_two() / 2;
    let shards = shards.clamp(1, most);
    // A shard's part of the keys varies; a sixteenth more room keeps what would fit if they spread evenly.
    let capacity = if shards == 1 { max_entries } else { max_entries + max_entries / 16 };
    engine(shards, 0.97, capacity)
}

/// An engine for so much weight: in one shard, of which all may be one item's. What is "hot" may fill it too, for the
/// engine takes nothing that is heavier than that part.
fn weighed<K: Hash + Eq, V: Clone>(max_weight: u64) -> Engine<K, V> {
    engine(1, 1.0, max_weight)
}

fn engine<K: Hash + Eq, V: Clone>(shards: u64, hot: f64, capacity: u64) -> Engine<K, V> {
    // The estimate bounds how many evicted keys are remembered; they cost memory, so no more than a million.
    let estimate = usize::try_from(capacity).unwrap_or(usize::MAX).min(1 << 20);
    let options = OptionsBuilder::new()
        .shards(usize::try_from(shards).unwrap_or(1))
        .hot_allocation(hot)
        .estimated_items_capacity(estimate)
        .weight_capacity(capacity)
        .build()
        .expect("both capacities are set, and nothing else is checked");
    Cache::with_options(options, StoredWeight, DefaultHashBuilder::default(), Evictions)
}

impl<K, V> MemStore<K, V> {
    /// The engine. Values in it are [`Timed`].
    pub fn cache(&self) -> &Cache<K, Timed<V>, StoredWeight, DefaultHashBuilder, Evictions> {
        &self.cache
    }

    /// Whether this entry may still be given out. Reads the clock only if it has a deadline.
    #[inline]
    fn lives(&self, entry: &Timed<V>) -> bool {
        match entry.deadline {
            None => true,
            Some(deadline) => self.lifetime.clock.now() < deadline,
        }
    }
}

impl<K, V> MemStore<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
{
    #[cold]
    fn expire<A: Args<Owned = K> + ?Sized>(&self, key: &A) {
        // Looked at again under the engine's lock: somebody may have stored a new one.
        self.cache.remove_if(&Lookup(key), |entry| !self.lives(entry));
    }

    #[inline]
    fn entry<A: Args<Owned = K> + ?Sized>(&self, key: &A) -> Option<Timed<V>> {
        let entry = self.cache.get(&Lookup(key))?;
        if self.lives(&entry) {
            return Some(entry);
        }
        self.expire(key);
        None
    }
}

impl<K, V> Store for MemStore<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync,
{
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        Ok(self.cache.len())
    }

    fn clear(&self) -> Result<(), Error> {
        self.cache.clear();
        Ok(())
    }

    fn ttl(&self) -> Option<Duration> {
        self.lifetime.ttl
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
        Ok(self.entry(key).map(Timed::into_value))
    }

    fn insert(&self, key: &A, value: &V) -> Result<(), Error> {
        self.insert_for(key, value, None)
    }

    fn remove(&self, key: &A) -> Result<bool, Error> {
        Ok(self.cache.remove(&Lookup(key)).is_some_and(|(_, entry)| self.lives(&entry)))
    }

    fn get_for(&self, key: &A) -> Result<Found<V>, Error> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        let Some(deadline) = entry.deadline else { return Ok(Some((entry.value, None))) };
        let left = self.lifetime.clock.remaining(deadline);
        Ok(left.map(|left| (entry.value, Some(left))))
    }

    fn insert_for(&self, key: &A, value: &V, time: Option<Duration>) -> Result<(), Error> {
        let ttl = self.lifetime.within(time);
        let owned = key.to_key();
        let weight = self.weigher.as_ref().map_or(Ok(1), |weigher| weigher.weigh(&owned, value));
        // The engine's shard holds as much as the largest entry may weigh.
        let fits = weight.as_ref().is_ok_and(|weight| *weight <= self.cache.shard_capacity());
        if !self.keeps || ttl == Some(Duration::ZERO) || !fits {
            self.cache.remove(&Lookup(key));
            return weight.map(drop);
        }
        let deadline = ttl.and_then(|_| self.lifetime.clock.deadline(ttl));
        self.cache.insert(owned, Timed { value: value.clone(), deadline, weight: weight? });
        Ok(())
    }
}

impl<K, V> fmt::Debug for MemStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemStore")
            .field("ttl", &self.lifetime.ttl)
            .field("weigher", &self.weigher)
            .finish_non_exhaustive()
    }
}

/// Borrowed arguments, as the engine looks up keys.
struct Lookup<'a, A: ?Sized>(&'a A);

impl<A: Args + ?Sized> Hash for Lookup<'_, A> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<A: Args<Owned = K> + ?Sized, K> Equivalent<K> for Lookup<'_, A> {
    #[inline]
    fn equivalent(&self, owned: &K) -> bool {
        self.0.matches(owned)
    }
}

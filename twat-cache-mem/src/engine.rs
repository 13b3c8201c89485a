use std::fmt;
use std::hash::Hash;

use quick_cache::UnitWeighter;
use quick_cache::unsync::Cache;

use crate::entry::{StoredWeight, Timed};
use crate::shards::Shards;

/// The engine of a [`MemStore`](crate::MemStore), and what it tells about itself.
///
/// ```
/// use twat_cache_mem::{Engine, mcache};
///
/// let square = mcache().wrap(|n: &u64| n * n);
/// square.call(&3);
/// let engine = square.store().cache();
/// assert_eq!((engine.len(), engine.weight()), (1, 1));
///
/// // The caches of `quick_cache` themselves, one for each shard.
/// let Engine::Bare(shards) = engine else { panic!("its entries have deadlines or weights") };
/// assert_eq!(shards.shards().iter().map(|shard| shard.read().len()).sum::<usize>(), 1);
/// ```
pub enum Engine<'a, K, V> {
    /// Entries are values alone.
    Bare(&'a Shards<K, V, UnitWeighter>),
    /// Entries have a deadline or a weight.
    Timed(&'a Shards<K, Timed<V>, StoredWeight>),
}

/// Asks the shards, whatever their entries are.
macro_rules! ask {
    ($engine:expr, |$shards:ident| $question:expr) => {
        match $engine {
            Engine::Bare($shards) => $question,
            Engine::Timed($shards) => $question,
        }
    };
}

impl<K: Hash + Eq + 'static, V> Engine<'_, K, V> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        ask!(self, |shards| shards.len())
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The weight of all entries together. Without a weigher, an entry weighs 1.
    pub fn weight(&self) -> u64 {
        ask!(self, |shards| shards.sum(Cache::weight))
    }

    /// The weight that all entries together may have.
    pub fn capacity(&self) -> u64 {
        ask!(self, |shards| shards.limits.total)
    }

    /// The bytes that the engine takes, without what keys and values point to.
    pub fn memory_used(&self) -> usize {
        ask!(self, |shards| shards.sum(|shard| shard.memory_used().total()))
    }

    /// The number of shards, each with a lock of its own.
    pub fn num_shards(&self) -> usize {
        ask!(self, |shards| shards.shards().len())
    }
}

impl<K: Hash + Eq + 'static, V> fmt::Debug for Engine<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("len", &self.len()).field("shards", &self.num_shards()).finish_non_exhaustive()
    }
}

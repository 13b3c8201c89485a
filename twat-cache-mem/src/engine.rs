use std::fmt;
use std::hash::Hash;

use quick_cache::UnitWeighter;
use quick_cache::unsync::Cache;

use crate::shards::Shards;
use crate::store::Timed;
use crate::weigher::StoredWeight;

/// The engine of a [`MemStore`](crate::MemStore), and what it says about itself.
///
/// ```
/// use quick_cache::unsync::Cache;
/// use twat_cache_mem::{Engine, mcache};
///
/// let square = mcache().wrap(|n: &u64| n * n);
/// square.call(&3);
/// let engine = square.store().cache();
/// assert_eq!((engine.len(), engine.weight()), (1, 1));
/// let Engine::Bare(shards) = engine else { panic!("its entries have deadlines or weights") };
/// assert_eq!(shards.shards().iter().map(|shard| shard.read().len()).sum::<usize>(), 1);
/// ```
pub enum Engine<'a, K, V> {
    /// Entries are values alone.
    Bare(&'a Shards<K, V, UnitWeighter>),
    /// Entries have a deadline or a weight.
    Timed(&'a Shards<K, Timed<V>, StoredWeight>),
}

impl<K: Hash + Eq + 'static, V> Engine<'_, K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bare(shards) => shards.len(),
            Self::Timed(shards) => shards.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all entries weigh together; each 1 if they are not weighed.
    pub fn weight(&self) -> u64 {
        match self {
            Self::Bare(shards) => shards.sum(Cache::weight),
            Self::Timed(shards) => shards.sum(Cache::weight),
        }
    }

    /// What they may weigh together.
    pub fn capacity(&self) -> u64 {
        match self {
            Self::Bare(shards) => shards.limit(),
            Self::Timed(shards) => shards.limit(),
        }
    }

    /// The bytes that the engine takes, without what keys and values point to.
    pub fn memory_used(&self) -> usize {
        match self {
            Self::Bare(shards) => shards.sum(|shard| shard.memory_used().total()),
            Self::Timed(shards) => shards.sum(|shard| shard.memory_used().total()),
        }
    }

    /// Into how many parts it is divided.
    pub fn num_shards(&self) -> usize {
        match self {
            Self::Bare(shards) => shards.shards().len(),
            Self::Timed(shards) => shards.shards().len(),
        }
    }
}

impl<K: Hash + Eq + 'static, V> fmt::Debug for Engine<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("len", &self.len()).field("shards", &self.num_shards()).finish_non_exhaustive()
    }
}

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use quick_cache::Weighter;
use twat_cache_core::{Error, ErrorKind};

use crate::store::Timed;

/// How the entries of a [`MemStore`](crate::MemStore) are weighed: each the same, or by a function.
#[doc(hidden)]
pub trait Weighing<K, V>: Send + Sync {
    /// The weigher, if there is one.
    fn weigher(self) -> Option<Weigher<K, V>>;
}

/// Entries count as one each. What [`mcache`](crate::mcache) starts with.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Unweighed;

impl<K, V> Weighing<K, V> for Unweighed {
    fn weigher(self) -> Option<Weigher<K, V>> {
        None
    }
}

type Weigh<K, V> = dyn Fn(&K, &V) -> u64 + Send + Sync;

/// Entries weigh what a function says, up to a limit for all of them together.
#[doc(hidden)]
pub struct Weigher<K, V> {
    pub(crate) max_weight: u64,
    weigh: Arc<Weigh<K, V>>,
}

impl<K, V> Weigher<K, V> {
    pub(crate) fn new(max_weight: u64, weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        Self { max_weight, weigh: Arc::new(weigh) }
    }

    /// An entry's weight, at least 1: the engine never evicts what weighs nothing.
    ///
    /// It is asked for once per entry, outside the engine's locks, and kept with it: the engine needs the same answer
    /// every time, whatever the function does.
    pub(crate) fn weigh(&self, key: &K, value: &V) -> Result<u64, Error> {
        // The value is computed and must reach the caller, so a panic here may not.
        match catch_unwind(AssertUnwindSafe(|| (self.weigh)(key, value))) {
            Ok(weight) => Ok(weight.max(1)),
            Err(_) => Err(Error::new(ErrorKind::Panicked, "weigh an entry")),
        }
    }
}

impl<K, V> Weighing<K, V> for Weigher<K, V> {
    fn weigher(self) -> Option<Self> {
        Some(self)
    }
}

impl<K, V> fmt::Debug for Weigher<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weigher").field("max_weight", &self.max_weight).finish_non_exhaustive()
    }
}

/// Tells the engine the weight that an entry was stored with.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct StoredWeight;

impl<K, V> Weighter<K, Timed<V>> for StoredWeight {
    fn weight(&self, _: &K, entry: &Timed<V>) -> u64 {
        entry.weight
    }
}

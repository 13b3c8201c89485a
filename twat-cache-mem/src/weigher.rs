//! How the entries of a store are weighed.

use std::fmt;

/// Every entry counts as one.
#[derive(Clone, Copy, Debug)]
pub struct Unweighed;

/// A function tells what an entry weighs, and all entries together have a limit.
pub struct Weigher<K, V> {
    pub(crate) max_weight: u64,
    pub(crate) weigh: Box<Weigh<K, V>>,
    /// Whether the store has several shards, so that one entry may not have all of the weight.
    pub(crate) is_divided: bool,
}

type Weigh<K, V> = dyn Fn(&K, &V) -> u64 + Send + Sync;

impl<K, V> From<Unweighed> for Option<Weigher<K, V>> {
    fn from(_: Unweighed) -> Self {
        None
    }
}

impl<K, V> fmt::Debug for Weigher<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weigher").field("max_weight", &self.max_weight).finish_non_exhaustive()
    }
}

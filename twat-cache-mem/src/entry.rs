//! Values as the engine has them in a store whose entries expire or are weighed.

use std::time::Duration;

use quick_cache::Weighter;

/// A value, its deadline and its weight.
#[derive(Clone, Debug)]
pub struct Timed<V> {
    /// The value itself.
    pub value: V,
    /// When it expires, from the time when the store was made; `None` is never.
    pub deadline: Option<Duration>,
    /// What it weighed when it was stored.
    pub weight: u64,
}

/// Tells the engine the weight that an entry was stored with. The engine needs the same answer every time.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoredWeight;

impl<K, V> Weighter<K, Timed<V>> for StoredWeight {
    fn weight(&self, _: &K, entry: &Timed<V>) -> u64 {
        entry.weight
    }
}

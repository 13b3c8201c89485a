//! How much a store holds, and into how many shards it is divided.

use std::thread;

/// The limits of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) shards: usize,
    /// The limit of the store: a number of entries, or a weight.
    pub(crate) total: u64,
    /// What a shard has when the store is full.
    pub(crate) share: u64,
    /// What all shards together may have above the limit.
    pub(crate) surplus: u64,
    /// About how many entries fit. The engine remembers half as many evicted keys.
    pub(crate) estimate: u64,
    /// The part of a shard that often used entries may fill.
    pub(crate) hot: f64,
}

/// Smaller shards fill too unevenly.
const MIN_SHARD: u64 = 128;

/// The engine adds weights up without a check for overflow.
const MAX_TOTAL: u64 = u64::MAX / 4;

impl Limits {
    /// The limits of a store that is divided into shards, for this many entries or entries of this weight.
    ///
    /// Keys do not spread evenly over shards. If each shard had a fixed part of the limit, some keys would be evicted before
    /// the store is full. So a shard takes any number of entries until the store is full. From then on its limit is what it
    /// has. A shard that has less than its share takes some of the surplus, a sixteenth above the limit.
    ///
    /// When the store is full, a shard takes no entry that weighs more than its limit.
    pub(crate) fn divided(total: u64) -> Self {
        let total = total.min(MAX_TOTAL);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        // The engine's own number, unless that makes the shards too small.
        let most = (processors as u64 * 4).next_power_of_two();
        let shards = ((total / MIN_SHARD + 1).next_power_of_two() / 2).clamp(1, most);
        let surplus = if shards == 1 { 0 } else { total / 16 };
        let share = (total + surplus) / shards;
        Self { shards: usize::try_from(shards).unwrap_or(1), total, share, surplus, estimate: total, hot: 0.97 }
    }

    /// The limits of a store for this weight. It has one shard, because one entry may have all of the weight. Often used
    /// entries may fill it, because the engine takes no entry that is heavier than their part.
    pub(crate) fn whole(max_weight: u64) -> Self {
        let total = max_weight.min(MAX_TOTAL);
        // An evicted key that the engine remembers takes some 64 bytes. If the weight is in bytes, all of them take a
        // sixteenth of it.
        let estimate = (total / 512).max(total.min(1024));
        Self { shards: 1, total, share: total, surplus: 0, estimate, hot: 1.0 }
    }
}

//! How much a store may hold, and into how many shards it is divided.

use std::thread;

/// What a store may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) shards: usize,
    /// By number, or by weight.
    pub(crate) total: u64,
    /// What a shard is to have when the store is full.
    pub(crate) share: u64,
    /// About how many entries; half as many evicted keys are remembered.
    pub(crate) estimate: u64,
    /// The part of a shard that entries may fill which are used often.
    pub(crate) hot: f64,
}

/// Shards smaller than this fill too unevenly.
const MIN_SHARD: u64 = 128;

impl Limits {
    /// For this many entries.
    ///
    /// Keys do not spread evenly over shards. With a fixed part of the limit for each, some keys would be evicted before
    /// the store is full. So a shard takes any number of entries until the store is full. Then its limit is what it has.
    /// A shard that has less than its share takes some of the spare room, a sixteenth above the limit.
    pub(crate) fn by_number(max_entries: usize) -> Self {
        let total = (max_entries as u64).min(MAX_TOTAL);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        // What the engine itself would take, unless that makes them too small.
        let most = (processors as u64 * 4).next_power_of_two();
        let shards = ((total / MIN_SHARD + 1).next_power_of_two() / 2).clamp(1, most);
        let share = (total + total / 16) / shards;
        Self { shards: usize::try_from(shards).unwrap_or(1), total, share, estimate: total, hot: 0.97 }
    }

    /// The room above the limit.
    pub(crate) fn spare(self) -> u64 {
        if self.shards == 1 { 0 } else { self.total / 16 }
    }

    /// For so much weight: in one shard, of which all may be one item's. What is "hot" may fill it too, for the engine
    /// takes nothing that is heavier than that part.
    pub(crate) fn by_weight(max_weight: u64) -> Self {
        let total = max_weight.min(MAX_TOTAL);
        // An evicted key that is remembered takes some 64 bytes. If the weight is in bytes, all of them take a
        // sixteenth of it.
        let estimate = (total / 512).max(total.min(1024));
        Self { shards: 1, total, share: total, estimate, hot: 1.0 }
    }
}

/// The engine adds weights up without looking for overflow.
const MAX_TOTAL: u64 = u64::MAX / 4;

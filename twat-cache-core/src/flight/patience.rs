//! How long to wait for a computation before starting another.
//!
//! A leader can need what one of its waiters holds, and nothing in here can see it: a lock that the caller took around
//! its call, a thread of a pool (a `rayon` worker that waits cannot finish the piece of work that the leader waits for),
//! a runtime that nobody drives. Without a cache these programs end, so with one they must. But a computation may
//! simply be slow, and then a second one helps nobody. So we wait much longer than any computation has taken yet, and
//! after each time in vain twice as long as before.

use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};

/// As long as nothing is known about a function, it may be slow.
const UNKNOWN: Duration = Duration::from_secs(10);
/// So many times what the longest computation took,
const FACTOR: u32 = 8;
/// and at least this.
const LEAST: Duration = Duration::from_secs(2);

/// Among processes nothing is doubled, and to compute a large result in each of them is dear. Who holds nothing that
/// another process may wait for can wait at least this long.
const AMONG_PROCESSES: Duration = Duration::from_secs(60);

/// The longest computation of a memo, in nanoseconds; 0 if there was none.
#[derive(Default)]
pub(super) struct Patience(AtomicU64);

impl Patience {
    fn usual(&self) -> Duration {
        let longest = Duration::from_nanos(self.0.load(Ordering::Relaxed));
        if longest.is_zero() { UNKNOWN } else { longest.saturating_mul(FACTOR).max(LEAST) }
    }

    /// When to stop waiting for a flight that is under way now.
    pub(super) fn deadline(&self, predecessors: u32) -> Option<Instant> {
        Instant::now().checked_add(self.usual().saturating_mul(1 << predecessors.min(20)))
    }

    /// How long to wait for another process.
    pub(super) fn among_processes(&self, within_another: bool) -> Duration {
        if within_another { self.usual() } else { self.usual().max(AMONG_PROCESSES) }
    }

    /// A computation that began then has ended.
    pub(super) fn learn(&self, begun: Instant) {
        let taken = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
        if taken > self.0.load(Ordering::Relaxed) {
            self.0.fetch_max(taken, Ordering::Relaxed);
        }
    }
}

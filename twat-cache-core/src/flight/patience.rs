//! How long a caller waits for another caller's computation before it computes itself.
//!
//! A leader can need something that one of its waiters holds: a lock that the caller took around its call, a thread of
//! a pool (a waiting `rayon` worker cannot finish the work that the leader waits for), or a runtime whose threads are
//! blocked. The memo cannot detect this. Without a cache such a program ends, so with a cache it must end too. But a
//! computation may also just be slow, and then a second computation of the same result is wasted.
//!
//! A wait *fails* if the waiter abandons the flight, and *succeeds* if the computation ends by itself.
//!
//! - The full patience is 8 times the longest computation that ended by itself, and at least 2 s. It is 10 s until a
//!   computation has ended. The user can set it instead. A wait lasts at most the full patience.
//! - A failed wait halves the patience of the memo. A successful wait restores it.
//! - All failed waits together last at most twice the full patience: at most 20 s, unless a computation takes more than
//!   1.25 s. Each successful wait gives back about a thousandth of the full patience, so that a memo in a long-running
//!   program recovers from rare failures.

use std::sync::OnceLock;
// Not the model checker's atomics: these values do not change a schedule.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The full patience before any computation of the function has ended: the function may be slow.
const UNKNOWN: Duration = Duration::from_secs(10);
/// The full patience is this many times the longest computation.
const FACTOR: u32 = 8;
/// The least full patience, for fast functions.
const LEAST: Duration = Duration::from_secs(2);
/// A failed wait does not halve the patience below this.
const FLOOR: Duration = Duration::from_millis(10);

/// The patience of a memo.
pub(super) struct Patience {
    /// The full patience that the user has set.
    given: Option<Duration>,
    /// The longest computation, in nanoseconds; 0 if none has ended yet.
    longest: AtomicU64,
    /// [`Shares`] as a number.
    shares: AtomicU64,
}

/// Shares of the full patience, in units of 1/[`FULL`].
#[derive(Clone, Copy)]
struct Shares {
    /// The share that the next wait may last.
    next: u32,
    /// The share that failed waits have lasted together.
    spent: u32,
}

const FULL: u32 = 1024;

impl Shares {
    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    fn from_number(number: u64) -> Self {
        Self { next: number as u32, spent: (number >> 32) as u32 }
    }

    fn to_number(self) -> u64 {
        u64::from(self.spent) << 32 | u64::from(self.next)
    }
}

/// The number of waits in this process that ended without a result, because a flight was abandoned or a claim failed.
static FAILED_WAITS: AtomicU64 = AtomicU64::new(0);

pub(super) fn count_failed_wait() {
    FAILED_WAITS.fetch_add(1, Ordering::SeqCst);
}

/// The duration of a computation.
///
/// A duration does not count if any wait of the process failed meanwhile: the computation may have waited for the same
/// lock.
#[derive(Default)]
pub(super) struct Timing {
    /// The start, by [`now`]; 0 if the computation is not running.
    start: AtomicU64,
    /// The duration in nanoseconds; 0 if the computation has not ended, or if its duration does not count.
    duration: AtomicU64,
    /// The number of failed waits at the start.
    failed_waits: AtomicU64,
}

impl Timing {
    pub(super) fn begin(&self) {
        self.start.store(now(), Ordering::Relaxed);
        self.failed_waits.store(FAILED_WAITS.load(Ordering::SeqCst), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        let start = self.start.swap(0, Ordering::Relaxed);
        if self.failed_waits.load(Ordering::Relaxed) == FAILED_WAITS.load(Ordering::SeqCst) {
            self.duration.store((now() - start).max(1), Ordering::Relaxed);
        }
    }

    /// Drops the duration, because it is not that of a computation.
    pub(super) fn discard(&self) {
        self.duration.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_running(&self) -> bool {
        self.start.load(Ordering::Relaxed) != 0
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        let duration = self.duration.load(Ordering::Relaxed);
        (duration != 0).then(|| Duration::from_nanos(duration))
    }
}

/// Nanoseconds since the first computation of the process; never 0.
pub(super) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
}

impl Patience {
    pub(super) fn new(given: Option<Duration>) -> Self {
        Self { given, longest: AtomicU64::new(0), shares: AtomicU64::new(u64::from(FULL)) }
    }

    fn full(&self) -> Duration {
        let longest = Duration::from_nanos(self.longest.load(Ordering::Relaxed));
        let default = if longest.is_zero() { UNKNOWN } else { longest.saturating_mul(FACTOR).max(LEAST) };
        self.given.unwrap_or(default)
    }

    /// The longest time that a wait may last now.
    pub(super) fn current(&self) -> Duration {
        let (full, next) = (self.full(), Shares::from_number(self.shares.load(Ordering::Relaxed)).next);
        full.saturating_mul(next).checked_div(FULL).unwrap_or(full).max(FLOOR.min(full))
    }

    /// The end of a wait that began at `start`, by the current patience; `None` if the clock cannot express it.
    pub(super) fn deadline(&self, start: Instant) -> Option<Instant> {
        start.checked_add(self.current())
    }

    /// Records a failed wait. Returns whether the patience is shorter now.
    pub(super) fn record_failed_wait(&self) -> bool {
        let before = self.update(|Shares { next, spent }| {
            let spent = (spent + next).min(2 * FULL);
            Shares { next: (next / 2).min(2 * FULL - spent).max(1), spent }
        });
        before.next > 1
    }

    /// Records a successful wait.
    pub(super) fn record_successful_wait(&self) {
        self.update(|Shares { spent, .. }| {
            let spent = spent.saturating_sub(1);
            Shares { next: FULL.min(2 * FULL - spent).max(1), spent }
        });
    }

    /// Returns the shares before the update.
    fn update(&self, update: impl Fn(Shares) -> Shares) -> Shares {
        let update = |shares| Some(update(Shares::from_number(shares)).to_number());
        let (Ok(before) | Err(before)) = self.shares.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        Shares::from_number(before)
    }

    /// Records the duration of a computation that ended by itself.
    pub(super) fn record_duration(&self, duration: Duration) {
        let duration = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1);
        // Most durations are not the longest, and a load is cheaper than `fetch_max`.
        if duration > self.longest.load(Ordering::Relaxed) {
            self.longest.fetch_max(duration, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_wait_lasts_ten_seconds_at_first_and_eight_times_the_longest_computation_later() {
        let patience = Patience::new(None);
        assert_eq!(patience.current(), 10 * SECOND);
        patience.record_duration(Duration::from_millis(1));
        assert_eq!(patience.current(), 2 * SECOND);
        patience.record_duration(SECOND);
        patience.record_duration(Duration::from_millis(1));
        assert_eq!(patience.current(), 8 * SECOND);
        assert_eq!(Patience::new(Some(SECOND)).current(), SECOND);
        assert_eq!(Patience::new(Some(Duration::ZERO)).current(), Duration::ZERO);
        assert!(Patience::new(Some(Duration::MAX)).current() > Duration::from_secs(1 << 40));
    }

    #[test]
    fn failed_waits_take_at_most_twenty_seconds_together() {
        let patience = Patience::new(None);
        let mut total = Duration::ZERO;
        while patience.current() > FLOOR {
            total += patience.current();
            patience.record_failed_wait();
        }
        assert!(total <= 20 * SECOND && total > 19 * SECOND, "{total:?}");
    }

    #[test]
    fn a_successful_wait_restores_patience_within_the_total() {
        let patience = Patience::new(None);
        let mut total = Duration::ZERO;
        for _ in 0..1000 {
            total += patience.current();
            patience.record_failed_wait();
            patience.record_successful_wait();
        }
        assert!(total <= 40 * SECOND, "each success gives back a thousandth: {total:?}");
        let patience = Patience::new(None);
        patience.record_failed_wait();
        assert_eq!(patience.current(), 5 * SECOND);
        patience.record_successful_wait();
        assert_eq!(patience.current(), 10 * SECOND);
    }
}

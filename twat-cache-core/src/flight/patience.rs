//! How long a caller waits for another's computation before it computes by itself.
//!
//! A leader can need what one of its waiters holds, and nothing in here can see it: a lock that the caller took around
//! its call, a thread of a pool (a `rayon` worker that waits cannot finish the piece of work that the leader waits for),
//! a runtime that its own threads block. Without a cache these programs end, so with one they must. But a computation may
//! simply be slow, and then a second one helps nobody.
//!
//! So a wait ends after 8 times the longest computation that ended by itself. Each wait in vain halves that, for the whole
//! memo, and a wait that was worth it restores it. What waits in vain may cost altogether is bounded all the same: no more
//! than twice the patience that the memo began with, so at most 20 s as long as no computation takes more than 1.25 s. A wait
//! that was worth it pays back a thousandth, so that a memo that lives for long recovers from some unlucky ones.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, thread_local};

/// As long as nothing is known about a function, it may be slow.
const UNKNOWN: Duration = Duration::from_secs(10);
/// A wait lasts at most this many times the longest computation,
const FACTOR: u32 = 8;
/// and at most this if that is less.
const LEAST: Duration = Duration::from_secs(2);
/// It is never halved below this.
const FLOOR: Duration = Duration::from_millis(10);

/// The patience of a memo.
pub(super) struct Patience {
    /// What its user has said.
    given: Option<Duration>,
    /// The longest computation, in nanoseconds; 0 if none has ended yet.
    longest: AtomicU64,
    shares: Mutex<Shares>,
}

/// Parts of the whole patience, in [`WHOLE`]ths.
#[derive(Clone, Copy)]
struct Shares {
    /// How much of it the next wait may take.
    next: u32,
    /// How much of it waits in vain have taken.
    spent: u32,
}

const WHOLE: u32 = 1024;

thread_local! {
    /// How many waits have been in vain on this thread: a computation that contains one was held up, and its duration says
    /// nothing.
    static IN_VAIN: Cell<u64> = const { Cell::new(0) };
}

/// The number of waits in vain on this thread so far.
pub(super) fn in_vain() -> u64 {
    IN_VAIN.try_with(Cell::get).unwrap_or(0)
}

/// Notes one more.
pub(super) fn held_up() {
    let _ = IN_VAIN.try_with(|count| count.set(count.get() + 1));
}

impl Patience {
    pub(super) fn new(given: Option<Duration>) -> Self {
        Self { given, longest: AtomicU64::new(0), shares: Mutex::new(Shares { next: WHOLE, spent: 0 }) }
    }

    fn whole(&self) -> Duration {
        let longest = Duration::from_nanos(self.longest.load(Ordering::Relaxed));
        let usual = if longest.is_zero() { UNKNOWN } else { longest.saturating_mul(FACTOR).max(LEAST) };
        self.given.unwrap_or(usual)
    }

    /// How long a wait may last at present.
    pub(super) fn current(&self) -> Duration {
        let (whole, next) = (self.whole(), self.shares.lock().next);
        whole.saturating_mul(next).checked_div(WHOLE).unwrap_or(whole).max(FLOOR.min(whole))
    }

    /// When a wait that began then has to end, by what is known now.
    pub(super) fn deadline(&self, begun: Instant) -> Option<Instant> {
        begun.checked_add(self.current())
    }

    /// A wait has ended without what was waited for.
    pub(super) fn note_in_vain(&self) {
        let mut shares = self.shares.lock();
        let spent = (shares.spent + shares.next).min(2 * WHOLE);
        *shares = Shares { next: (shares.next / 2).min(2 * WHOLE - spent).max(1), spent };
    }

    /// Callers have waited for a computation, and it has ended by itself.
    pub(super) fn note_worth_it(&self) {
        let mut shares = self.shares.lock();
        let spent = shares.spent.saturating_sub(1);
        *shares = Shares { next: WHOLE.min(2 * WHOLE - spent).max(1), spent };
    }

    /// A computation has ended by itself.
    pub(super) fn learn(&self, taken: Duration) {
        let taken = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX).max(1);
        if taken > self.longest.load(Ordering::Relaxed) {
            self.longest.fetch_max(taken, Ordering::Relaxed);
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
        patience.learn(Duration::from_millis(1));
        assert_eq!(patience.current(), 2 * SECOND);
        patience.learn(SECOND);
        patience.learn(Duration::from_millis(1));
        assert_eq!(patience.current(), 8 * SECOND);
        assert_eq!(Patience::new(Some(SECOND)).current(), SECOND);
        assert_eq!(Patience::new(Some(Duration::ZERO)).current(), Duration::ZERO);
        assert!(Patience::new(Some(Duration::MAX)).current() > Duration::from_secs(1 << 40));
    }

    #[test]
    fn waits_in_vain_take_twenty_seconds_altogether() {
        let patience = Patience::new(None);
        let mut total = Duration::ZERO;
        while patience.current() > FLOOR {
            total += patience.current();
            patience.note_in_vain();
        }
        assert!(total <= 20 * SECOND && total > 19 * SECOND, "{total:?}");
    }

    #[test]
    fn a_wait_that_was_worth_it_restores_patience_as_far_as_the_total_allows() {
        let patience = Patience::new(None);
        let mut total = Duration::ZERO;
        for _ in 0..1000 {
            total += patience.current();
            patience.note_in_vain();
            patience.note_worth_it();
        }
        assert!(total <= 40 * SECOND, "a thousandth is paid back each time: {total:?}");
        let patience = Patience::new(None);
        patience.note_in_vain();
        assert_eq!(patience.current(), 5 * SECOND);
        patience.note_worth_it();
        assert_eq!(patience.current(), 10 * SECOND);
    }
}

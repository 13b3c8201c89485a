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

use std::sync::OnceLock;
// Not the model's: what these say changes no schedule.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
    /// See [`Shares`], of which `next` is the lower half.
    shares: AtomicU64,
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

impl Shares {
    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    fn of(number: u64) -> Self {
        Self { next: number as u32, spent: (number >> 32) as u32 }
    }

    fn to_number(self) -> u64 {
        u64::from(self.spent) << 32 | u64::from(self.next)
    }
}

/// How many waits have been in vain in this process.
static IN_VAIN: AtomicU64 = AtomicU64::new(0);

/// Notes one more.
pub(super) fn held_up() {
    IN_VAIN.fetch_add(1, Ordering::SeqCst);
}

/// The time of a computation. During a wait in vain, on whatever thread, it may have been held up as well: by the lock that the
/// waiter held, for one. Then its duration says nothing.
#[derive(Default)]
pub(super) struct Timing {
    /// When it began, by [`now`]; 0 if it is not running.
    begun: AtomicU64,
    /// How long it took; 0 if it has not ended, or was held up.
    taken: AtomicU64,
    /// How many waits were in vain before.
    in_vain: AtomicU64,
}

impl Timing {
    pub(super) fn begin(&self) {
        self.begun.store(now(), Ordering::Relaxed);
        self.in_vain.store(IN_VAIN.load(Ordering::SeqCst), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        let begun = self.begun.swap(0, Ordering::Relaxed);
        if self.in_vain.load(Ordering::Relaxed) == IN_VAIN.load(Ordering::SeqCst) {
            self.taken.store((now() - begun).max(1), Ordering::Relaxed);
        }
    }

    /// What ran was no computation.
    pub(super) fn forget(&self) {
        self.taken.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_running(&self) -> bool {
        self.begun.load(Ordering::Relaxed) != 0
    }

    pub(super) fn taken(&self) -> Option<Duration> {
        let taken = self.taken.load(Ordering::Relaxed);
        (taken != 0).then(|| Duration::from_nanos(taken))
    }
}

/// Nanoseconds since the first computation; never 0.
pub(super) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(1)
}

impl Patience {
    pub(super) fn new(given: Option<Duration>) -> Self {
        Self { given, longest: AtomicU64::new(0), shares: AtomicU64::new(u64::from(WHOLE)) }
    }

    fn whole(&self) -> Duration {
        let longest = Duration::from_nanos(self.longest.load(Ordering::Relaxed));
        let usual = if longest.is_zero() { UNKNOWN } else { longest.saturating_mul(FACTOR).max(LEAST) };
        self.given.unwrap_or(usual)
    }

    /// How long a wait may last at present.
    pub(super) fn current(&self) -> Duration {
        let (whole, next) = (self.whole(), Shares::of(self.shares.load(Ordering::Relaxed)).next);
        whole.saturating_mul(next).checked_div(WHOLE).unwrap_or(whole).max(FLOOR.min(whole))
    }

    /// When a wait that began then has to end, by what is known now.
    pub(super) fn deadline(&self, begun: Instant) -> Option<Instant> {
        begun.checked_add(self.current())
    }

    /// A wait has ended without what was waited for; says whether there is less patience now.
    pub(super) fn note_in_vain(&self) -> bool {
        let before = self.change(|Shares { next, spent }| {
            let spent = (spent + next).min(2 * WHOLE);
            Shares { next: (next / 2).min(2 * WHOLE - spent).max(1), spent }
        });
        before.next > 1
    }

    /// Callers have waited for a computation, and it has ended by itself.
    pub(super) fn note_worth_it(&self) {
        self.change(|Shares { spent, .. }| {
            let spent = spent.saturating_sub(1);
            Shares { next: WHOLE.min(2 * WHOLE - spent).max(1), spent }
        });
    }

    /// Gives what was there before.
    fn change(&self, change: impl Fn(Shares) -> Shares) -> Shares {
        let changed = |shares| Some(change(Shares::of(shares)).to_number());
        let (Ok(before) | Err(before)) = self.shares.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
        Shares::of(before)
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

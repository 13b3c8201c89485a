use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Where a store reads the time from: the system's monotonic clock, or a [`ManualClock`] in tests.
///
/// Stores read it only for entries that have a deadline.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Hand>>);

struct Hand {
    start: Instant,
    /// The same moment, in nanoseconds since 1970.
    wall: u64,
    nanos: AtomicU64,
}

impl Clock {
    /// The system's clock; the default.
    pub const fn system() -> Self {
        Self(None)
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(hand) => hand.start + Duration::from_nanos(hand.nanos.load(Ordering::Acquire)),
        }
    }

    /// The present moment by the wall clock, in nanoseconds since 1970: for deadlines that outlive the process.
    ///
    /// In the years before 1970 it stands at 0, and from 2554 on at its end.
    pub fn since_1970(&self) -> u64 {
        match &self.0 {
            None => {
                SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
            }
            Some(hand) => hand.wall.saturating_add(hand.nanos.load(Ordering::Acquire)),
        }
    }

    /// The moment in so much time, as [`since_1970`](Self::since_1970) has it; 0, for never, if that is out of its range.
    pub fn since_1970_in(&self, time: Duration) -> u64 {
        let time = u64::try_from(time.as_nanos()).ok();
        time.and_then(|time| self.since_1970().checked_add(time)).unwrap_or(0)
    }

    /// The moment at which something that is made now and lives for `ttl` expires; `None` is never.
    ///
    /// A TTL too long for the clock to express is never, too.
    pub fn deadline(&self, ttl: Option<Duration>) -> Option<Instant> {
        self.now().checked_add(ttl?)
    }

    /// How long it is until `deadline`; `None` if it has come.
    pub fn remaining(&self, deadline: Instant) -> Option<Duration> {
        deadline.checked_duration_since(self.now()).filter(|left| !left.is_zero())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(manual)" } else { "Clock(system)" })
    }
}

/// A clock that stands still until it is moved by hand, for tests of anything that expires.
///
/// ```
/// use std::time::Duration;
/// use twat_cache_core::ManualClock;
///
/// let hand = ManualClock::new();
/// let clock = hand.clock();
/// let before = clock.now();
/// hand.advance(Duration::from_secs(60));
/// assert_eq!(clock.now() - before, Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Clock);

impl ManualClock {
    /// A clock that stands at the present moment.
    pub fn new() -> Self {
        let (start, wall) = (Instant::now(), Clock::system().since_1970());
        Self(Clock(Some(Arc::new(Hand { start, wall, nanos: AtomicU64::new(0) }))))
    }

    /// The clock to hand to a store; all of them move together.
    pub fn clock(&self) -> Clock {
        self.0.clone()
    }

    /// Moves the clock on. It stops at some 584 years.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        if let Some(hand) = &self.0.0 {
            let moved = |nanos: u64| Some(nanos.saturating_add(by));
            // `moved` never refuses, so this cannot fail.
            let _ = hand.nanos.fetch_update(Ordering::AcqRel, Ordering::Acquire, moved);
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

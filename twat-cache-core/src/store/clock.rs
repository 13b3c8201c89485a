use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The clock that a store reads: the system's clocks, or a [`ManualClock`] in tests.
///
/// Stores read it only for entries that expire.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Manual>>);

struct Manual {
    start: Instant,
    /// The same time as `start`, in nanoseconds since 1970.
    wall_start: u64,
    /// The time since `start`, in nanoseconds.
    advanced: AtomicU64,
}

impl Clock {
    /// The system's clocks; the default.
    pub const fn system() -> Self {
        Self(None)
    }

    /// The current time, by the monotonic clock.
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(manual) => manual.start + Duration::from_nanos(manual.advanced.load(Ordering::Acquire)),
        }
    }

    /// The current time by the wall clock, in nanoseconds since 1970, for deadlines that outlive the process.
    ///
    /// It is 0 before 1970, and `u64::MAX` from the year 2554 on.
    pub fn since_1970(&self) -> u64 {
        match &self.0 {
            None => {
                SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
            }
            Some(manual) => manual.wall_start.saturating_add(manual.advanced.load(Ordering::Acquire)),
        }
    }

    /// The time at which an entry with this TTL expires if it is stored now; `None` if it never expires.
    ///
    /// An entry with a TTL that exceeds the range of the clock never expires.
    pub fn deadline(&self, ttl: Option<Duration>) -> Option<Instant> {
        self.now().checked_add(ttl?)
    }

    /// The time until `deadline`; `None` if it has passed.
    pub fn remaining(&self, deadline: Instant) -> Option<Duration> {
        deadline.checked_duration_since(self.now()).filter(|time| !time.is_zero())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Clock(manual)" } else { "Clock(system)" })
    }
}

/// A clock that moves only when a test advances it.
///
/// ```
/// use std::time::Duration;
/// use twat_cache_core::ManualClock;
///
/// let manual = ManualClock::new();
/// let clock = manual.clock();
/// let before = clock.now();
/// manual.advance(Duration::from_secs(60));
/// assert_eq!(clock.now() - before, Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Clock);

impl ManualClock {
    /// Makes a clock that shows the current time.
    pub fn new() -> Self {
        let (start, wall_start) = (Instant::now(), Clock::system().since_1970());
        Self(Clock(Some(Arc::new(Manual { start, wall_start, advanced: AtomicU64::new(0) }))))
    }

    /// Returns a clock for a store. All clocks of one `ManualClock` show the same time.
    pub fn clock(&self) -> Clock {
        self.0.clone()
    }

    /// Advances the clock. The sum of all advances stops at about 584 years.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        if let Some(manual) = &self.0.0 {
            let advance = |nanos: u64| Some(nanos.saturating_add(by));
            // `advance` always returns `Some`, so this cannot fail.
            let _ = manual.advanced.fetch_update(Ordering::AcqRel, Ordering::Acquire, advance);
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

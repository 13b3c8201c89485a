use std::time::Duration;

use super::clock::Clock;

/// How long entries stay valid, and by which clock. By default they never expire, and the clock is the system's.
///
/// Deadlines are in nanoseconds since 1970. The deadline 0 means that an entry never expires.
///
/// ```
/// use std::time::Duration;
/// use twat_cache_core::{Expiry, ManualClock};
///
/// let manual = ManualClock::new();
/// let expiry = Expiry { ttl: Some(Duration::from_secs(60)), clock: manual.clock() };
/// let deadline = expiry.deadline(None);
/// assert!(expiry.allows(deadline));
/// manual.advance(Duration::from_secs(60));
/// assert!(!expiry.allows(deadline));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Expiry {
    /// The longest time for which an entry stays valid; `None` if entries never expire.
    pub ttl: Option<Duration>,
    /// The clock that deadlines refer to.
    pub clock: Clock,
}

impl Expiry {
    /// The deadline of an entry that is stored now with this TTL. The shorter of `ttl` and the own TTL counts.
    pub fn deadline(&self, ttl: Option<Duration>) -> u64 {
        self.within(ttl).map_or(0, |ttl| self.after(ttl))
    }

    /// The shorter of `ttl` and the own TTL; `None` if both are `None`.
    pub fn within(&self, ttl: Option<Duration>) -> Option<Duration> {
        self.ttl.into_iter().chain(ttl).min()
    }

    /// Returns whether an entry with this deadline is valid. Reads the clock only if there is a deadline or a TTL.
    ///
    /// An entry is not valid after its deadline. It is not valid either if its deadline is later than that of an entry
    /// that is stored now: then the TTL was longer when the entry was stored, or the clock was set back since.
    #[inline]
    pub fn allows(&self, deadline: u64) -> bool {
        if deadline != 0 && deadline <= self.clock.since_1970() {
            return false;
        }
        let latest = self.ttl.map_or(0, |ttl| self.after(ttl));
        latest == 0 || (deadline != 0 && deadline <= latest)
    }

    /// The deadline `time` from now; 0 if it exceeds the range of the clock.
    fn after(&self, time: Duration) -> u64 {
        let time = u64::try_from(time.as_nanos()).ok();
        time.and_then(|time| self.clock.since_1970().checked_add(time)).unwrap_or(0)
    }

    /// The time until this deadline; zero if it has passed, and `None` if the entry never expires.
    pub fn left(&self, deadline: u64) -> Option<Duration> {
        (deadline != 0).then(|| Duration::from_nanos(deadline.saturating_sub(self.clock.since_1970())))
    }
}

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
/// let expiry = Expiry { ttl: Some(Duration::from_secs(60)), clock: manual.clock(), ..Expiry::default() };
/// let deadline = expiry.deadline(None);
/// assert!(expiry.allows(deadline));
/// manual.advance(Duration::from_secs(60));
/// assert!(!expiry.allows(deadline));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Expiry {
    /// How long an entry is fresh; `None` if entries never expire.
    pub ttl: Option<Duration>,
    /// How long an entry stays valid after its TTL, see [`Store::stale`](crate::Store::stale).
    pub stale: Option<Duration>,
    /// The clock that deadlines refer to.
    pub clock: Clock,
}

/// The bit of a deadline that says that the entry has a TTL of its own. The clocks of systems are not that exact.
const OWN: u64 = 1;

impl Expiry {
    /// The deadline of an entry that is stored now, with this TTL of its own or with the TTL of all entries.
    pub fn deadline(&self, ttl: Option<Duration>) -> u64 {
        match ttl {
            // Rounded down, so that the entry does not outlive its TTL.
            Some(ttl) => self.clock.since_1970().saturating_add(nanoseconds(ttl)).saturating_sub(1) | OWN,
            None => self.lifetime().map_or(0, |ttl| Self::latest(self.clock.since_1970(), ttl)),
        }
    }

    /// How long an entry without a TTL of its own stays valid; `None` if it never expires.
    #[inline]
    pub fn lifetime(&self) -> Option<Duration> {
        let stale = self.stale.unwrap_or_default();
        self.ttl.map(|ttl| if ttl.is_zero() { ttl } else { ttl.saturating_add(stale) })
    }

    /// How long an entry stays valid that has this TTL of its own or none.
    pub fn of_entry(&self, ttl: Option<Duration>) -> Option<Duration> {
        ttl.or_else(|| self.lifetime())
    }

    /// Returns whether an entry with this deadline is valid. Reads the clock only if there is a deadline or a TTL.
    ///
    /// An entry is not valid after its deadline. Without a TTL of its own, it is not valid either if its deadline is later
    /// than that of an entry that is stored now: then the TTL was longer when the entry was stored, or the clock was set
    /// back since.
    #[inline]
    pub fn allows(&self, deadline: u64) -> bool {
        let Some(ttl) = self.lifetime() else { return deadline == 0 || deadline > self.clock.since_1970() };
        let now = self.clock.since_1970();
        let latest = if deadline & OWN == OWN { u64::MAX } else { Self::latest(now, ttl) };
        latest == 0 || (deadline > now && deadline <= latest)
    }

    /// Returns whether an entry with this deadline is valid and not [stale](crate::Store::stale).
    pub fn is_fresh(&self, deadline: u64) -> bool {
        let stale = self.stale.unwrap_or_default();
        self.allows(deadline) && self.left(deadline).is_none_or(|left| left > stale)
    }

    /// The deadline of an entry without a TTL of its own that is stored now; 0 if it exceeds the range of the clock.
    fn latest(now: u64, ttl: Duration) -> u64 {
        now.checked_add(nanoseconds(ttl)).map_or(0, |deadline| deadline & !OWN)
    }

    /// The time until this deadline; zero if it has passed, and `None` if the entry never expires.
    pub fn left(&self, deadline: u64) -> Option<Duration> {
        (deadline != 0).then(|| Duration::from_nanos(deadline.saturating_sub(self.clock.since_1970())))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

use std::time::Duration;

use super::clock::Clock;

/// How long entries live, and by which clock. By default for ever, and by the system's.
///
/// ```
/// use std::time::Duration;
/// use twat_cache_core::{Expiry, ManualClock};
///
/// let hand = ManualClock::new();
/// let expiry = Expiry { ttl: Some(Duration::from_secs(60)), clock: hand.clock() };
/// let deadline = expiry.deadline(None);
/// assert!(expiry.allows(deadline));
/// hand.advance(Duration::from_secs(60));
/// assert!(!expiry.allows(deadline));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Expiry {
    /// How long at the most; `None` is for ever.
    pub ttl: Option<Duration>,
    /// The clock that deadlines go by.
    pub clock: Clock,
}

impl Expiry {
    /// When an entry expires that is stored now, for `time` at the most: in nanoseconds since 1970, and 0 for never.
    pub fn deadline(&self, time: Option<Duration>) -> u64 {
        self.within(time).map_or(0, |time| self.clock.since_1970_in(time))
    }

    /// The time that an entry gets which is stored for `time` at the most.
    pub fn within(&self, time: Option<Duration>) -> Option<Duration> {
        self.ttl.into_iter().chain(time).min()
    }

    /// Whether an entry with this deadline may be given out. Reads the clock only if there is a deadline or a TTL.
    ///
    /// Not if its time has come, and not if an entry stored by now cannot have such a deadline: then it was stored under a
    /// longer TTL, or by a clock that was set back since.
    #[inline]
    pub fn allows(&self, deadline: u64) -> bool {
        (deadline == 0 || self.clock.since_1970() < deadline) && self.ttl.is_none_or(|ttl| self.can_be(ttl, deadline))
    }

    fn can_be(&self, ttl: Duration, deadline: u64) -> bool {
        let latest = self.clock.since_1970_in(ttl);
        latest == 0 || (deadline != 0 && deadline <= latest)
    }

    /// The time that an entry with this deadline has left; `None` is for ever.
    pub fn left(&self, deadline: u64) -> Option<Duration> {
        (deadline != 0).then(|| Duration::from_nanos(deadline.saturating_sub(self.clock.since_1970())))
    }
}

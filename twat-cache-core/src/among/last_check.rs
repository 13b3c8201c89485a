//! Checks that need not be made each time.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// When something was last checked and was as it should be.
#[derive(Debug, Default)]
pub struct LastCheck(AtomicU64);

/// For how many nanoseconds after a check a file counts as unchanged: about the time that it takes to open and change it.
pub const AT_ONCE: u64 = 5_000;

impl LastCheck {
    /// Whether the last check was at most `interval` nanoseconds ago, or this one passes.
    #[inline]
    pub fn passes(&self, now: u64, interval: u64, check: impl FnOnce() -> bool) -> bool {
        if now.wrapping_sub(self.0.load(Ordering::Relaxed)) <= interval {
            return true;
        }
        let is_passed = check();
        if is_passed {
            self.0.store(now, Ordering::Relaxed);
        }
        is_passed
    }
}

/// Nanoseconds on a clock of this process.
#[inline]
pub fn uptime() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

//! How long a statement waits for another process.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use twat_cache_core::among::last_check::uptime;

thread_local! {
    /// When the waits of this thread end, as [`uptime`] counts.
    static END: Cell<u64> = const { Cell::new(0) };
}

/// The waits of this thread end this many nanoseconds from `now`.
pub(crate) fn wait_until(now: u64, patience: u64) {
    END.set(now + patience);
}

/// What SQLite calls as long as the database is busy, with the number of calls before. It goes on waiting if this returns true.
pub(crate) fn handler(before: i32) -> bool {
    let now = uptime();
    if now >= END.get() {
        return false;
    }
    // From 50 µs to 1 ms. The pauses of two processes differ, so that they do not meet again and again.
    let longest = 50_u64 << before.clamp(0, 4);
    let jitter = (now >> 4) % longest;
    thread::sleep(Duration::from_micros((50 + jitter).min(1000)));
    true
}

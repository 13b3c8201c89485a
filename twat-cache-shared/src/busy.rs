//! How long a statement waits for another process.

use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use twat_cache_core::among::last_check::uptime;
use twat_cache_core::among::system;

/// How long to wait for another process, in nanoseconds, and at least, after many waits in vain.
const LONGEST: u64 = 200_000_000;
const LEAST: u64 = 1_000_000;

/// How long to wait. Waits in vain get shorter. If a process has stopped, they cost little in all.
pub(crate) struct Patience(AtomicU64);

impl Patience {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(LONGEST))
    }

    /// The waits of this thread end that long from now.
    pub(crate) fn begin(&self) {
        END.set(uptime() + self.0.load(Ordering::Relaxed));
    }

    /// Notes whether a wait was in vain.
    pub(crate) fn end(&self, is_in_vain: bool) {
        let last = self.0.load(Ordering::Relaxed);
        let next = if is_in_vain { (last / 2).max(LEAST) } else { LONGEST };
        if next != last {
            self.0.store(next, Ordering::Relaxed);
        }
    }
}

/// Where SQLite locks the index of the log while it writes to the log.
const WRITING: &str = "120";

/// Whether no process has stopped while it writes to the log whose index has this number, as far as the system tells.
pub(crate) fn is_writer_running(index: u64) -> bool {
    let end = format!(":{index}");
    fs::read_to_string("/proc/locks").is_ok_and(|locks| {
        locks.lines().all(|lock| match *lock.split_whitespace().collect::<Vec<_>>() {
            [_, "POSIX", _, "WRITE", process, file, WRITING, _] if file.ends_with(&end) => {
                !process.parse().is_ok_and(system::is_stopped)
            }
            _ => true,
        })
    })
}

thread_local! {
    /// When the waits of this thread end, as [`uptime`] counts.
    static END: Cell<u64> = const { Cell::new(0) };
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

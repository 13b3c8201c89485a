use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::{Error, ErrorKind};

/// Logs the first error of each kind at `warn`, and later errors at `debug`.
///
/// A broken disk fails every call, and a user wants one line about it. So [`Io`](ErrorKind::Io),
/// [`Full`](ErrorKind::Full) and [`Poisoned`](ErrorKind::Poisoned) count as one kind here.
#[derive(Debug, Default)]
pub struct WarnOnce(AtomicU32);

impl WarnOnce {
    /// Makes a logger that has not logged any error yet.
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Logs `error` with all its sources, and `instead`: what the caller does instead.
    #[cold]
    pub fn warn(&self, error: &Error, instead: impl fmt::Display) {
        let kind = match error.kind() {
            // A full disk causes errors of all three kinds, but should cause one warning.
            ErrorKind::Full | ErrorKind::Poisoned => ErrorKind::Io,
            kind => kind,
        };
        let bit = 1 << (kind as u32);
        let first = self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        let level = if first { log::Level::Warn } else { log::Level::Debug };
        // The logger and the error's `Display` are the user's code, so they may panic.
        let log = || log::log!(target: "twat_cache", level, "{}; {instead}", error.chain());
        let _ = catch_unwind(AssertUnwindSafe(log));
    }
}

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::{Error, ErrorKind};

/// Logs the first error of each kind at `warn`, later ones at `debug`.
///
/// What the system refuses counts as one kind, whether there is no room, no right, or an engine that gave up over it.
///
/// A broken disk fails every call; one line is what a user wants to read about it.
#[derive(Debug, Default)]
pub struct WarnOnce(AtomicU32);

impl WarnOnce {
    /// Nothing logged yet.
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Logs `error` with all its sources, and `instead`: what happens in place of what failed.
    #[cold]
    pub fn warn(&self, error: &Error, instead: impl fmt::Display) {
        let kind = match error.kind() {
            // A full disk is met as one of these, then as another: one fault, one warning.
            ErrorKind::Full | ErrorKind::Poisoned => ErrorKind::Io,
            kind => kind,
        };
        let bit = 1 << (kind as u32);
        let first = self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        let level = if first { log::Level::Warn } else { log::Level::Debug };
        // A logger, and an error's text, are the user's code.
        let log = || log::log!(target: "twat_cache", level, "{}; {instead}", error.chain());
        let _ = catch_unwind(AssertUnwindSafe(log));
    }
}

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Error;

/// Logs the first error of each kind at `warn`, later ones at `debug`.
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
        let bit = 1 << (error.kind() as u32);
        let first = self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        let level = if first { log::Level::Warn } else { log::Level::Debug };
        log::log!(target: "twat_cache", level, "{}; {instead}", error.chain());
    }
}

//! A part of a file that one process at a time may work on.

use std::fs::File;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for another process: what it does takes microseconds, or until the system lets it go on. One that takes
/// longer is stopped.
const PATIENCE: Duration = Duration::from_millis(200);
/// How soon to ask again: no system lets us wait for a lock on a part of a file and give up after a while.
const PAUSE: Duration = Duration::from_micros(100);

/// Keeps other processes from a part of a file until it is dropped; the threads of this one, the caller does.
pub(crate) struct Region<'a> {
    file: &'a File,
    at: u64,
    len: u64,
    state: State,
}

enum State {
    Locked,
    /// Another process has it, and does not go on.
    Taken,
    /// Where parts of files cannot be locked.
    Unlockable,
}

impl<'a> Region<'a> {
    pub(crate) fn lock(file: &'a File, at: u64, len: u64) -> Self {
        let begun = Instant::now();
        let mut attempt = 0;
        let state = loop {
            match lock(file, at, len, true) {
                Ok(true) => break State::Locked,
                Ok(false) if begun.elapsed() < PATIENCE => {}
                Ok(false) => break State::Taken,
                Err(_) => break State::Unlockable,
            }
            // Not to be in the way of the process that has it.
            if attempt < 10 {
                thread::yield_now();
            } else {
                thread::sleep(PAUSE);
            }
            attempt += 1;
        };
        Self { file, at, len, state }
    }

    /// Whether another process that works on it has stopped meanwhile.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.state, State::Taken)
    }
}

impl Drop for Region<'_> {
    fn drop(&mut self) {
        if matches!(self.state, State::Locked) {
            let _ = lock(self.file, self.at, self.len, false);
        }
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn lock(file: &File, at: u64, len: u64, is_locked: bool) -> io::Result<bool> {
    crate::map::lock_bytes(file, at, len, is_locked)
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn lock(_: &File, _: u64, _: u64, _: bool) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

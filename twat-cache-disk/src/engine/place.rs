//! One engine at a time in a directory.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind};

/// The order of the engines that this process opens in one directory: the receiver of the last one is disconnected when that
/// engine is closed.
pub(crate) type Turn = Mutex<Option<Receiver<()>>>;

/// The right to open an engine in a directory. It lasts until it is dropped.
///
/// The engine has a lock of its own, inside its directory. But the engine reads other files before it takes that lock. A
/// database that another process is changing would look damaged, and would be moved aside.
pub(crate) struct Place {
    /// Locked. The system unlocks it when the process dies.
    lock: File,
    /// Dropped after the file is unlocked.
    _closed: Sender<()>,
}

/// Closing takes a few seconds when much has just been written.
const PATIENCE: Duration = Duration::from_secs(10);

/// At most this many attempts to open the database may end with the process. The lock file has one byte for each.
const ATTEMPTS: u64 = 2;

impl Place {
    /// Waits until this process has closed the last engine of the database in `dir`, and locks the database.
    pub(crate) fn take(dir: &Path, turn: &Turn) -> Result<Self, Error> {
        let mut turn = turn.lock();
        if turn.as_ref().is_some_and(|last| last.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout)) {
            return Err(Error::new(ErrorKind::Locked, "open the database that is still being closed"));
        }
        let path = dir.with_extension("lock");
        let failed = |error: io::Error| Error::from(error).attempting("lock the database").at(&path);
        let open = || trust::open_or_create(&path, 0o600).map_err(failed);
        let mut lock = open()?;
        let mut marks = Vec::new();
        (&lock).take(ATTEMPTS + 1).read_to_end(&mut marks).map_err(failed)?;
        if marks.len() as u64 > ATTEMPTS || marks.iter().any(|mark| *mark != 0) {
            // This file is not the cache's.
            trust::move_aside(&path, &lock.metadata().map_err(failed)?).map_err(failed)?;
            lock = open()?;
        }
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::new(ErrorKind::Locked, "open the database").at(dir),
            TryLockError::Error(error) => failed(error),
        })?;
        let (closed, last) = channel();
        *turn = Some(last);
        Ok(Self { lock, _closed: closed })
    }

    /// Makes an attempt to open the database. It is an error if earlier attempts have ended with their process: the engine
    /// aborts the process over some kinds of damage.
    pub(crate) fn attempt<T>(&self, attempt: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let begun = self.lock.metadata().map_or(0, |lock| lock.len());
        if begun >= ATTEMPTS {
            let _ = self.lock.set_len(0);
            let why = "two attempts ended with the process";
            return Err(Error::new(ErrorKind::Corrupt, "open the database").because(why));
        }
        let _ = self.lock.set_len(begun + 1);
        let attempted = attempt();
        let _ = self.lock.set_len(0);
        attempted
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // To close the file is not enough: a forked process has it open, too.
        let _ = self.lock.unlock();
    }
}

//! The lock that stands for a database's directory.

use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::path::Path;

use twat_cache_core::persist::trust;
use twat_cache_core::{Error, ErrorKind};

use crate::journals::is_at;

/// Held as long as the file is open; the system takes it back from the dead.
///
/// The engine has a lock of its own, inside. But it looks at other files first and takes them for damaged, and then we
/// would move a database from under another process.
#[derive(Debug)]
pub(crate) struct Claim {
    file: File,
}

/// So many attempts to open the database may end with the process. The file has as many bytes as did.
const ATTEMPTS: u64 = 2;

impl Claim {
    /// Takes the lock of the database in `dir`.
    pub(crate) fn take(dir: &Path) -> Result<Self, Error> {
        let path = dir.with_extension("lock");
        let failed = |error: std::io::Error| Error::from(error).attempting("lock the database").at(&path);
        let open = || trust::open_or_create(&path, 0o600).map_err(failed);
        let mut file = open()?;
        let found = file.metadata().map_err(failed)?;
        let mut marks = Vec::new();
        (&file).take(ATTEMPTS + 1).read_to_end(&mut marks).map_err(failed)?;
        if found.len() > ATTEMPTS || marks.iter().any(|mark| *mark != 0) {
            // Somebody's.
            trust::move_aside(&path, &found).map_err(failed)?;
            file = open()?;
        }
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::new(ErrorKind::Locked, "open the database").at(dir),
            TryLockError::Error(error) => failed(error),
        })?;
        let claim = Self { file };
        if is_at(&claim.file, &path) {
            Ok(claim)
        } else {
            // Others would lock the one that is there now.
            Err(Error::new(ErrorKind::Io, "lock the database").at(&path).because("the file was just replaced"))
        }
    }

    /// Makes an attempt to open the database, or says that there were too many.
    ///
    /// Damaged in some places, a database makes the engine abort the process.
    pub(crate) fn attempt<T>(&self, attempt: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let begun = self.file.metadata().map_or(0, |file| file.len());
        let _ = self.file.set_len(if begun < ATTEMPTS { begun + 1 } else { 0 });
        if begun >= ATTEMPTS {
            let why = "two attempts ended with the process";
            return Err(Error::new(ErrorKind::Corrupt, "open the database").because(why));
        }
        let attempted = attempt();
        let _ = self.file.set_len(0);
        attempted
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that was forked has it open, too.
        let _ = self.file.unlock();
    }
}

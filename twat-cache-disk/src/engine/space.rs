//! How much of the disk the database takes, and what closing it gives back.
//!
//! The engine makes each journal 64 MiB long, and begins the next one only when that is full. What is in a journal is in tables
//! as well, sooner or later, but the journal stays. The next opening reads all of it again. So if all is in tables, the journal
//! is cut when the engine has been closed. The file itself stays, because a journal that is missing counts as damage.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fjall::{AbstractTree as _, Database, Keyspace, PersistMode};
use twat_cache_core::Error;
use twat_cache_core::persist::trust;

use super::journals::{JOURNALS, is_at, number};
use super::{Engine, PATIENCE, from_fjall, guard, recovery};

/// A shorter journal is left as it is when the engine is closed. It is read within 2 ms, and a table more takes longer to write.
const SHORT: u64 = 1 << 20;

impl Engine {
    /// Closes the engine, with a journal that the next opening need not read.
    pub(crate) fn finish(self, dir: &Path) {
        let (attempt, place) = ("close the database", self.place.clone());
        let is_flushed = !self.has_failed.load(Ordering::Relaxed)
            && self.journals.lock().newest_len().is_ok_and(|len| len > SHORT)
            && guard(attempt, || self.flush()).unwrap_or(false);
        let witness = self.journals.lock().witness();
        self.close();
        let cut = if is_flushed { witness.and_then(|witness| cut_journal(dir, &witness)) } else { Ok(()) };
        if let Err(error) = cut {
            log::debug!(target: "twat_cache", "{}", Error::from(error).attempting(attempt).at(dir).chain());
        }
        drop(place);
    }

    fn flush(&self) -> Result<bool, Error> {
        // The engine writes tables by their paths. In place of a database that was moved away there may be another one.
        if self.is_there() { flush(&self.handles()) } else { Ok(false) }
    }
}

/// Writes what is in memory into tables, and waits until it is there. Says whether all is, and only the newest journal is left.
pub(crate) fn flush((database, entries): &(Database, Keyspace)) -> Result<bool, Error> {
    let failed = |error| from_fjall(error, "write a table");
    let end = Instant::now() + PATIENCE;
    entries.rotate_memtable().map_err(failed)?;
    let is_written = || entries.tree.sealed_memtable_count() == 0 && database.journal_count() == 1;
    while !is_written() && Instant::now() < end {
        // An error if the engine has given up.
        database.persist(PersistMode::Buffer).map_err(failed)?;
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(is_written() && entries.tree.active_memtable().is_empty())
}

/// Cuts the newest journal of a database that is closed, and that this process has locked.
fn cut_journal(dir: &Path, witness: &File) -> io::Result<()> {
    let lock = trust::options().read(true).write(true).open(dir.join("lock"))?;
    match lock.try_lock() {
        // The program has a handle of the engine, which is still open.
        Err(TryLockError::WouldBlock) => return Ok(()),
        locked => locked?,
    }
    let numbers = fs::read_dir(dir)?.filter_map(|entry| number(&entry.ok()?.path()));
    let newest =
        numbers.max().map(|newest| trust::options().write(true).open(dir.join(format!("{newest}.jnl")))).transpose()?;
    // Only now: another database may have come to this place until the journal was opened.
    let cut = match newest {
        Some(newest) if is_at(witness, &dir.join(JOURNALS)) => newest.set_len(0),
        _ => Ok(()),
    };
    // To close the file is not enough: a forked process may have it open, too.
    lock.unlock()?;
    cut
}

/// How many bytes of the disk the database takes.
pub(crate) fn disk_bytes(dir: &Path) -> io::Result<u64> {
    let bytes = |path: &Path| match fs::symlink_metadata(path) {
        // A journal is longer than what it takes.
        #[cfg(unix)]
        Ok(found) => std::os::unix::fs::MetadataExt::blocks(&found) * 512,
        #[cfg(not(unix))]
        Ok(found) => found.len(),
        // The engine has removed it meanwhile.
        Err(_) => 0,
    };
    Ok(recovery::contents(dir)?.iter().map(|(path, _)| bytes(path)).sum())
}

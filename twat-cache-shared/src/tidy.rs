//! What is done in the background: the log is written into the database, and the entries of cleared caches are removed.

use rusqlite::{Connection, OptionalExtension as _};
use twat_cache_core::persist::trust;

use crate::database::Database;
use crate::entries::{OVERHEAD, ids};
use crate::failure::Result;
use crate::open::{CHANGES, Open, length};

/// From which length on the log is written into the database, in bytes.
pub(crate) const CHECKPOINT: u64 = 4 << 20;
/// From this length on, a store helps or waits for it, so that it is not faster than the disk.
const LONG_LOG: u64 = 16 << 20;
/// A log of this length is not made longer.
pub(crate) const LONGEST_LOG: u64 = 48 << 20;

/// What becomes of the file of a log that was written into the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// It is written over. That is faster than to make it longer again.
    Keep,
    GiveBack,
}

/// How many entries are removed, and how many pages are given back, in one transaction. Other processes wait meanwhile.
const ENTRIES: i64 = 64;
const PAGES: i64 = 256;

impl Database {
    /// Writes the log into the database, and removes what was cleared, until nothing is left to do.
    pub(crate) fn tidy_up(&self) {
        let Some(open) = self.latest() else { return };
        let tidied = remove_cleared(open).and_then(|is_any| {
            // The database gets shorter only when the log is written into it.
            if is_any { checkpoint(open, Log::GiveBack) } else { checkpoint_if_long(open) }
        });
        if let Err(error) = tidied {
            // The next change is the next attempt.
            log::debug!(target: "twat_cache", "cannot tidy up {}: {error:?}", open.path.display());
        }
    }
}

impl Open {
    /// Whether the log should be written into the database in the background.
    pub(crate) fn is_time_to_tidy(&self) -> bool {
        if self.log_length() >= LONG_LOG {
            // If this fails, the thread in the background, or the next store, is the next attempt.
            let _ = checkpoint(self, Log::Keep);
        }
        self.log_length() >= CHECKPOINT
    }
}

fn checkpoint_if_long(open: &Open) -> Result<()> {
    if open.log_length() < CHECKPOINT { Ok(()) } else { checkpoint(open, Log::Keep) }
}

/// Writes the log into the database, so that the next change begins the log anew.
///
/// The first step does not keep anybody waiting, and leaves little for the second, which does.
pub(crate) fn checkpoint(open: &Open, log: Log) -> Result<()> {
    let Some(_only_one) = open.meta.try_lock_own(CHANGES)? else { return Ok(()) };
    open.with(|connection| {
        trust::fits(length(connection)?)?;
        let is_busy = |step| connection.prepare_cached(step)?.query_row([], |row| row.get::<_, bool>(0));
        is_busy("PRAGMA wal_checkpoint(PASSIVE)")?;
        // Other processes cannot write while this waits for the ones that read.
        open.patience_with_readers.begin();
        let is_in_vain = is_busy(match log {
            Log::Keep => "PRAGMA wal_checkpoint(RESTART)",
            Log::GiveBack => "PRAGMA wal_checkpoint(TRUNCATE)",
        })?;
        open.patience_with_readers.end(is_in_vain);
        if !is_in_vain {
            open.log_is_free();
        }
        Ok(())
    })
}

/// Removes the entries that were cleared, and gives their space back. Returns whether there were any.
fn remove_cleared(open: &Open) -> Result<bool> {
    let cleared = |connection: &Connection| {
        let mut find = connection.prepare_cached("SELECT no, name FROM space WHERE id IS NULL LIMIT 1")?;
        Ok(find.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    };
    let mut is_any = false;
    while let Some((space, name)) = open.with(cleared)? {
        is_any = true;
        let mut ids = ids(name);
        while !ids.is_empty() {
            // They are found without a lock, and a space that was cleared gets no new entries.
            let (found, next) = open.with(|connection| page(connection, space, ids.start, ids.end))?;
            ids.start = next;
            open.change(0, |connection| remove(connection, name, space, &found))?;
            checkpoint_if_long(open)?;
        }
        open.change(0, |connection| {
            connection.execute("DELETE FROM space WHERE no = ?1 AND id IS NULL", [space])?;
            Ok(())
        })?;
    }
    while is_any && shrink(open)? {
        checkpoint_if_long(open)?;
    }
    Ok(is_any)
}

/// Some entries of a space, and where to go on.
fn page(connection: &Connection, space: i64, from: i64, end: i64) -> Result<(Vec<(i64, i64)>, i64)> {
    let mut page = connection.prepare_cached(
        "SELECT id, length(value) FROM entry WHERE id >= ?1 AND id < ?2 AND space = ?3 ORDER BY id LIMIT ?4",
    )?;
    let found = page.query_map([from, end, space, ENTRIES], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(i64, i64)> = found.collect::<rusqlite::Result<_>>()?;
    let next = found.last().map_or(end, |(id, _)| id + 1);
    Ok((found, next))
}

fn remove(connection: &Connection, name: i64, space: i64, found: &[(i64, i64)]) -> Result<()> {
    // By now, a new entry may have the identifier of the last one.
    let mut delete = connection.prepare_cached("DELETE FROM entry WHERE id = ?1 AND space = ?2")?;
    let mut less = 0;
    for (id, length) in found {
        if delete.execute([*id, space])? > 0 {
            less += length + OVERHEAD;
        }
    }
    let mut update = connection.prepare_cached("UPDATE name SET bytes = max(bytes - ?1, 0) WHERE no = ?2")?;
    update.execute([less, name])?;
    Ok(())
}

/// Gives some free pages back to the file system. Returns whether there are more.
fn shrink(open: &Open) -> Result<bool> {
    let free =
        |connection: &Connection| connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    open.change(0, |connection| {
        let before = free(connection)?;
        // Each step frees one page.
        let mut vacuum = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        drop(rows);
        let after = free(connection)?;
        Ok(after > 0 && after < before)
    })
}

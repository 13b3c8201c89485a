//! The limit in bytes of a name, and the removal of what has expired.
//!
//! Eviction is a clock: its hand goes over the entries in the order in which they were stored. An entry that was used since
//! the hand was last there gets a second chance, any other is evicted. Entries that are stored during a turn of the hand are
//! looked at in the next one: until then, nobody had time to use them.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;
use twat_cache_core::Clock;

use crate::entries::{OVERHEAD, ids};
use crate::failure::Result;
use crate::open::Open;

/// What a store has added to its name, and has yet to write down. If the process is killed, the count is wrong by that.
#[derive(Default)]
pub(crate) struct Account {
    bytes: AtomicI64,
    stores: AtomicU32,
    /// How many bytes the name had when that was last written down.
    known: AtomicI64,
    /// The next entry to look at for its deadline.
    unchecked: AtomicI64,
    /// The entries that were used, and when.
    used: Mutex<Vec<i64>>,
    pub(crate) evicted: AtomicU64,
}

/// How many stores are written down at once, how many uses, and how many entries are looked at in one transaction.
const STORES: u32 = 32;
const USES: usize = 64;
const PAGE: i64 = 64;
/// Which part of the limit may be added before it is written down, and is evicted beyond what must be.
const SLACK: i64 = 256;
/// How many entries are checked for each one that is stored with a deadline.
const CHECKS: u32 = 5;
/// How long a use counts, in seconds, before it is noted again.
const RECENT: i64 = 2;

impl Account {
    /// [Changes](Open::change) something. If that fails, what it has counted is as before.
    pub(crate) fn change<T>(
        &self,
        open: &Open,
        bytes: usize,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let mut counted = 0;
        let changed = open.change(bytes, |connection| {
            // No other thread changes this number: it would be in a transaction.
            let before = self.bytes.load(Ordering::Relaxed);
            let done = work(connection);
            counted = self.bytes.load(Ordering::Relaxed) - before;
            done
        });
        if changed.is_err() {
            self.bytes.fetch_sub(counted, Ordering::Relaxed);
        }
        changed
    }

    /// Counts bytes that were added in this transaction. Returns whether there are more than the limit, as far as is known.
    pub(crate) fn add(&self, connection: &Connection, name: i64, bytes: i64, limit: u64) -> Result<bool> {
        let limit = signed(limit);
        let pending = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let stores = self.stores.fetch_add(1, Ordering::Relaxed);
        let known = self.known.load(Ordering::Relaxed);
        let is_due =
            stores.is_multiple_of(STORES) || pending.abs() > limit / SLACK || known.saturating_add(pending) > limit;
        Ok(is_due && self.write_down(connection, name)? > limit)
    }

    /// Writes down what was added. Returns how many bytes the name has.
    pub(crate) fn write_down(&self, connection: &Connection, name: i64) -> Result<i64> {
        let pending = self.bytes.swap(0, Ordering::Relaxed);
        let mut update =
            connection.prepare_cached("UPDATE name SET bytes = max(bytes + ?1, 0) WHERE no = ?2 RETURNING bytes")?;
        let bytes = update.query_row([pending, name], |row| row.get(0))?;
        self.known.store(bytes, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Whether something is to be written down.
    pub(crate) fn is_pending(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) != 0
    }

    /// Evicts entries until the others are within the limit; the one that was just stored stays. Each transaction is short,
    /// so that other processes do not have to wait.
    pub(crate) fn make_room(&self, open: &Open, name: i64, limit: u64, newest: i64) -> Result<()> {
        let mut turns = 0;
        while turns < 3 {
            let (is_enough, has_turned) =
                self.change(open, 0, |connection| self.evict(connection, name, limit, newest))?;
            if is_enough {
                break;
            }
            if has_turned {
                turns += 1;
                count_again(open, name)?;
            }
        }
        Ok(())
    }

    /// Returns whether that is enough, and whether the hand is at the beginning again.
    fn evict(&self, connection: &Connection, name: i64, limit: u64, newest: i64) -> Result<(bool, bool)> {
        let limit = signed(limit);
        write_uses(connection, &std::mem::take(&mut *self.used.lock()))?;
        let mut bytes = self.write_down(connection, name)?;
        if bytes <= limit {
            return Ok((true, false));
        }
        let all = ids(name);
        let mut turn = connection.prepare_cached("SELECT hand, last FROM name WHERE no = ?1")?;
        let (mut hand, mut last): (i64, i64) = turn.query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut page = connection.prepare_cached(
            "SELECT id, used, length(value) FROM entry WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
        )?;
        let found = page.query_map([hand.max(all.start - 1), last.min(all.end - 1), PAGE], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)? + OVERHEAD))
        })?;
        let found: Vec<(i64, i64, i64)> = found.collect::<rusqlite::Result<_>>()?;
        let has_turned = found.is_empty();
        if has_turned {
            hand = 0;
            let mut end = connection.prepare_cached("SELECT coalesce(max(id), 0) FROM entry WHERE id < ?1")?;
            last = end.query_row([all.end], |row| row.get(0))?;
        }
        for (id, used, size) in found {
            hand = id;
            if id == newest {
                continue;
            }
            if used > 0 {
                connection.prepare_cached("UPDATE entry SET used = 0 WHERE id = ?1")?.execute([id])?;
            } else {
                bytes -= size;
                connection.prepare_cached("DELETE FROM entry WHERE id = ?1")?.execute([id])?;
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
            // Somewhat more, so that the next stores need not evict.
            if bytes <= limit - limit / SLACK {
                break;
            }
        }
        connection
            .prepare_cached("UPDATE name SET bytes = ?1, hand = ?2, last = ?3 WHERE no = ?4")?
            .execute([bytes, hand, last, name])?;
        self.known.store(bytes, Ordering::Relaxed);
        Ok((bytes <= limit, has_turned))
    }

    /// Looks at some entries, and removes those that have expired. Returns how many bytes there are less.
    pub(crate) fn remove_expired(&self, connection: &Connection, name: i64, now: u64) -> Result<i64> {
        let all = ids(name);
        let from = self.unchecked.load(Ordering::Relaxed).max(all.start);
        let mut page = connection.prepare_cached(
            "SELECT id, deadline, length(value) FROM entry WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
        )?;
        let found = page.query_map([from, all.end, CHECKS.into()], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned(), row.get::<_, i64>(2)? + OVERHEAD))
        })?;
        let found: Vec<(i64, u64, i64)> = found.collect::<rusqlite::Result<_>>()?;
        // After the last entries, the first ones are next. Else the newest entries would be all that is looked at.
        let next = found.last().filter(|_| found.len() == CHECKS as usize).map_or(0, |(id, ..)| id + 1);
        self.unchecked.store(next, Ordering::Relaxed);
        let mut less = 0;
        for (id, deadline, size) in found {
            if deadline != 0 && deadline <= now {
                connection.prepare_cached("DELETE FROM entry WHERE id = ?1")?.execute([id])?;
                less += size;
            }
        }
        Ok(less)
    }

    /// Notes that an entry was used, unless that was noted recently. Uses are written down together. If that fails, entries
    /// may be evicted although they were used.
    ///
    /// While the name has less than half of its limit, they are not written down: that would cost more than the hits. Before
    /// an entry can be evicted, the other half must be stored, and hits meanwhile are noted.
    pub(crate) fn use_entry(&self, open: &Open, name: i64, limit: u64, id: i64, used: i64) {
        if used != 0 && seconds() - used < RECENT || !open.is_writable() {
            return;
        }
        let full = {
            let mut used = self.used.lock();
            if !used.contains(&id) {
                used.push(id);
            }
            (used.len() >= USES).then(|| std::mem::take(&mut *used))
        };
        let Some(used) = full else { return };
        // Other processes store, too.
        let bytes = open.with(|connection| {
            let mut find = connection.prepare_cached("SELECT bytes FROM name WHERE no = ?1")?;
            Ok(find.query_row([name], |row| row.get::<_, i64>(0))?)
        });
        if bytes.is_ok_and(|bytes| bytes >= signed(limit / 2)) {
            let _ = open.change(0, |connection| write_uses(connection, &used));
        }
    }
}

fn write_uses(connection: &Connection, used: &[i64]) -> Result<()> {
    let now = seconds();
    let mut update = connection.prepare_cached("UPDATE entry SET used = ?1 WHERE id = ?2")?;
    for id in used {
        update.execute([now, *id])?;
    }
    Ok(())
}

fn signed(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Seconds since 1970. They fit into four bytes.
fn seconds() -> i64 {
    (Clock::system().since_1970() / 1_000_000_000).cast_signed()
}

/// Corrects the count of a name. It is wrong by what killed processes had yet to write down.
fn count_again(open: &Open, name: i64) -> Result<()> {
    let all = ids(name);
    // In one statement, so that no change comes between.
    let missing: i64 = open.with(|connection| {
        let mut count = connection.prepare_cached(
            "SELECT coalesce((SELECT sum(length(value) + ?3) FROM entry WHERE id >= ?1 AND id < ?2), 0) - bytes
             FROM name WHERE no = ?4",
        )?;
        Ok(count.query_row([all.start, all.end, OVERHEAD, name], |row| row.get(0))?)
    })?;
    open.change(0, |connection| {
        let mut update = connection.prepare_cached("UPDATE name SET bytes = max(bytes + ?1, 0) WHERE no = ?2")?;
        update.execute([missing, name])?;
        Ok(())
    })
}

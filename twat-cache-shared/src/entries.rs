//! The statements that find, store and remove entries.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use twat_cache_core::{KeyHash, Namespace};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::failure::Result;
use crate::open::Open;

/// How many bytes count for an entry beside its value: about what its row and its place in the index take.
pub(crate) const OVERHEAD: i64 = 64;

/// The part of an identifier that belongs to an entry; the rest is the number of its name.
const BITS: u32 = 40;

/// Where the entries of a store are, until the next `clear` of any cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    /// The database and the value of [`SPACES`](crate::open::SPACES) in which this was read.
    pub(crate) read_in: (u64, u64),
    /// The number of the name.
    pub(crate) name: i64,
    no: i64,
    /// Computations that began earlier are outdated.
    pub(crate) cleared: u64,
}

/// The number of a name, which gets one if it has none.
pub(crate) fn number_of(connection: &Connection, name: &str) -> Result<i64> {
    connection.execute("INSERT OR IGNORE INTO name (name, bytes, hand, last) VALUES (?1, 0, 0, 0)", [name])?;
    Ok(connection.query_row("SELECT no FROM name WHERE name = ?1", [name], |row| row.get(0))?)
}

/// The identifiers of all entries of a name.
pub(crate) fn ids(name: i64) -> Range<i64> {
    (name << BITS) + 1..(name + 1) << BITS
}

/// What identifies an entry: a name, and some bits of its digest. Two entries that have them in common replace each other.
fn handle(name: i64, digest: KeyHash) -> i64 {
    let mut bits = [0; 8];
    bits[..BITS as usize / 8].copy_from_slice(&digest.to_bytes()[..BITS as usize / 8]);
    (name << BITS) | i64::from_le_bytes(bits)
}

/// The rest of a digest, which an entry has beside its handle.
fn rest(digest: KeyHash) -> [u8; 16 - BITS as usize / 8] {
    let mut rest = [0; 16 - BITS as usize / 8];
    rest.copy_from_slice(&digest.to_bytes()[BITS as usize / 8..]);
    rest
}

/// An entry as it is found.
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) deadline: u64,
    /// When it was last used, in seconds, or 0.
    pub(crate) used: i64,
    pub(crate) value: Vec<u8>,
}

/// An entry to store.
pub(crate) struct New<'a> {
    pub(crate) deadline: u64,
    /// If it is the result of a refresh, the number of that computation, or 0.
    pub(crate) began: u64,
    pub(crate) value: &'a [u8],
}

impl New<'_> {
    /// How many bytes count for it.
    pub(crate) fn size(&self) -> i64 {
        size(self.value.len())
    }
}

pub(crate) fn size(value: usize) -> i64 {
    OVERHEAD.saturating_add(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The checksum of an entry.
fn sum(digest: KeyHash, deadline: u64, value: &[u8]) -> i64 {
    let mut head = [0; 24];
    head[..16].copy_from_slice(&digest.to_bytes());
    head[16..].copy_from_slice(&deadline.to_le_bytes());
    xxh3_64_with_seed(value, xxh3_64(&head)).cast_signed()
}

/// Whether an entry was changed by somebody else.
pub(crate) struct IsDamaged;

impl Space {
    /// The space of a namespace, if it has one.
    pub(crate) fn find(connection: &Connection, namespace: &Namespace, read_in: (u64, u64)) -> Result<Option<Self>> {
        let id = namespace.id().cast_signed();
        let mut find = connection.prepare_cached("SELECT name, no, cleared FROM space WHERE id = ?1")?;
        let space = find.query_row([id], |row| {
            let cleared: i64 = row.get(2)?;
            Ok(Self { read_in, name: row.get(0)?, no: row.get(1)?, cleared: cleared.cast_unsigned() })
        });
        Ok(space.optional()?)
    }

    /// Makes the space of a namespace. It takes the place of the one before, if there was one: its entries are not found
    /// any more.
    pub(crate) fn make(connection: &Connection, id: &Id<'_>, read_in: (u64, u64), cleared: u64) -> Result<Self> {
        let name = number_of(connection, id.name)?;
        let number = id.namespace.id().cast_signed();
        connection.execute("UPDATE space SET id = NULL WHERE id = ?1", [number])?;
        connection.execute(
            "INSERT INTO space (name, id, version, cleared) VALUES (?1, ?2, ?3, ?4)",
            params![name, number, id.version, cleared.cast_signed()],
        )?;
        Ok(Self { read_in, name, no: connection.last_insert_rowid(), cleared })
    }

    /// Finds the entry of a digest.
    pub(crate) fn entry(
        &self,
        connection: &Connection,
        digest: KeyHash,
    ) -> Result<Option<std::result::Result<Entry, IsDamaged>>> {
        let mut find = connection
            .prepare_cached("SELECT id, digest, space, deadline, used, sum, value FROM entry WHERE h = ?1")?;
        let mut rows = find.query([handle(self.name, digest)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        // What another type is in a column is damage, too.
        Ok(self.read(row, digest).unwrap_or(Some(Err(IsDamaged))))
    }

    fn read(&self, row: &Row<'_>, digest: KeyHash) -> rusqlite::Result<Option<std::result::Result<Entry, IsDamaged>>> {
        let deadline = row.get::<_, i64>(3)?.cast_unsigned();
        let value = row.get_ref(6)?.as_blob()?;
        if row.get_ref(1)?.as_blob()? != rest(digest) || row.get::<_, i64>(2)? != self.no {
            return Ok(None);
        }
        if row.get::<_, i64>(5)? != sum(digest, deadline, value) {
            return Ok(Some(Err(IsDamaged)));
        }
        Ok(Some(Ok(Entry { id: row.get(0)?, deadline, used: row.get(4)?, value: value.to_owned() })))
    }

    /// Stores an entry in place of an earlier one. Returns its identifier, and how many bytes there are more.
    pub(crate) fn put(&self, connection: &Connection, digest: KeyHash, new: &New<'_>) -> Result<(i64, i64)> {
        let (h, ids) = (handle(self.name, digest), ids(self.name));
        let mut insert = connection.prepare_cached(
            "INSERT INTO entry (id, h, digest, space, deadline, used, began, sum, value)
             VALUES ((SELECT coalesce(max(id) + 1, ?1) FROM entry WHERE id >= ?1 AND id < ?2), ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9)
             ON CONFLICT (h) DO NOTHING",
        )?;
        let mut insert = || {
            insert.execute(params![
                ids.start,
                ids.end,
                h,
                rest(digest),
                self.no,
                new.deadline.cast_signed(),
                new.began.cast_signed(),
                sum(digest, new.deadline, new.value),
                new.value
            ])
        };
        let mut more = new.size();
        if insert()? == 0 {
            // The new entry goes to the end, where those are that were stored last.
            let removed = connection
                .prepare_cached("DELETE FROM entry WHERE h = ?1 RETURNING length(value)")?
                .query_row([h], |row| row.get::<_, i64>(0))?;
            more -= removed + OVERHEAD;
            insert()?;
        }
        Ok((connection.last_insert_rowid(), more))
    }

    /// Removes the entry of a digest. Returns its deadline if it was of this space, and how many bytes there are less.
    pub(crate) fn take(&self, connection: &Connection, digest: KeyHash) -> Result<(Option<u64>, i64)> {
        let mut delete = connection.prepare_cached(
            "DELETE FROM entry WHERE h = ?1 AND digest = ?2 RETURNING space, deadline, length(value)",
        )?;
        let removed = delete.query_row(params![handle(self.name, digest), rest(digest)], |row| {
            // An entry that cannot be read is removed as well.
            let is_own = row.get::<_, i64>(0).ok() == Some(self.no);
            let deadline = row.get::<_, i64>(1).unwrap_or_default().cast_unsigned();
            Ok((is_own.then_some(deadline), row.get::<_, i64>(2).unwrap_or_default() + OVERHEAD))
        });
        Ok(removed.optional()?.unwrap_or_default())
    }

    /// The number of the refresh whose result is there, or 0.
    pub(crate) fn began(&self, connection: &Connection, digest: KeyHash) -> Result<u64> {
        let mut find =
            connection.prepare_cached("SELECT began FROM entry WHERE h = ?1 AND digest = ?2 AND space = ?3")?;
        let began =
            find.query_row(params![handle(self.name, digest), rest(digest), self.no], |row| row.get::<_, i64>(0));
        Ok(began.optional()?.unwrap_or_default().cast_unsigned())
    }

    /// How many entries there are. They are counted by pages: a long read would keep the log from getting shorter.
    pub(crate) fn len(&self, open: &Open) -> Result<usize> {
        let (mut len, mut ids) = (0_i64, ids(self.name));
        while !ids.is_empty() {
            let (last, count) = open.with(|connection| {
                let mut page = connection.prepare_cached(
                    "SELECT max(id), coalesce(sum(space = ?3), 0) FROM
                     (SELECT id, space FROM entry WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 10000)",
                )?;
                let row = page.query_row([ids.start, ids.end, self.no], |row| {
                    Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?))
                });
                Ok(row?)
            })?;
            len += count;
            ids.start = last.map_or(ids.end, |last| last + 1);
        }
        Ok(usize::try_from(len).unwrap_or_default())
    }
}

/// What identifies a space.
pub(crate) struct Id<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: Option<String>,
    pub(crate) namespace: &'a Namespace,
}

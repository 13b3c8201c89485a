//! How entries are written and removed, in the order in which their computations began.

use std::time::Duration;

use twat_cache_core::persist::Header;
use twat_cache_core::{Args, Error, Ticket};

use super::{DiskStore, Entries, read, size};
use crate::changes::Change;
use crate::engine::Engine;
use crate::entry::Key;
use crate::usage;

impl<V> DiskStore<V> {
    /// Writes an entry again that is used and would soon be evicted.
    #[cold]
    pub(super) fn renew(&self, key: Key, header: Header) {
        let renewed = self.with("write an entry", |entries, engine| {
            let _change = entries.database.changes.lock(&key);
            match read(engine, key)? {
                // What is there now is written, and not what was read: two values may have equal headers.
                Some((now, entry)) if now == header => self.put(entries, engine, key, header, entry.to_vec(), None),
                // Another entry is new.
                _ => Ok(false),
            }
        });
        if let Err(error) = renewed {
            // The entry is still there, and the caller gets its value.
            log::debug!(target: "twat_cache", "{}; it may be evicted although it is used", error.chain());
        }
    }

    /// Writes an entry, which has room for its header, and says whether it is current. The caller has locked the key.
    ///
    /// It is current if the namespace was not cleared since the computation `begun`. Without a computation, it takes the
    /// place of itself, and is current as long as it is live.
    pub(super) fn put(
        &self,
        entries: &Entries,
        engine: &Engine,
        key: Key,
        header: Header,
        mut entry: Vec<u8>,
        begun: Option<u64>,
    ) -> Result<bool, Error> {
        let Entries { database, id, bounds, .. } = entries;
        let bytes = size(key, &entry);
        // An entry that cannot be read is replaced as well. Its bytes stay counted until their epoch is closed.
        let replaced = read(engine, key).ok().flatten();
        let (old_epoch, old_bytes) = replaced.map_or((0, 0), |(header, old)| (header.epoch, size(key, &old)));
        let (epoch, is_due) = {
            // Under this lock epochs are closed. An entry that was cleared or evicted must not come back in a new one.
            let mut usage = database.usage.lock();
            if begun.map_or(!bounds.is_live(header.epoch), |begun| bounds.is_outdated(begun)) {
                return Ok(false);
            }
            usage.adjust(*id, old_epoch, -old_bytes);
            usage.add(*id, bytes.cast_unsigned(), self.options.max_bytes)
        };
        entry[..Header::LEN].copy_from_slice(&Header { epoch, ..header }.to_bytes());
        // The record comes first: to count too much is better than to count too little.
        let recorded = if is_due { database.record(engine, usage::name_of(*id), false) } else { Ok(()) };
        let write = || engine.write("write an entry", entry.len(), |keyspace| keyspace.insert(key, entry));
        if engine.is_due() {
            database.tidy(false);
        }
        recorded.and_then(|()| write()).map(|()| true).inspect_err(|_| {
            let mut usage = database.usage.lock();
            usage.adjust(*id, epoch, -bytes);
            usage.adjust(*id, old_epoch, old_bytes);
        })
    }

    /// Stores a value that was computed since `ticket`, for at most `time`, and says whether it is current. If the database
    /// cannot be opened, that is an error, and the value is stored later.
    pub(super) fn store<K: Args + ?Sized>(
        &self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        ticket: Option<Ticket>,
    ) -> Result<bool, Error> {
        if !self.options.keeps() {
            return Ok(true);
        }
        let stored = self.entries().and_then(|entries| {
            let (key, entry) = (entries.key(key), self.encode(value)?);
            let header = self.header(self.options.expiry.deadline(time));
            let is_kept = self.options.expiry.of_entry(time) != Some(Duration::ZERO);
            self.with("write an entry", |entries, engine| {
                let entry = self.pack(entries, engine, entry)?;
                let is_refused = ticket.is_some_and(|ticket| entries.database.changes.is_refused(ticket.number));
                let entry = Some(entry).filter(|entry| is_kept && !is_refused && self.fits(key, entry));
                Ok(self.store_entry(entries, engine, key, header, entry, ticket)? && !is_refused)
            })
        });
        if ticket.is_none_or(|ticket| ticket.is_refresh)
            && let Some(database) = &self.database
        {
            database.changes.outdate(key);
        }
        stored.or_else(|error| self.put_off(key, value, time, ticket, error))
    }

    /// The header of an entry that is not written yet.
    pub(super) fn header(&self, deadline: u64) -> Header {
        Header { codec: self.codec.id(), epoch: 0, deadline }
    }

    /// Stores an entry, or with `None` makes sure that there is none which it would have replaced. Says whether it is current.
    pub(super) fn store_entry(
        &self,
        entries: &Entries,
        engine: &Engine,
        key: Key,
        header: Header,
        entry: Option<Vec<u8>>,
        ticket: Option<Ticket>,
    ) -> Result<bool, Error> {
        let changes = &entries.database.changes;
        let mut last = changes.lock(&key);
        let Ticket { number, is_refresh } = ticket.unwrap_or_else(|| changes.begin());
        if number < last.number {
            // The last change may be of another key. Then what is there may be older than this refresh.
            if is_refresh && last.key != Some(key) {
                self.take(entries, engine, key)?;
            }
            return Ok(false);
        }
        let is_current = match entry {
            Some(entry) => self.put(entries, engine, key, header, entry, Some(number))?,
            None => self.take(entries, engine, key).map(|_| true)?,
        };
        if !is_current {
            return Ok(false);
        }
        if is_refresh {
            *last = Change { key: Some(key), number };
        }
        Ok(true)
    }

    /// Removes an entry; says whether there was one. The caller has locked the key.
    pub(super) fn take(&self, entries: &Entries, engine: &Engine, key: Key) -> Result<bool, Error> {
        let found = read(engine, key);
        if let Ok(None) = found {
            return Ok(false);
        }
        engine.write("remove an entry", 0, |keyspace| keyspace.remove(key))?;
        // An entry that cannot be read is removed as well.
        let Ok(Some((header, entry))) = found else { return Ok(true) };
        entries.database.usage.lock().adjust(entries.id, header.epoch, -size(key, &entry));
        Ok(self.is_live(entries, header))
    }
}

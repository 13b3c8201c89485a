use std::fmt;
use std::time::Duration;

use twat_cache_core::persist::Header;
use twat_cache_core::{Args, Error, Found, KeyedStore, Stamp, Store, Ticket};

use super::{DiskStore, Entries};
use crate::changes::Change;
use crate::engine::from_fjall;
use crate::{entry, usage};

impl<V: Send + Sync> Store for DiskStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        if !self.options.keeps() {
            return Ok(0);
        }
        self.with("count the entries", |entries, engine| {
            let mut count = 0;
            for entry in engine.entries.iter() {
                let found = entry.into_inner_if(|key| entry::id(key) == Some(entries.id));
                let (_, value) = found.map_err(|error| from_fjall(error, "count the entries"))?;
                let header = value.and_then(|value| Header::split(&value).map(|(header, _)| header));
                count += usize::from(header.is_some_and(|header| self.is_live(entries, header)));
            }
            Ok(count)
        })
    }

    fn clear(&self) -> Result<(), Error> {
        let cleared = self.with("clear", |Entries { database, id, .. }, engine| {
            database.usage.lock().clear(*id, database.changes.begin().number, self.options.max_bytes);
            database.changes.outdate_all();
            database.record(engine, usage::name_of(*id), false)?;
            database.tidy(true);
            Ok(())
        });
        cleared.inspect_err(|_| {
            self.forget::<()>(None);
        })
    }

    fn ttl(&self) -> Option<Duration> {
        self.options.expiry.lifetime()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.options.expiry.stale
    }

    fn describe(&self) -> String {
        format!("the database at {}", self.path().display())
    }

    /// Other memos of this process may change the entries.
    fn is_shared(&self) -> bool {
        true
    }

    #[inline]
    fn is_current(&self, stamp: Stamp) -> bool {
        self.database.as_ref().is_some_and(|database| database.changes.is_current(stamp))
    }

    fn evictions(&self) -> u64 {
        self.entries.get().map_or(0, |entries| entries.bounds.evictions())
    }
}

impl<K: Args + ?Sized, V: Send + Sync> KeyedStore<K> for DiskStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.look(key)?.map(|(value, _)| value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let removed = self.with("remove an entry", |entries, engine| {
            let key = entries.key(key);
            let changes = &entries.database.changes;
            let mut last = changes.lock(&key);
            let removed = self.take(entries, engine, key);
            // If it is still there, an earlier refresh must remove it.
            *last = Change { key: removed.is_ok().then_some(key), number: changes.begin().number };
            removed
        });
        if let Some(database) = &self.database {
            database.changes.outdate(key);
        }
        removed.inspect_err(|_| self.forget(Some(key)))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        let found = |(value, header): (V, Header)| Found { value, ttl: self.options.expiry.left(header.deadline) };
        Ok(self.look(key)?.map(found))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.store(key, value, time, None).map(drop)
    }

    // Only one process has the database. But it may have several memos of a name.
    fn begin(&self, _: &K) -> Ticket {
        self.database.as_ref().map_or_else(Ticket::default, |database| database.changes.begin())
    }

    fn insert_begun(&self, key: &K, value: &V, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.store(key, value, time, Some(ticket))
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        let entries = self.entries.get();
        let is_cleared = entries.is_some_and(|entries| entries.bounds.is_outdated(ticket.number));
        let key = entries.map(|entries| entries.key(key));
        let changes = self.database.as_ref().map(|database| &database.changes);
        is_cleared || changes.is_none_or(|changes| changes.is_outdated(key.as_ref(), ticket.number))
    }

    fn stamp(&self, key: &K) -> Option<Stamp> {
        self.database.as_ref().map(|database| database.changes.stamp(key))
    }
}

impl<V> fmt::Debug for DiskStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").field("options", &self.options).field("path", &self.path()).finish_non_exhaustive()
    }
}

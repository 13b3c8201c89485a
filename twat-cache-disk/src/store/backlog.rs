//! Results that were to be stored while the database could not be opened. They are stored when it is open.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use twat_cache_core::persist::Options;
use twat_cache_core::{Args, Error, Recorded, Ticket};

use super::{DiskStore, Entries, read};
use crate::changes::Changes;
use crate::engine::Engine;
use crate::entry;

/// At most this many results wait.
const RESULTS: usize = 1024;

/// At most this many bytes wait, of keys and results.
const BYTES: u64 = 64 << 20;

/// The results that wait, of one store. A forked process must not use it.
#[derive(Default)]
pub(super) struct Backlog {
    has_some: AtomicBool,
    waiting: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    results: HashMap<Recorded, Waiting>,
    bytes: u64,
}

/// A result that waits.
struct Waiting {
    /// Not compressed, with room for its header. `None` if it cannot be stored.
    entry: Option<Vec<u8>>,
    deadline: u64,
    ticket: Ticket,
}

impl Queue {
    fn insert(&mut self, key: Recorded, one: Waiting) {
        self.remove(&key);
        self.bytes += size(&key, &one);
        self.results.insert(key, one);
    }

    fn remove(&mut self, key: &Recorded) {
        self.bytes -= self.results.remove(key).map_or(0, |one| size(key, &one));
    }
}

fn size(key: &Recorded, one: &Waiting) -> u64 {
    (key.len() + one.entry.as_ref().map_or(0, Vec::len)) as u64
}

impl Backlog {
    pub(super) fn has_some(&self) -> bool {
        self.has_some.load(Ordering::Acquire)
    }

    /// Takes a result, and says whether it is current. If there are too many, others give way.
    fn put(&self, changes: &Changes, key: &Recorded, mut one: Waiting, limit: u64) -> bool {
        let limit = limit.min(BYTES);
        let mut waiting = self.waiting.lock();
        let is_later = |there: &Waiting| there.ticket.is_refresh && there.ticket.number > one.ticket.number;
        // Under the lock, as in `remove`: what is forgotten must not come after its removal.
        if changes.is_refused(one.ticket.number) || waiting.results.get(key).is_some_and(is_later) {
            return false;
        }
        if size(key, &one) > limit {
            one.entry = None;
        }
        waiting.insert(key.clone(), one);
        while waiting.results.len() > RESULTS || waiting.bytes > limit {
            let Some(other) = waiting.results.keys().find(|other| *other != key).cloned() else { break };
            waiting.remove(&other);
        }
        self.has_some.store(true, Ordering::Release);
        true
    }

    /// Removes a result, or with `None` all, and refuses those that are being computed. What the database has for the key is
    /// removed when it is open.
    fn remove(&self, changes: &Changes, key: Option<&Recorded>) {
        let mut waiting = self.waiting.lock();
        match key {
            Some(key) if waiting.results.len() < RESULTS => {
                let ticket = Ticket { is_refresh: true, ..changes.begin() };
                waiting.insert(key.clone(), Waiting { entry: None, deadline: 0, ticket });
                self.has_some.store(true, Ordering::Release);
            }
            Some(key) => waiting.remove(key),
            None => *waiting = Queue::default(),
        }
        changes.refuse();
    }

    /// Gives all that wait, which then wait no more, in the order in which they began.
    fn take(&self) -> Vec<(Recorded, Waiting)> {
        let mut waiting = self.waiting.lock();
        self.has_some.store(false, Ordering::Release);
        let mut taken: Vec<_> = std::mem::take(&mut *waiting).results.into_iter().collect();
        taken.sort_by_key(|(_, one)| one.ticket.number);
        taken
    }
}

impl<V> DiskStore<V> {
    /// Puts a result off that could not be stored because of this error, if the database is not open. `Ok` if it is outdated.
    #[cold]
    pub(super) fn put_off<K: Args + ?Sized>(
        &self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        ticket: Option<Ticket>,
        error: Error,
    ) -> Result<bool, Error> {
        let Some(database) = self.closed() else { return Err(error) };
        let Options { expiry, max_bytes, .. } = &self.options;
        let one = Waiting {
            entry: self.encode(value).ok(),
            deadline: expiry.deadline(time),
            ticket: ticket.unwrap_or_else(|| Ticket { is_refresh: true, ..database.changes.begin() }),
        };
        let is_current = self.backlog.put(&database.changes, &Recorded::of(key), one, *max_bytes);
        if is_current { Err(error) } else { Ok(false) }
    }

    /// Removes the result of this key, or of all keys, that was put off, if the database is not open.
    #[cold]
    pub(super) fn forget<K: Args + ?Sized>(&self, key: Option<&K>) {
        if let Some(database) = self.closed() {
            self.backlog.remove(&database.changes, key.map(Recorded::of).as_ref());
        }
    }

    /// Stores what could not be stored while the database was not open. What another process has stored meanwhile may be newer,
    /// and stays.
    #[cold]
    pub(super) fn catch_up(&self, entries: &Entries, engine: &Engine) {
        for (recorded, Waiting { entry, deadline, ticket, .. }) in self.backlog.take() {
            let key = entry::key(entries.id, entries.namespace.digest_of_recorded(&recorded));
            let entry = entry.filter(|_| self.options.expiry.allows(deadline));
            let stored = read(engine, key).and_then(|found| match (found, entry) {
                (Some((header, _)), _) if self.is_live(entries, header) => {
                    // Nobody knows which is newer, this entry or the result of a refresh. So neither is used.
                    let _change = entries.database.changes.lock(&key);
                    if ticket.is_refresh { self.take(entries, engine, key).map(drop) } else { Ok(()) }
                }
                (_, None) => Ok(()),
                (_, Some(entry)) => {
                    let entry = Some(self.pack(entries, engine, entry)?).filter(|entry| self.fits(key, entry));
                    self.store_entry(entries, engine, key, self.header(deadline), entry, Some(ticket)).map(drop)
                }
            });
            if let Err(error) = stored {
                log::debug!(target: "twat_cache", "{}; results are not stored that waited for it", error.chain());
                return;
            }
        }
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog").field("has_some", &self.has_some).finish_non_exhaustive()
    }
}

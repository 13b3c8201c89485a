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
    waiting: Mutex<HashMap<Recorded, Waiting>>,
}

/// A result that waits.
struct Waiting {
    /// Not compressed, with room for its header.
    entry: Option<Vec<u8>>,
    deadline: u64,
    ticket: Ticket,
    /// Nobody has asked for its removal yet.
    is_new: bool,
}

impl Backlog {
    pub(super) fn has_some(&self) -> bool {
        self.has_some.load(Ordering::Acquire)
    }

    /// Takes a result, if none is there that began later. If there are too many, others give way. `None` takes the place of a
    /// result that is not to be stored. Says whether it is current.
    fn put(&self, changes: &Changes, key: &Recorded, one: Waiting, limit: u64) -> bool {
        let limit = limit.min(BYTES);
        let mut waiting = self.waiting.lock();
        // Under the lock, as in `remove`: what is forgotten must not come after its removal.
        if changes.is_refused(one.ticket.number) {
            return false;
        }
        if waiting.get(key).is_none_or(|there| there.ticket.number < one.ticket.number) {
            let entry = one.entry.filter(|entry| size(key, entry) <= limit);
            waiting.insert(key.clone(), Waiting { entry, ..one });
        }
        let bytes = |(key, one): (&Recorded, &Waiting)| size(key, one.entry.as_deref().unwrap_or_default());
        let mut held: u64 = waiting.iter().map(bytes).sum();
        while waiting.len() > RESULTS || held > limit {
            let Some(other) = waiting.keys().find(|other| *other != key).cloned() else { break };
            held -= waiting.remove_entry(&other).map_or(0, |(key, one)| bytes((&key, &one)));
        }
        self.has_some.store(true, Ordering::Release);
        true
    }

    /// Removes a result, or with `None` all, and refuses those that are being computed.
    ///
    /// If an `insert` fails, a [`Fallback`](twat_cache_core::Fallback) asks for the removal of the entry that the result should
    /// have replaced. So the first removal after an `insert` is not about the result.
    fn remove(&self, changes: &Changes, key: Option<&Recorded>) {
        let mut waiting = self.waiting.lock();
        match key.map(|key| (key, waiting.get_mut(key))) {
            Some((_, Some(one))) if one.is_new => {
                one.is_new = false;
                return;
            }
            Some((key, _)) => drop(waiting.remove(key)),
            None => waiting.clear(),
        }
        changes.refuse();
    }

    /// Gives all that wait, which then wait no more, in the order in which they began.
    fn take(&self) -> Vec<(Recorded, Waiting)> {
        let mut waiting = self.waiting.lock();
        self.has_some.store(false, Ordering::Release);
        let mut taken: Vec<_> = waiting.drain().collect();
        taken.sort_by_key(|(_, one)| one.ticket.number);
        taken
    }
}

fn size(key: &Recorded, entry: &[u8]) -> u64 {
    (key.len() + entry.len()) as u64
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
            is_new: ticket.is_none_or(|ticket| ticket.is_refresh),
        };
        let is_current = self.backlog.put(&database.changes, &Recorded::of(key), one, *max_bytes);
        if is_current { Err(error) } else { Ok(false) }
    }

    /// What a removal of this key, or of all keys, means for results that were put off, if the database is not open.
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
            let Some(entry) = entry.filter(|_| self.options.expiry.allows(deadline)) else { continue };
            let key = entry::key(entries.id, entries.namespace.digest_of_recorded(&recorded));
            let stored = read(engine, key).and_then(|found| match found {
                Some((header, _)) if self.is_live(entries, header) => {
                    // Nobody knows which is newer, this entry or the result of a refresh. So neither is used.
                    let _change = entries.database.changes.lock(&key);
                    if ticket.is_refresh { self.take(entries, engine, key).map(drop) } else { Ok(()) }
                }
                _ => {
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

//! Changes of the primary, and of the secondary where that fails.

use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Fallback;
use crate::{Answer, Args, Error, KeyedStore, Store, Ticket};

impl<P, S> Fallback<P, S> {
    /// Notes what came of a removal in the primary.
    pub(super) fn removed<K: Hash + ?Sized>(
        &self,
        key: &K,
        since: u64,
        removed: Result<bool, Error>,
        secondary: Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        S: Store,
    {
        let removed = removed.inspect_err(|error| {
            self.failed(error);
            self.stale.insert(key);
        })?;
        self.stale.remove(key, since);
        Ok(secondary? | removed)
    }

    pub(super) fn cleared(
        &self,
        since: u64,
        cleared: Result<(), Error>,
        secondary: Result<(), Error>,
    ) -> Result<(), Error>
    where
        S: Store,
    {
        cleared.inspect_err(|error| {
            self.failed(error);
            self.stale.insert_all();
        })?;
        self.stale.clear(since);
        secondary
    }

    pub(super) fn all(&self, secondary: usize, primary: Result<usize, Error>) -> Result<usize, Error>
    where
        S: Store,
    {
        match primary {
            Ok(primary) => Ok(secondary + primary),
            Err(error) if self.failed(&error) => Ok(secondary),
            Err(error) => Err(error),
        }
    }

    /// The primary has stored a value.
    pub(super) fn stored<K>(&self, key: &K, since: u64, is_current: bool) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K>,
    {
        if is_current {
            self.stale.remove(key, since);
        }
        if self.has_secondary_entries.load(Ordering::Acquire) {
            self.secondary.remove(key)?;
        }
        Ok(is_current)
    }

    /// Like [`put`](Self::put), for a task. What the primary refuses later is not kept: the value is gone by then.
    pub(super) fn put_async<'a, K>(
        &'a self,
        key: &K,
        value: &P::Value,
        time: Option<Duration>,
        begun: Option<Ticket>,
        insert: impl FnOnce(&'a P) -> Answer<'a, bool>,
    ) -> Answer<'a, bool>
    where
        K: Args + ?Sized,
        P: KeyedStore<K> + KeyedStore<K::Owned>,
        S: KeyedStore<K, Value = P::Value> + KeyedStore<K::Owned, Value = P::Value>,
    {
        let since = self.stale.now();
        let later = match self.is_ready(since).map(|is_ready| is_ready.then(|| insert(&self.primary))) {
            Ok(Some(Answer::Later(later))) => later,
            Ok(Some(Answer::Now(inserted))) => {
                return Answer::Now(self.finish_put(key, value, time, begun, since, Some(inserted)));
            }
            Ok(None) => return Answer::Now(self.finish_put(key, value, time, begun, since, None)),
            Err(error) => return Answer::Now(self.finish_put(key, value, time, begun, since, Some(Err(error)))),
        };
        let key = key.to_key();
        Answer::later(async move {
            match later.await {
                Ok(is_current) => self.stored(&key, since, is_current),
                Err(error) => {
                    self.failed(&error);
                    // As in `finish_put`.
                    let may_stay = self.primary.is_shared() && begun.is_some_and(|ticket| !ticket.is_refresh);
                    if !may_stay && self.primary.remove_async(&key).await.is_err() {
                        self.stale.insert(&key);
                    }
                    Ok(false)
                }
            }
        })
    }

    /// Stores a value in the primary by `insert`, or else in the secondary; says whether it is current.
    pub(super) fn put<K>(
        &self,
        key: &K,
        value: &P::Value,
        time: Option<Duration>,
        begun: Option<Ticket>,
        insert: impl FnOnce(&P) -> Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        P: KeyedStore<K>,
        S: KeyedStore<K, Value = P::Value>,
    {
        let since = self.stale.now();
        let inserted = self.is_ready(since).and_then(|is_ready| is_ready.then(|| insert(&self.primary)).transpose());
        self.finish_put(key, value, time, begun, since, inserted.transpose())
    }

    /// Whether the primary can take an entry. If all of its entries are stale, it is emptied first.
    pub(super) fn is_ready(&self, since: u64) -> Result<bool, Error>
    where
        P: Store,
    {
        if self.has_switched() {
            return Ok(false);
        }
        if self.stale.is_all() {
            self.primary.clear()?;
            self.stale.clear(since);
        }
        Ok(true)
    }

    /// What is done after the primary was asked to store a value, if it was.
    pub(super) fn finish_put<K>(
        &self,
        key: &K,
        value: &P::Value,
        time: Option<Duration>,
        begun: Option<Ticket>,
        since: u64,
        inserted: Option<Result<bool, Error>>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        P: KeyedStore<K>,
        S: KeyedStore<K, Value = P::Value>,
    {
        let mut refused = None;
        let is_shared = self.primary.is_shared();
        if let Some(inserted) = inserted {
            match inserted {
                Ok(is_current) => return self.stored(key, since, is_current),
                Err(error) if error.kind().is_lasting() => drop(self.failed(&error)),
                Err(error) => {
                    // The primary may have an older entry of this key. A shared one has what other processes have stored, which
                    // may stay beside a result that is not a refresh.
                    let may_stay = is_shared && begun.is_some_and(|ticket| !ticket.is_refresh);
                    if !may_stay && self.primary.remove(key).is_err() {
                        self.stale.insert(key);
                    }
                    refused = Some(error);
                }
            }
        }
        self.has_secondary_entries.store(true, Ordering::Release);
        if is_shared {
            // The stamp comes first: it is that of the computation if that is not outdated afterwards.
            let stamp = self.primary.stamp(key);
            let is_current = begun.is_none_or(|ticket| !self.primary.is_outdated(key, ticket));
            self.stamps.set(key, stamp.filter(|_| is_current));
        }
        // The entry expires as the one that it replaces, whatever the secondary's own TTL is.
        let stored = self.secondary.insert_with_ttl(key, value, time.or(self.primary.ttl()));
        match refused {
            // Neither store can have this value. The caller logs that, once.
            Some(error) if stored.is_err() => return Err(error),
            Some(error) => drop(self.failed(&error)),
            None => {}
        }
        stored.map(|()| true)
    }
}

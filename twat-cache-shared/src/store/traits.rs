use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use twat_cache_core::{Args, Claim, Error, Found, KeyedStore, Stamp, Store, Ticket};

use super::{SharedStore, is_cleared};
use crate::entries::Space;

impl<V: Send + Sync> Store for SharedStore<V> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        if !self.options.keeps() {
            return Ok(0);
        }
        self.with("count the entries", |open| match open.with(|connection| self.space(open, connection))? {
            Some(space) => space.len(open),
            None => Ok(0),
        })
    }

    fn clear(&self) -> Result<(), Error> {
        self.clear_all()
    }

    fn ttl(&self) -> Option<Duration> {
        self.options.expiry.lifetime()
    }

    #[inline]
    fn stale(&self) -> Option<Duration> {
        self.options.expiry.stale
    }

    fn describe(&self) -> String {
        format!("the shared database at {}", self.path().display())
    }

    fn evictions(&self) -> u64 {
        self.account.evicted.load(Ordering::Relaxed)
    }

    fn is_shared(&self) -> bool {
        true
    }

    /// It does not look at the file of the counters: that would take longer than a hit in memory.
    #[inline]
    fn is_current(&self, stamp: Stamp) -> bool {
        let open = self.database.as_ref().and_then(|database| database.latest());
        open.is_some_and(|open| open.meta.is_current(stamp))
    }
}

impl<K: Args + ?Sized, V: Send + Sync> KeyedStore<K> for SharedStore<V> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        Ok(self.find(key)?.map(|(value, _)| value))
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.change("remove an entry", key, 0, |open, connection, digest| self.take(open, connection, digest))
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        let found = |(value, deadline)| Found { value, ttl: self.options.expiry.left(deadline) };
        Ok(self.find(key)?.map(found))
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.store(key, value, time, None).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        let number = || {
            let database = self.options.keeps().then(|| self.database().ok())??;
            let open = database.open(self.options.trust).ok()?;
            open.meta.order.begin(self.namespace(open).digest_of(key)).ok()
        };
        Ticket { number: number().unwrap_or_default(), is_refresh: false }
    }

    fn insert_begun(&self, key: &K, value: &V, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.store(key, value, time, Some(ticket))
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        let is_outdated = self.with("find out whether a result is outdated", |open| {
            let space = open.with(|connection| self.space(open, connection))?;
            let digest = self.namespace(open).digest_of(key);
            Ok(open.meta.order.is_outdated(digest, ticket.number)? || is_cleared(space, Some(ticket)))
        });
        is_outdated.unwrap_or(true)
    }

    fn stamp(&self, key: &K) -> Option<Stamp> {
        let open = self.database().ok()?.open(self.options.trust).ok()?;
        open.meta.stamp(self.namespace(open).digest_of(key))
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        let claim = || {
            let database = self.database().ok()?.clone();
            let open = database.open(self.options.trust).ok().filter(|open| open.is_writable())?;
            let namespace = self.namespace(open);
            let digest = namespace.digest_of(key);
            let (claims, expiry) = (open.claims.clone(), self.options.expiry.clone());
            let is_there = move || {
                let open = database.latest().filter(|_| !database.is_forked());
                let entry = open.and_then(|open| {
                    let found = open.with(|connection| {
                        let space = Space::find(connection, &namespace, Default::default())?;
                        space.map_or(Ok(None), |space| space.entry(connection, digest))
                    });
                    found.ok().flatten()?.ok()
                });
                entry.is_some_and(|entry| expiry.is_fresh(entry.deadline))
            };
            Some(claims.claim(digest, patience, is_there))
        };
        self.options.keeps().then(claim).flatten().unwrap_or_else(Claim::free)
    }
}

impl<V> fmt::Debug for SharedStore<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore")
            .field("options", &self.options)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use twat_cache_core::among::meta::Meta;
use twat_cache_core::among::system;
use twat_cache_core::persist::CacheValue;
use twat_cache_core::{Answer, Args, Claim, Error, Found, KeyedStore, Stamp, Store, Ticket, ViewStore};

use super::open::Digest;
use super::{FileStore, MOVED};
use crate::codec::FileCodec;
use crate::entry::Header;
use crate::table::Open;
use crate::view::View;

impl<V, C: FileCodec<V>> Store for FileStore<V, C> {
    type Value = V;

    fn len(&self) -> Result<usize, Error> {
        if !self.options.keeps() {
            return Ok(0);
        }
        let len = self.directory()?.len();
        len.map_err(|error| Error::from(error).attempting("count the entries").at(self.path()))
    }

    fn clear(&self) -> Result<(), Error> {
        let attempt = "remove the entries";
        self.change(attempt, |directory, _| {
            let cleared = directory.clear(self.options.max_bytes);
            self.table.clear();
            cleared.map_err(|error| Error::from(error).attempting(attempt).at(self.path()))
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
        format!("files at {}", self.path().display())
    }

    fn is_shared(&self) -> bool {
        true
    }

    /// It seldom looks at the file of the counters, and at a coarse clock: all else would take longer than a hit in memory.
    #[inline]
    fn is_current(&self, stamp: Stamp) -> bool {
        let now = system::coarse_clock();
        let is_in_use = |meta: &Meta| self.near_in_use.passes(now, MOVED, || meta.is_in_use());
        self.directory.get().is_some_and(|directory| is_in_use(&directory.meta) && directory.meta.is_current(stamp))
    }

    fn evictions(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}

impl<K: Args + ?Sized, V, C: FileCodec<V>> KeyedStore<K> for FileStore<V, C> {
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        self.find(key)?.map(|open| self.value(&open)).transpose()
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        let (digest, mut was_there) = (Digest::default(), false);
        self.change("remove an entry", |directory, _| {
            let digest = digest.of(key, directory);
            let removed = directory.remove(digest, &self.options.expiry);
            self.table.remove(&digest);
            was_there |= removed?;
            Ok(was_there)
        })
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        self.find(key)?.map(|open| Ok(self.found(self.value(&open)?, &open))).transpose()
    }

    fn insert_with_ttl(&self, key: &K, value: &V, time: Option<Duration>) -> Result<(), Error> {
        self.store(key, value, time, None).map(drop)
    }

    fn begin(&self, key: &K) -> Ticket {
        let number = || {
            let directory = self.options.keeps().then(|| self.directory().ok())??;
            directory.meta.order.begin(directory.digest(key)).ok()
        };
        Ticket { number: number().unwrap_or_default(), is_refresh: false }
    }

    fn insert_begun(&self, key: &K, value: &V, time: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.store(key, value, time, Some(ticket))
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        let Ok(directory) = self.directory() else { return true };
        directory.meta.order.is_outdated(directory.digest(key), ticket.number).unwrap_or(true)
    }

    fn stamp(&self, key: &K) -> Option<Stamp> {
        let directory = self.directory().ok().filter(|directory| !directory.is_remote)?;
        directory.meta.stamp(directory.digest(key))
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        let directory = self.options.keeps().then(|| self.directory().ok()).flatten();
        let Some(directory) = directory.filter(|directory| directory.meta.is_writable) else { return Claim::free() };
        let digest = directory.digest(key);
        let (path, expiry) = (directory.path_of(digest), self.options.expiry.clone());
        // A stale result is computed again.
        let is_fresh = move |deadline| {
            let stale = expiry.stale.unwrap_or_default();
            expiry.allows(deadline) && expiry.left(deadline).is_none_or(|left| left > stale)
        };
        let is_there = move || Header::read(&path).is_some_and(|header| is_fresh(header.deadline));
        directory.claims.claim(digest, patience, is_there)
    }

    fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<V>> {
        self.find_async(key).then(|open| open?.map(|open| self.value(&open)).transpose())
    }

    fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<V>>> {
        let found = |open: Arc<Open<_>>| Ok(self.found(self.value(&open)?, &open));
        self.find_async(key).then(move |open| open?.map(found).transpose())
    }

    fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &V, time: Option<Duration>) -> Answer<'a, ()> {
        self.store_async(key, value, time, None).then(|stored| stored.map(drop))
    }

    fn insert_begun_async<'a>(
        &'a self,
        key: &K,
        value: &V,
        time: Option<Duration>,
        ticket: Ticket,
    ) -> Answer<'a, bool> {
        self.store_async(key, value, time, Some(ticket))
    }
}

impl<K: Args + ?Sized, V: CacheValue> ViewStore<K> for FileStore<V> {
    type View = View<V>;

    #[inline]
    fn view(&self, key: &K) -> Result<Option<View<V>>, Error> {
        Ok(self.find(key)?.map(|open| open.entry.clone()))
    }

    fn view_with_ttl(&self, key: &K) -> Result<Option<Found<View<V>>>, Error> {
        Ok(self.find(key)?.map(|open| self.found(open.entry.clone(), &open)))
    }

    #[inline]
    fn view_async<'a>(&'a self, key: &K) -> Answer<'a, Option<View<V>>> {
        self.find_async(key).then(|open| Ok(open?.map(|open| open.entry.clone())))
    }

    fn view_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<View<V>>>> {
        self.find_async(key).then(|open| Ok(open?.map(|open| self.found(open.entry.clone(), &open))))
    }

    fn to_view(&self, value: &V) -> Result<View<V>, Error> {
        View::new(value)
    }
}

impl<V, C: FileCodec<V>> fmt::Debug for FileStore<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.path)
            .field("options", &self.options)
            .field("reading", &self.reading)
            .finish_non_exhaustive()
    }
}

//! How the front gets and loses its copies.

use std::hash::Hash;
use std::time::Duration;

use super::{Copied, Near};
use crate::sync::is_mutant;
use crate::{Answer, Args, Error, Found, KeyedStore, Stamp, Store};

impl<F, B> Near<F, B> {
    /// The TTL of the copy of an entry with this TTL. A copy does not outlive its entry.
    pub(super) fn in_front(&self, ttl: Option<Duration>) -> Option<Duration>
    where
        F: Store,
    {
        ttl.into_iter().chain(self.front.ttl()).min()
    }

    pub(super) fn clear_copies(&self, cleared: Result<(), Error>) -> Result<(), Error>
    where
        F: Store,
    {
        self.own.raise_all();
        self.front.clear().and(cleared)
    }

    #[inline]
    pub(super) fn get_from_front<K>(&self, key: &K) -> Result<Option<B::Value>, Error>
    where
        K: ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: Store,
        B::Value: Clone,
    {
        self.front.get_part(key, |copy| self.is_valid(copy.stamp).then(|| copy.value.clone()))
    }

    /// Whether only the back knows if an entry is stale whose copy expires after this time: a copy may expire before its entry,
    /// and others may have replaced that.
    pub(super) fn may_be_stale(&self, ttl: Option<Duration>) -> bool
    where
        F: Store,
        B: Store,
    {
        let is_certain = self.front.ttl().is_none() && !self.back.is_shared();
        ttl.is_some_and(|left| self.back.stale() >= Some(left)) && !is_certain
    }

    /// Reads from the back after a miss in the front, and fills the front.
    #[cold]
    pub(super) fn get_from_back<K>(&self, key: &K, error: Option<Error>) -> Result<Option<Found<B::Value>>, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: KeyedStore<K>,
    {
        // The stamp comes first: what changes after it makes the copy invalid.
        let stamp = self.stamp_now(key);
        let found = self.back.get_with_ttl(key);
        let stamp = if is_mutant("stamps after the lookup") { self.stamp_now(key) } else { stamp };
        self.fill(key, stamp, found, error)
    }

    #[cold]
    pub(super) fn get_from_back_async<'a, K>(
        &'a self,
        key: &K,
        error: Option<Error>,
    ) -> Answer<'a, Option<Found<B::Value>>>
    where
        K: Args + ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>> + KeyedStore<K::Owned, Value = Copied<B::Value>>,
        B: KeyedStore<K>,
    {
        let stamp = self.stamp_now(key);
        match self.back.get_with_ttl_async(key) {
            Answer::Now(found) => Answer::Now(self.fill(key, stamp, found, error)),
            Answer::Later(found) => {
                let key = key.to_key();
                Answer::later(async move { self.fill(&key, stamp, found.await, error) })
            }
        }
    }

    /// Fills the front with what the back has.
    pub(super) fn fill<K>(
        &self,
        key: &K,
        stamp: Option<Stamp>,
        found: Result<Option<Found<B::Value>>, Error>,
        error: Option<Error>,
    ) -> Result<Option<Found<B::Value>>, Error>
    where
        K: ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: Store,
    {
        let Some(found) = found? else {
            return error.map_or(Ok(None), Err);
        };
        let Some(stamp) = stamp else { return Ok(Some(found)) };
        let (copy, ttl) = (Copied { value: found.value, stamp }, self.in_front(found.ttl));
        // If the front does not take it, the next lookup goes to the back again.
        let _ = self.front.insert_with_ttl(key, &copy, ttl);
        Ok(Some(Found { value: copy.value, ttl: found.ttl }))
    }

    /// Stores a value in the back by `insert`, which says whether the value is current, and in the front. A `change` replaces
    /// what others may have copies of.
    pub(super) fn put<K>(
        &self,
        key: &K,
        value: &B::Value,
        ttl: Option<Duration>,
        is_change: bool,
        insert: impl FnOnce(&B) -> Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: KeyedStore<K>,
        B::Value: Clone,
    {
        let stamp = self.stamp_now(key);
        let stored = insert(&self.back);
        self.copy(key, value, ttl, self.stamp_after(stamp, is_change), stored)
    }

    pub(super) fn put_async<'a, K>(
        &'a self,
        key: &K,
        value: &B::Value,
        ttl: Option<Duration>,
        is_change: bool,
        insert: impl FnOnce(&'a B) -> Answer<'a, bool>,
    ) -> Answer<'a, bool>
    where
        K: Args + ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>> + KeyedStore<K::Owned, Value = Copied<B::Value>>,
        B: KeyedStore<K>,
        B::Value: Clone,
    {
        let stamp = self.stamp_now(key);
        match insert(&self.back) {
            Answer::Now(stored) => Answer::Now(self.copy(key, value, ttl, self.stamp_after(stamp, is_change), stored)),
            // The next lookup reads the new value in the back.
            Answer::Later(stored) => {
                let key = key.to_key();
                Answer::later(async move {
                    let stored = stored.await;
                    self.stamp_after(stamp, is_change);
                    self.front.remove(&key)?;
                    stored
                })
            }
        }
    }

    /// The stamp for a copy of what was stored.
    pub(super) fn stamp_after(&self, stamp: Option<Stamp>, is_change: bool) -> Option<Stamp>
    where
        B: Store,
    {
        match stamp {
            // A shared back has made all copies invalid. The next lookup reads the new value there.
            _ if is_change && self.back.is_shared() => None,
            Some(stamp) if is_change => self.own.raise(stamp),
            stamp => stamp,
        }
    }

    /// Stores a copy of what the back has stored, or removes an older one.
    pub(super) fn copy<K>(
        &self,
        key: &K,
        value: &B::Value,
        ttl: Option<Duration>,
        stamp: Option<Stamp>,
        stored: Result<bool, Error>,
    ) -> Result<bool, Error>
    where
        K: ?Sized,
        F: KeyedStore<K, Value = Copied<B::Value>>,
        B: Store,
        B::Value: Clone,
    {
        if let (Some(stamp), Ok(true)) = (stamp, &stored) {
            let (copy, ttl) = (Copied { value: value.clone(), stamp }, self.in_front(ttl.or(self.back.ttl())));
            if self.front.insert_with_ttl(key, &copy, ttl).is_ok() {
                return stored;
            }
        }
        self.front.remove(key)?;
        stored
    }

    /// Removes the copy of what was removed in the back.
    pub(super) fn remove_copy<K>(&self, key: &K, removed: Result<bool, Error>) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        F: KeyedStore<K>,
        B: Store,
    {
        self.own.raise(self.own.stamp(key));
        // A copy may be older than what others have removed.
        let is_copied = self.front.remove(key)? && !self.back.is_shared();
        Ok(removed? | is_copied)
    }
}

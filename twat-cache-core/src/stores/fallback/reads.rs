//! Which of the two stores has the entry that counts.

use std::hash::Hash;
use std::sync::atomic::Ordering;

use super::Fallback;
use crate::{Answer, Args, Error, KeyedStore, Store};

impl<P, S> Fallback<P, S> {
    /// Reads from the store that has the newest entry of this key.
    #[inline]
    pub(super) fn read<K: Hash + ?Sized, T>(
        &self,
        key: &K,
        primary: impl FnOnce(&P) -> Result<Option<T>, Error>,
        secondary: impl FnOnce(&S) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error>
    where
        P: Store,
        S: KeyedStore<K>,
    {
        let has_secondary_entries = self.has_secondary_entries.load(Ordering::Acquire);
        let found = self.asks_primary(key).then(|| primary(&self.primary));
        self.choose(key, found, has_secondary_entries, secondary)
    }

    pub(super) fn read_async<'a, K, T: 'a>(
        &'a self,
        key: &K,
        primary: impl FnOnce(&'a P) -> Answer<'a, Option<T>>,
        secondary: impl FnOnce(&S) -> Result<Option<T>, Error>,
        secondary_later: impl FnOnce(&S, &K::Owned) -> Result<Option<T>, Error> + Send + 'a,
    ) -> Answer<'a, Option<T>>
    where
        K: Args + ?Sized,
        P: Store,
        S: KeyedStore<K> + KeyedStore<K::Owned>,
    {
        let has_secondary_entries = self.has_secondary_entries.load(Ordering::Acquire);
        match self.asks_primary(key).then(|| primary(&self.primary)) {
            Some(Answer::Later(found)) => {
                let key = key.to_key();
                Answer::later(async move {
                    let found = found.await;
                    self.choose(&key, Some(found), has_secondary_entries, |secondary| secondary_later(secondary, &key))
                })
            }
            Some(Answer::Now(found)) => Answer::Now(self.choose(key, Some(found), has_secondary_entries, secondary)),
            None => Answer::Now(self.choose(key, None, has_secondary_entries, secondary)),
        }
    }

    #[inline]
    pub(super) fn asks_primary<K: Hash + ?Sized>(&self, key: &K) -> bool {
        !(self.has_switched() || self.stale.has(key))
    }

    /// Chooses between what the primary has found and the secondary's entry. The primary comes first: it has no entry of a key
    /// that the secondary has, unless another process has stored one since.
    #[inline]
    pub(super) fn choose<K: Hash + ?Sized, T>(
        &self,
        key: &K,
        found: Option<Result<Option<T>, Error>>,
        has_secondary_entries: bool,
        secondary: impl FnOnce(&S) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error>
    where
        P: Store,
        S: KeyedStore<K>,
    {
        let mut has_failed = self.has_switched();
        let found = found.and_then(|found| {
            found.unwrap_or_else(|error| {
                self.failed(&error);
                has_failed = true;
                None
            })
        });
        match found {
            _ if !has_secondary_entries => Ok(found),
            None if !has_failed && self.has_changed(key) => {
                let _ = self.secondary.remove(key);
                Ok(None)
            }
            Some(found) => {
                // The secondary's entry is older, and must not come back when this one is gone.
                let _ = self.secondary.remove(key);
                Ok(Some(found))
            }
            None => secondary(&self.secondary),
        }
    }
}

impl<P: Store, S> Fallback<P, S> {
    /// Whether another process may have forgotten or refreshed this key since the secondary's entry began.
    pub(super) fn has_changed<K: Hash + ?Sized>(&self, key: &K) -> bool {
        let is_current = || self.stamps.get(key).is_some_and(|stamp| self.primary.is_current(stamp));
        self.primary.is_shared() && !is_current()
    }
}

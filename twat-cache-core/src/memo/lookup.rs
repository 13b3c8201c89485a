//! Lookups in the store.

use std::sync::atomic::Ordering;

use crate::store::guard;
use crate::{Error, Found, KeyedStore, Memo};

/// What a call returns: the value itself, or a view of it.
pub(super) trait Form<S: KeyedStore<K>, K: ?Sized> {
    type Output;

    /// Looks into the store.
    fn find(store: &S, key: &K) -> Result<Option<Self::Output>, Error>;

    /// Looks into the store, also for the time until the entry expires.
    fn find_with_ttl(store: &S, key: &K) -> Result<Option<Found<Self::Output>>, Error>;

    /// Converts a computed value. With its key, it may be in the store.
    fn convert(store: &S, key: Option<&K>, value: S::Value) -> Self::Output;
}

/// Returns the value itself.
pub(super) struct Owned;

impl<K: ?Sized, S: KeyedStore<K>> Form<S, K> for Owned {
    type Output = S::Value;

    #[inline]
    fn find(store: &S, key: &K) -> Result<Option<S::Value>, Error> {
        store.get(key)
    }

    fn find_with_ttl(store: &S, key: &K) -> Result<Option<Found<S::Value>>, Error> {
        store.get_with_ttl(key)
    }

    #[inline]
    fn convert(_: &S, _: Option<&K>, value: S::Value) -> S::Value {
        value
    }
}

impl<S, F, P> Memo<S, F, P> {
    /// Looks into the store for a result that is not stale.
    #[inline]
    pub(super) fn look<M, K>(&self, key: &K) -> Result<Option<M::Output>, Error>
    where
        K: ?Sized,
        S: KeyedStore<K>,
        M: Form<S, K>,
    {
        if self.is_plain.load(Ordering::Relaxed) { M::find(&self.store, key) } else { self.look_closer::<M, _>(key) }
    }

    fn look_closer<M, K>(&self, key: &K) -> Result<Option<M::Output>, Error>
    where
        K: ?Sized,
        S: KeyedStore<K>,
        M: Form<S, K>,
    {
        match self.store.stale() {
            _ if self.is_off => Ok(None),
            None => {
                self.is_plain.store(true, Ordering::Relaxed);
                M::find(&self.store, key)
            }
            Some(stale) => {
                let found = M::find_with_ttl(&self.store, key)?;
                Ok(found.filter(|found| found.ttl.is_none_or(|left| left > stale)).map(|found| found.value))
            }
        }
    }

    /// Looks into the store for a result that may be stale, if the store has such results. An error counts as none.
    pub(super) fn find_stale<M, K>(&self, _form: &M, key: &K) -> Option<M::Output>
    where
        K: ?Sized,
        S: KeyedStore<K>,
        M: Form<S, K>,
    {
        self.store.stale()?;
        guard("look up a result", || M::find(&self.store, key)).ok().flatten()
    }

    /// Looks into the store again. An error is logged, and counts as a miss.
    pub(super) fn find<M, K, V>(&self, _form: &M, key: &K) -> Option<M::Output>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K>,
    {
        guard("look up a result", || self.look::<M, K>(key)).unwrap_or_else(|error| {
            self.warn_if(Some(error));
            None
        })
    }
}

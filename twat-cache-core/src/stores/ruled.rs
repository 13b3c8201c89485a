use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use crate::{Answer, Claim, Error, Found, KeyedStore, Stamp, Store, Ticket, ViewStore};

/// A store with a rule that decides by the value how long it is kept. [`Memo::keep_if`](crate::Memo::keep_if) and
/// [`Memo::ttl_by`](crate::Memo::ttl_by) make it.
///
/// It derefs to the store inside, which leads to the engine.
pub struct Ruled<S: Store> {
    store: S,
    rule: Box<Rule<S::Value>>,
}

/// Returns the TTL of a value, or `None` for that of the store.
type Rule<V> = dyn Fn(&V) -> Option<Duration> + Send + Sync;

impl<S: Store> Ruled<S> {
    pub(crate) fn new(store: S, rule: impl Fn(&S::Value) -> Option<Duration> + Send + Sync + 'static) -> Self {
        Self { store, rule: Box::new(rule) }
    }

    /// The TTL of a value that another rule has given this TTL. What one rule does not keep, no other keeps.
    fn ttl_of(&self, value: &S::Value, ttl: Option<Duration>) -> Option<Duration> {
        if ttl == Some(Duration::ZERO) { ttl } else { (self.rule)(value).or(ttl) }
    }
}

impl<S: Store> Deref for Ruled<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.store
    }
}

impl<S: Store> Store for Ruled<S> {
    type Value = S::Value;

    crate::__forward_0_1!(Store, |this| this.store);
}

impl<K: ?Sized, S: KeyedStore<K>> KeyedStore<K> for Ruled<S> {
    #[inline]
    fn get(&self, key: &K) -> Result<Option<S::Value>, Error> {
        self.store.get(key)
    }

    fn insert(&self, key: &K, value: &S::Value) -> Result<(), Error> {
        self.insert_with_ttl(key, value, None)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.store.remove(key)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<S::Value>>, Error> {
        self.store.get_with_ttl(key)
    }

    fn insert_with_ttl(&self, key: &K, value: &S::Value, ttl: Option<Duration>) -> Result<(), Error> {
        self.store.insert_with_ttl(key, value, self.ttl_of(value, ttl))
    }

    fn begin(&self, key: &K) -> Ticket {
        self.store.begin(key)
    }

    fn insert_begun(&self, key: &K, value: &S::Value, ttl: Option<Duration>, ticket: Ticket) -> Result<bool, Error> {
        self.store.insert_begun(key, value, self.ttl_of(value, ttl), ticket)
    }

    fn is_outdated(&self, key: &K, ticket: Ticket) -> bool {
        self.store.is_outdated(key, ticket)
    }

    fn stamp(&self, key: &K) -> Option<Stamp> {
        self.store.stamp(key)
    }

    fn claim(&self, key: &K, patience: Duration) -> Claim {
        self.store.claim(key, patience)
    }

    #[inline]
    fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<S::Value>> {
        self.store.get_async(key)
    }

    fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &S::Value, ttl: Option<Duration>) -> Answer<'a, ()> {
        self.store.insert_with_ttl_async(key, value, self.ttl_of(value, ttl))
    }

    fn remove_async<'a>(&'a self, key: &K) -> Answer<'a, bool> {
        self.store.remove_async(key)
    }

    fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<S::Value>>> {
        self.store.get_with_ttl_async(key)
    }

    fn begin_async<'a>(&'a self, key: &K) -> Answer<'a, Ticket> {
        self.store.begin_async(key)
    }

    fn insert_begun_async<'a>(
        &'a self,
        key: &K,
        value: &S::Value,
        ttl: Option<Duration>,
        ticket: Ticket,
    ) -> Answer<'a, bool> {
        self.store.insert_begun_async(key, value, self.ttl_of(value, ttl), ticket)
    }

    fn claim_async<'a>(&'a self, key: &K, patience: Duration) -> Answer<'a, Claim> {
        self.store.claim_async(key, patience)
    }
}

impl<K: ?Sized, S: ViewStore<K>> ViewStore<K> for Ruled<S> {
    type View = S::View;

    crate::__forward_0_1!(ViewStore<K>, |this| this.store);
}

impl<S: Store + fmt::Debug> fmt::Debug for Ruled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ruled").field("store", &self.store).finish_non_exhaustive()
    }
}

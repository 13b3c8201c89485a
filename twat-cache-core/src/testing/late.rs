use std::time::Duration;

use super::{Counter, yield_once};
use crate::{Answer, Args, Claim, Error, Found, KeyedStore, Store, Ticket};

/// A store that answers tasks later, around one that works. Threads get their answers at once.
///
/// ```
/// use twat_cache_core::testing::{Late, block_on};
/// use twat_cache_core::{LruStore, Memo};
///
/// let double = Memo::new_async(Late::new(LruStore::new(10)), async |n: &u64| n * 2);
/// assert_eq!(block_on(double.call_async(&21)), 42);
/// assert!(double.store().answers() > 0);
/// ```
#[derive(Debug)]
pub struct Late<S> {
    inner: S,
    answers: Counter,
}

impl<S> Late<S> {
    /// Makes `inner` answer later.
    pub fn new(inner: S) -> Self {
        Self { inner, answers: Counter::new() }
    }

    /// The store inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// How many answers came later.
    pub fn answers(&self) -> usize {
        self.answers.get()
    }

    fn later<'a, T>(&'a self, answer: impl FnOnce(&'a S) -> Result<T, Error> + Send + 'a) -> Answer<'a, T>
    where
        S: Sync,
    {
        Answer::later(async move {
            yield_once().await;
            self.answers.count();
            answer(&self.inner)
        })
    }
}

impl<S: Store> Store for Late<S> {
    type Value = S::Value;

    fn len(&self) -> Result<usize, Error> {
        self.inner.len()
    }

    fn clear(&self) -> Result<(), Error> {
        self.inner.clear()
    }

    fn len_async(&self) -> Answer<'_, usize> {
        self.later(S::len)
    }

    fn clear_async(&self) -> Answer<'_, ()> {
        self.later(S::clear)
    }

    fn ttl(&self) -> Option<Duration> {
        self.inner.ttl()
    }

    fn stale(&self) -> Option<Duration> {
        self.inner.stale()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn evictions(&self) -> u64 {
        self.inner.evictions()
    }
}

impl<K, S, V> KeyedStore<K> for Late<S>
where
    K: Args + ?Sized,
    S: KeyedStore<K, Value = V> + KeyedStore<K::Owned, Value = V>,
    V: Clone + Send + 'static,
{
    fn get(&self, key: &K) -> Result<Option<V>, Error> {
        self.inner.get(key)
    }

    fn insert(&self, key: &K, value: &V) -> Result<(), Error> {
        self.inner.insert(key, value)
    }

    fn remove(&self, key: &K) -> Result<bool, Error> {
        self.inner.remove(key)
    }

    fn get_with_ttl(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        self.inner.get_with_ttl(key)
    }

    fn insert_with_ttl(&self, key: &K, value: &V, ttl: Option<Duration>) -> Result<(), Error> {
        self.inner.insert_with_ttl(key, value, ttl)
    }

    fn get_async<'a>(&'a self, key: &K) -> Answer<'a, Option<V>> {
        let key = key.to_key();
        self.later(move |inner| inner.get(&key))
    }

    fn get_with_ttl_async<'a>(&'a self, key: &K) -> Answer<'a, Option<Found<V>>> {
        let key = key.to_key();
        self.later(move |inner| inner.get_with_ttl(&key))
    }

    fn insert_with_ttl_async<'a>(&'a self, key: &K, value: &V, ttl: Option<Duration>) -> Answer<'a, ()> {
        let (key, value) = (key.to_key(), value.clone());
        self.later(move |inner| inner.insert_with_ttl(&key, &value, ttl))
    }

    fn insert_begun_async<'a>(&'a self, key: &K, value: &V, ttl: Option<Duration>, _: Ticket) -> Answer<'a, bool> {
        self.insert_with_ttl_async(key, value, ttl).then(|stored| stored.map(|()| true))
    }

    fn remove_async<'a>(&'a self, key: &K) -> Answer<'a, bool> {
        let key = key.to_key();
        self.later(move |inner| inner.remove(&key))
    }

    fn begin_async<'a>(&'a self, _: &K) -> Answer<'a, Ticket> {
        self.later(|_| Ok(Ticket::default()))
    }

    fn claim_async<'a>(&'a self, _: &K, _: Duration) -> Answer<'a, Claim> {
        self.later(|_| Ok(Claim::free()))
    }
}

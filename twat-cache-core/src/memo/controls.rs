//! What a memo can be asked beside calls.

use super::lookup::Owned;
use super::{Mode, Takes};
use crate::flight::Turn;
use crate::store::guard;
use crate::sync::{Driver, ready};
use crate::{Answer, Args, Error, KeyedStore, Memo, Store};

/// Methods that do not run the function.
impl<S, F, P> Memo<S, F, P> {
    /// Returns the stored result for `key`, or `None`. It does not run the function.
    ///
    /// Like [`forget`](Self::forget) and [`insert`](Self::insert), it accepts only the argument type of the function.
    pub fn peek<K, R, V, Kind>(&self, key: &K) -> Result<Option<V>, Error>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        guard("look up a result", || self.look::<Owned, _>(key))
    }

    /// Removes the result for `key`. Returns whether there was one.
    ///
    /// After an error, the store may still have the result.
    pub fn forget<K, R, Kind>(&self, key: &K) -> Result<bool, Error>
    where
        K: Args + ?Sized,
        S: KeyedStore<K>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        let (_invalidated, result) = self.flights.invalidate(self.flights.digest(key));
        let removed = guard("forget a result", || self.store.remove(key));
        result.and(removed)
    }

    /// Stores `value` for `key`, like a [`refresh`](Self::refresh) that returns `value`.
    pub fn insert<K, R, V, Kind>(&self, key: &K, value: &V) -> Result<(), Error>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        ready(self.insert_by(Driver::Thread, key, value))
    }

    /// Like [`peek`](Self::peek), for a task: it does not block the thread while the store answers.
    pub async fn peek_async<K, R, V, Kind>(&self, key: &K) -> Result<Option<V>, Error>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        Answer::guarded("look up a result", || self.look_async::<Owned, _>(key)).await
    }

    /// Like [`forget`](Self::forget), for a task.
    pub async fn forget_async<K, R, Kind>(&self, key: &K) -> Result<bool, Error>
    where
        K: Args + ?Sized,
        S: KeyedStore<K>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        let (_invalidated, result) = self.flights.invalidate(self.flights.digest(key));
        let removed = Answer::guarded("forget a result", || self.store.remove_async(key)).await;
        result.and(removed)
    }

    /// Like [`insert`](Self::insert), for a task.
    pub async fn insert_async<K, R, V, Kind>(&self, key: &K, value: &V) -> Result<(), Error>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        self.insert_by(Driver::Task, key, value).await
    }

    async fn insert_by<K, V>(&self, driver: Driver, key: &K, value: &V) -> Result<(), Error>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        if self.is_off {
            return Ok(());
        }
        let turn = Turn::alone();
        let (computation, ticket) = self.begin(driver, &turn, self.flights.digest(key), key, true).await;
        self.put(driver, &turn, computation.as_ref(), key, value, ticket).await
    }

    /// Like [`clear`](Self::clear), for a task.
    pub async fn clear_async(&self) -> Result<(), Error>
    where
        S: Store,
    {
        let (_invalidated, result) = self.flights.invalidate_all();
        result.and(Answer::guarded("forget all results", || self.store.clear_async()).await)
    }

    /// Like [`len`](Self::len), for a task.
    pub async fn len_async(&self) -> Result<usize, Error>
    where
        S: Store,
    {
        Answer::guarded("count the results", || self.store.len_async()).await
    }

    /// Removes all results.
    ///
    /// After an error, the store may still have some of them.
    pub fn clear(&self) -> Result<(), Error>
    where
        S: Store,
    {
        let (_invalidated, result) = self.flights.invalidate_all();
        result.and(guard("forget all results", || self.store.clear()))
    }

    /// Returns the kind and location of the store: `memory`, or `the database at /x/y`.
    ///
    /// ```
    /// use twat_cache_core::{LruStore, Memo};
    ///
    /// let square = Memo::new(LruStore::<u64>::new(10), |n: &u64| n * n);
    /// assert_eq!(square.describe(), "memory");
    /// ```
    pub fn describe(&self) -> String
    where
        S: Store,
    {
        self.store.describe()
    }

    /// Returns the number of stored results. It may count expired results that are not removed yet.
    #[expect(clippy::len_without_is_empty, reason = "see `Store::len`")]
    pub fn len(&self) -> Result<usize, Error>
    where
        S: Store,
    {
        self.store.len()
    }
}

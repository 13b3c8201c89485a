//! Lookups in the store.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::flight::Turn;
use crate::sync::Driver;
use crate::{Answer, Error, Found, KeyedStore, Memo, Store};

/// What a call returns: the value itself, or a view of it.
pub(super) trait Form<S: KeyedStore<K>, K: ?Sized> {
    type Output;

    /// Whether a computed value is read from the store again.
    const READS_BACK: bool;

    /// Looks into the store.
    fn find(store: &S, key: &K) -> Result<Option<Self::Output>, Error>;

    /// Looks into the store, also for the time until the entry expires.
    fn find_with_ttl(store: &S, key: &K) -> Result<Option<Found<Self::Output>>, Error>;

    fn find_async<'a>(store: &'a S, key: &K) -> Answer<'a, Option<Self::Output>>;

    fn find_with_ttl_async<'a>(store: &'a S, key: &K) -> Answer<'a, Option<Found<Self::Output>>>;

    /// Converts a computed value.
    fn convert(store: &S, value: S::Value) -> Self::Output;
}

/// Returns the value itself.
pub(super) struct Owned;

impl<K: ?Sized, S: KeyedStore<K>> Form<S, K> for Owned {
    type Output = S::Value;

    const READS_BACK: bool = false;

    #[inline]
    fn find(store: &S, key: &K) -> Result<Option<S::Value>, Error> {
        store.get(key)
    }

    fn find_with_ttl(store: &S, key: &K) -> Result<Option<Found<S::Value>>, Error> {
        store.get_with_ttl(key)
    }

    #[inline]
    fn find_async<'a>(store: &'a S, key: &K) -> Answer<'a, Option<S::Value>> {
        store.get_async(key)
    }

    fn find_with_ttl_async<'a>(store: &'a S, key: &K) -> Answer<'a, Option<Found<S::Value>>> {
        store.get_with_ttl_async(key)
    }

    #[inline]
    fn convert(_: &S, value: S::Value) -> S::Value {
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
        match self.asked() {
            Asked::Nothing => Ok(None),
            Asked::Fresh => M::find(&self.store, key),
            Asked::NotStale(stale) => M::find_with_ttl(&self.store, key).map(|found| fresh(found, stale)),
        }
    }

    /// Like [`look`](Self::look), for a task.
    #[inline]
    pub(super) fn look_async<'a, M, K>(&'a self, key: &K) -> Answer<'a, Option<M::Output>>
    where
        K: ?Sized,
        S: KeyedStore<K>,
        M: Form<S, K, Output: 'a>,
    {
        if self.is_plain.load(Ordering::Relaxed) {
            M::find_async(&self.store, key)
        } else {
            self.look_closer_async::<M, _>(key)
        }
    }

    fn look_closer_async<'a, M, K>(&'a self, key: &K) -> Answer<'a, Option<M::Output>>
    where
        K: ?Sized,
        S: KeyedStore<K>,
        M: Form<S, K, Output: 'a>,
    {
        match self.asked() {
            Asked::Nothing => Answer::Now(Ok(None)),
            Asked::Fresh => M::find_async(&self.store, key),
            Asked::NotStale(stale) => {
                M::find_with_ttl_async(&self.store, key).then(move |found| found.map(|found| fresh(found, stale)))
            }
        }
    }

    fn asked(&self) -> Asked
    where
        S: Store,
    {
        if self.is_off {
            return Asked::Nothing;
        }
        let stale = self.store.stale();
        self.is_plain.store(stale.is_none(), Ordering::Relaxed);
        stale.map_or(Asked::Fresh, Asked::NotStale)
    }

    /// Looks into the store for a result that may be stale, if the store has such results. An error counts as none.
    pub(super) async fn find_stale<M, K, O>(&self, driver: Driver, turn: &Turn<'_>, key: &K) -> Option<O>
    where
        K: ?Sized,
        S: KeyedStore<K>,
        M: Form<S, K, Output = O>,
    {
        self.store.stale()?;
        let (by_thread, by_task) = (|| M::find(&self.store, key), || M::find_async(&self.store, key));
        ask(driver, turn, LOOK, by_thread, by_task).await.ok().flatten()
    }

    /// Looks into the store again. An error is logged, and counts as a miss.
    pub(super) async fn find<M, K, O>(&self, driver: Driver, turn: &Turn<'_>, key: &K) -> Option<O>
    where
        K: ?Sized,
        S: KeyedStore<K>,
        M: Form<S, K, Output = O>,
    {
        let (by_thread, by_task) = (|| self.look::<M, K>(key), || self.look_async::<M, K>(key));
        ask(driver, turn, LOOK, by_thread, by_task).await.unwrap_or_else(|error| {
            self.warn_if(Some(error));
            None
        })
    }
}

/// Asks the store, with the flight on the stack: a thread in one way, and a task in the other.
pub(super) async fn ask<'a, T: 'a>(
    driver: Driver,
    turn: &Turn<'_>,
    attempt: &'static str,
    by_thread: impl FnOnce() -> Result<T, Error>,
    by_task: impl FnOnce() -> Answer<'a, T>,
) -> Result<T, Error> {
    let asked = || match driver {
        Driver::Thread => Answer::Now(by_thread()),
        Driver::Task => by_task(),
    };
    match turn.run_entered(|| Answer::guarded(attempt, asked)) {
        Answer::Now(result) => result,
        later @ Answer::Later(_) => turn.watch(later).await,
    }
}

pub(super) const LOOK: &str = "look up a result";

/// What a lookup asks the store for.
enum Asked {
    Nothing,
    Fresh,
    NotStale(Duration),
}

fn fresh<T>(found: Option<Found<T>>, stale: Duration) -> Option<T> {
    found.filter(|found| found.ttl.is_none_or(|left| left > stale)).map(|found| found.value)
}

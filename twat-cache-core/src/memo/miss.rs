//! The way of a miss. `Infallible` stands in for the error of functions that have none, and costs nothing.

use std::convert::Infallible;
use std::future::Future;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::flight::{Computation, Driver, Turn, Waited};
use crate::stats::Counters;
use crate::{Claim, Error, ErrorKind, KeyHash, KeyedStore, Memo, Sharing, Ticket};

/// The form in which a caller wants a value: its own, or lent by the store.
pub(super) trait Form<S: KeyedStore<K>, K: ?Sized> {
    type Output;

    /// What the store has.
    fn look(store: &S, key: &K) -> Result<Option<Self::Output>, Error>;

    /// What was computed, and perhaps stored.
    fn of(store: &S, key: &K, value: S::Value) -> Self::Output;
}

/// The value itself.
pub(super) struct Owned;

impl<K: ?Sized, S: KeyedStore<K>> Form<S, K> for Owned {
    type Output = S::Value;

    #[inline]
    fn look(store: &S, key: &K) -> Result<Option<S::Value>, Error> {
        store.get(key)
    }

    #[inline]
    fn of(_: &S, _: &K, value: S::Value) -> S::Value {
        value
    }
}

impl<S, F, P> Memo<S, F, P> {
    #[inline]
    pub(super) fn hit<T>(&self, found: T) -> T {
        self.counters.hit();
        found
    }

    #[cold]
    pub(super) fn miss<M, K, V, E>(
        &self,
        form: &M,
        key: &K,
        error: Option<Error>,
        _sharing: Sharing<E>,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<M::Output, E>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K>,
    {
        self.counters.miss();
        self.warn_of(error);
        let digest = self.flights.digest(key);
        let mut waits = Waits::of(&self.counters);
        let turn = loop {
            let turn = self.flights.join(digest, Driver::Thread);
            waits.note(turn.is_wait());
            // What was waited for may be given up; then somebody else is to lead.
            if let Waited::Over(turn) = turn.block() {
                break turn;
            }
        };
        let _leading = turn.enter();
        // Somebody may have stored it while we waited, or between our look and our turn.
        if let Some(found) = self.look(form, key) {
            return Ok(found);
        }
        // Other processes may be at it, or have been since.
        let claim = self.claim(&turn, key);
        waits.note(claim.is_waiting());
        let are_others = !claim.is_free();
        let _claim = claim.block();
        if are_others && let Some(found) = self.look(form, key) {
            return Ok(found);
        }
        let (computation, ticket) = (self.begin(digest), self.store.begin(key));
        let value = compute()?;
        computation.keep(|| self.keep(key, &value, ticket));
        Ok(M::of(&self.store, key, value))
    }

    // The twin of `miss`. It is boxed by its callers: a future is as large as all that it may ever hold, a hit's too.
    pub(super) async fn miss_async<M, K, V, E>(
        &self,
        form: &M,
        key: &K,
        error: Option<Error>,
        _sharing: Sharing<E>,
        compute: impl Future<Output = Result<V, E>>,
    ) -> Result<M::Output, E>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K>,
    {
        self.counters.miss();
        self.warn_of(error);
        let digest = self.flights.digest(key);
        let mut waits = Waits::of(&self.counters);
        let turn = loop {
            let turn = self.flights.join(digest, Driver::Task);
            waits.note(turn.is_wait());
            if let Waited::Over(turn) = turn.until().await {
                break turn;
            }
        };
        if let Some(found) = turn.during(|| self.look(form, key)) {
            return Ok(found);
        }
        let claim = turn.during(|| self.claim(&turn, key));
        waits.note(claim.is_waiting());
        let are_others = !claim.is_free();
        let _claim = turn.drive(claim.granted()).await;
        if are_others && let Some(found) = turn.during(|| self.look(form, key)) {
            return Ok(found);
        }
        let (computation, ticket) = (self.begin(digest), turn.during(|| self.store.begin(key)));
        let value = turn.drive(compute).await?;
        turn.during(|| computation.keep(|| self.keep(key, &value, ticket)));
        Ok(turn.during(|| M::of(&self.store, key, value)))
    }

    pub(super) fn renew<K, V, E>(&self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let digest = self.flights.digest(key);
        // If nobody leads, we do, so that who misses meanwhile waits for us.
        let turn = self.flights.join(digest, Driver::Thread).at_once();
        let _leading = turn.enter();
        let (computation, ticket) = (self.begin(digest), Ticket { is_refresh: true, ..self.store.begin(key) });
        let value = compute()?;
        computation.keep_as_newest(|| self.keep(key, &value, ticket));
        Ok(value)
    }

    // The twin of `renew`.
    pub(super) async fn renew_async<K, V, E>(
        &self,
        key: &K,
        compute: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let digest = self.flights.digest(key);
        let turn = self.flights.join(digest, Driver::Task).at_once();
        let ticket = Ticket { is_refresh: true, ..turn.during(|| self.store.begin(key)) };
        let computation = self.begin(digest);
        let value = turn.drive(compute).await?;
        turn.during(|| computation.keep_as_newest(|| self.keep(key, &value, ticket)));
        Ok(value)
    }

    fn begin(&self, digest: KeyHash) -> Computation<'_> {
        self.counters.computation();
        self.flights.begin(digest)
    }

    fn look<M, K, V>(&self, _form: &M, key: &K) -> Option<M::Output>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K>,
    {
        M::look(&self.store, key).unwrap_or_else(|error| {
            self.warn_of(Some(error));
            None
        })
    }

    /// Only who leads here asks other processes: the others have waited, and go on by themselves.
    fn claim<K, V>(&self, turn: &Turn<'_>, key: &K) -> Claim
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        turn.claim_patience().map_or_else(Claim::free, |patience| self.store.claim(key, patience))
    }

    fn keep<K, V>(&self, key: &K, value: &V, ticket: Ticket)
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        // The caller is about to get its result, and must not lose it to a panic of the value's `Clone`, say.
        let kept = catch_unwind(AssertUnwindSafe(|| self.store.insert_begun(key, value, ticket).map(drop)));
        let Err(error) = kept.unwrap_or_else(|_| Err(Error::new(ErrorKind::Panicked, "store a result"))) else {
            return;
        };
        self.counters.store_error();
        self.warned.warn(&error, "the result is returned, not remembered");
        // What is there now is older. If it cannot be removed either, the store has failed at all that it can do.
        if let Err(error) = self.store.remove(key) {
            self.counters.store_error();
            self.warned.warn(&error, "an older result may still be remembered");
        }
    }

    fn warn_of(&self, error: Option<Error>) {
        if let Some(error) = error {
            self.counters.store_error();
            self.warned.warn(&error, "computing instead");
        }
    }
}

/// Counts a miss among those that wait, however many waits it is.
struct Waits<'a> {
    counters: &'a Counters,
    counted: bool,
}

impl<'a> Waits<'a> {
    fn of(counters: &'a Counters) -> Self {
        Self { counters, counted: false }
    }

    fn note(&mut self, waits: bool) {
        if waits && !self.counted {
            self.counted = true;
            self.counters.wait();
        }
    }
}

pub(super) fn unfailing<V>(result: Result<V, Infallible>) -> V {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

//! The way of a miss. `Infallible` stands in for the error of functions that have none, and costs nothing.

use std::convert::Infallible;
use std::future::Future;

use super::stats::Counters;
use crate::flight::{Computation, Turn, Waited};
use crate::store::{forked, guard};
use crate::sync::{Driver, at_once};
use crate::{Args, Claim, Error, KeyHash, KeyedStore, Memo, Sharing, Ticket};

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

/// What a miss comes to before the function runs.
enum Before<'a, T> {
    /// The result is there.
    Over(T),
    Compute(Leading<'a>),
}

/// What a computation holds until its result is stored. The fields are dropped in this order.
struct Leading<'a> {
    computation: Option<Computation<'a>>,
    ticket: Ticket,
    claim: Claim,
    turn: Turn<'a>,
}

// A miss is the same for threads and for tasks up to the point where the function runs, and after it. Only the waits differ,
// and a wait of a thread blocks it: its future is ready when it is first polled.
//
// The parts before and after the function are functions of their own and not on the stack while it runs: functions recur.
impl<S, F, P> Memo<S, F, P> {
    #[inline]
    pub(super) fn hit<T>(&self, found: T) -> T {
        self.counters.hit();
        found
    }

    #[cold]
    pub(super) fn miss<M, K, V, E, O>(
        &self,
        form: &M,
        key: &K,
        error: Option<Error>,
        sharing: Sharing<E>,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<O, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K, Output = O>,
    {
        match self.before_at_once(form, key, error, sharing) {
            Before::Over(result) => result,
            Before::Compute(mut leading) => {
                let _running = leading.turn.enter();
                let result = leading.turn.run(compute);
                self.after(form, key, &mut leading, result, sharing)
            }
        }
    }

    /// The future is boxed by the callers: a future is as large as all that it may ever hold, a hit's too.
    pub(super) async fn miss_async<M, K, V, E, O>(
        &self,
        form: &M,
        key: &K,
        error: Option<Error>,
        sharing: Sharing<E>,
        compute: impl Future<Output = Result<V, E>>,
    ) -> Result<O, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K, Output = O>,
    {
        match self.before(Driver::Task, form, key, error, sharing).await {
            Before::Over(result) => result,
            Before::Compute(mut leading) => {
                let result = leading.turn.drive(compute).await;
                let _running = leading.turn.enter();
                self.after(form, key, &mut leading, result, sharing)
            }
        }
    }

    #[inline(never)]
    fn before_at_once<M, K, V, E, O>(
        &self,
        form: &M,
        key: &K,
        error: Option<Error>,
        sharing: Sharing<E>,
    ) -> Before<'_, Result<O, E>>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K, Output = O>,
    {
        let before = at_once(self.before(Driver::Thread, form, key, error, sharing));
        // It has always ended. If it had not, the caller would compute alone.
        before.unwrap_or_else(|| {
            Before::Compute(self.lead(Turn::alone(), Claim::free(), self.flights.digest(key), key, false))
        })
    }

    async fn before<M, K, V, E, O>(
        &self,
        driver: Driver,
        form: &M,
        key: &K,
        error: Option<Error>,
        sharing: Sharing<E>,
    ) -> Before<'_, Result<O, E>>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K, Output = O>,
    {
        self.counters.miss();
        self.warn_of(error);
        let digest = self.flights.digest(key);
        let (mut waits, mut begun) = (Waits::of(&self.counters), None);
        let turn = loop {
            let joined = self.flights.join(digest, driver, begun);
            waits.note(joined.is_wait());
            match joined.wait(driver, key, sharing).await {
                Waited::Over(turn) => break turn,
                Waited::Failed(error) => return Before::Over(Err(error)),
                // The computation that was waited for has been given up: another caller leads.
                Waited::Again(since) => begun = since,
            }
        };
        // Another caller may have stored it during the wait, or between our look and our turn.
        if let Some(found) = turn.during(|| self.look(form, key)) {
            return Before::Over(Ok(found));
        }
        // Other processes may be computing it, or have computed it since.
        let claim = loop {
            let claim = turn.during(|| self.claim(&turn, key));
            if !claim.is_waiting() {
                break claim;
            }
            waits.note(true);
            let granted = turn.drive(claim.granted(driver)).await;
            let is_over = granted.is_free();
            // All that waited look at once, and not one after the other: to check a large value takes long.
            drop(granted);
            let found = turn.during(|| self.look(form, key));
            turn.note_claim(found.is_some());
            if let Some(found) = found {
                return Before::Over(Ok(found));
            }
            if is_over {
                break Claim::free();
            }
        };
        if !claim.is_free()
            && let Some(found) = turn.during(|| self.look(form, key))
        {
            return Before::Over(Ok(found));
        }
        Before::Compute(self.lead(turn, claim, digest, key, false))
    }

    /// The computation begins, here and in the store.
    fn lead<'a, K, V>(&'a self, turn: Turn<'a>, claim: Claim, digest: KeyHash, key: &K, is_refresh: bool) -> Leading<'a>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let (computation, ticket) = turn.during(|| self.begin(digest, key, is_refresh));
        self.counters.computation();
        Leading { computation, ticket, claim, turn }
    }

    #[inline(never)]
    fn after<M, K, V, E, O>(
        &self,
        _form: &M,
        key: &K,
        leading: &mut Leading<'_>,
        result: Result<V, E>,
        sharing: Sharing<E>,
    ) -> Result<O, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K, Output = O>,
    {
        let value = result.inspect_err(|error| leading.turn.share(key, error, sharing))?;
        if let Err(error) = self.put(leading.computation.as_ref(), key, &value, leading.ticket) {
            self.failed(&error, "the result is returned, not remembered");
        }
        // Before the value is made ready for the caller: other processes may look by now.
        leading.claim = Claim::free();
        Ok(M::of(&self.store, key, value))
    }

    pub(super) fn renew<K, V, E>(
        &self,
        key: &K,
        sharing: Sharing<E>,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let mut leading = self.lead_renewal(Driver::Thread, key);
        let _running = leading.turn.enter();
        let result = leading.turn.run(compute);
        self.after(&Owned, key, &mut leading, result, sharing)
    }

    pub(super) async fn renew_async<K, V, E>(
        &self,
        key: &K,
        sharing: Sharing<E>,
        compute: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let mut leading = self.lead_renewal(Driver::Task, key);
        let result = leading.turn.drive(compute).await;
        let _running = leading.turn.enter();
        self.after(&Owned, key, &mut leading, result, sharing)
    }

    /// If no other caller leads, this one does, so that callers that miss meanwhile wait for it.
    fn lead_renewal<K, V>(&self, driver: Driver, key: &K) -> Leading<'_>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let digest = self.flights.digest(key);
        let turn = self.flights.join(digest, driver, None).at_once();
        self.lead(turn, Claim::free(), digest, key, true)
    }

    /// Notes that a computation begins, here and in the store: in this order, or a change between the two would not be seen.
    pub(super) fn begin<K, V>(&self, digest: KeyHash, key: &K, is_refresh: bool) -> (Option<Computation<'_>>, Ticket)
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let computation = self.flights.begin(digest);
        let ticket = guard("begin a computation", || Ok(self.store.begin(key))).unwrap_or_default();
        (computation, Ticket { is_refresh, ..ticket })
    }

    fn look<M, K, V>(&self, _form: &M, key: &K) -> Option<M::Output>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K>,
    {
        guard("look for a result", || M::look(&self.store, key)).unwrap_or_else(|error| {
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
        let claim = |patience| guard("claim a computation", || Ok(self.store.claim(key, patience))).ok();
        turn.claim_patience().and_then(claim).unwrap_or_else(Claim::free)
    }

    /// Stores a result that is current. What is there otherwise is not older than the last change.
    pub(super) fn put<K, V>(
        &self,
        computation: Option<&Computation<'_>>,
        key: &K,
        value: &V,
        ticket: Ticket,
    ) -> Result<(), Error>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let remove = || guard("remove an older result", || self.store.remove(key)).map(drop);
        let store = || match guard("store a result", || self.store.insert_begun(key, value, ticket)) {
            Ok(_) => Ok(()),
            Err(error) => {
                if let Err(error) = remove() {
                    self.failed(&error, "an older result may still be remembered");
                }
                Err(error)
            }
        };
        // The one that forgets the key meanwhile meets the same error, and reports it.
        let forget = || remove().or(Ok(()));
        computation.ok_or_else(forked)?.keep(ticket.is_refresh, store, forget)?.unwrap_or(Ok(()))
    }

    #[cold]
    fn failed(&self, error: &Error, instead: &str) {
        self.counters.store_error();
        self.warned.warn(error, instead);
    }

    fn warn_of(&self, error: Option<Error>) {
        if let Some(error) = error {
            self.failed(&error, "computing instead");
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

//! The steps after a miss. Functions that cannot fail use `Infallible` as their error type, at no cost.

use std::convert::Infallible;
use std::future::Future;

use super::lookup::{Form, Owned};
use crate::flight::{Computation, Turn, Waited};
use crate::store::{forked, guard};
use crate::sync::{Driver, poll_once};
use crate::{Args, Claim, Error, KeyHash, KeyedStore, Memo, Sharing, Ticket};

/// The result of the steps before the function.
enum Before<'a, T> {
    /// There is a result without a computation.
    Return(T),
    Compute(Started<'a>),
}

/// A computation that has begun. It holds these guards until its result is stored, and drops them in this order.
struct Started<'a> {
    computation: Option<Computation<'a>>,
    ticket: Ticket,
    claim: Claim,
    turn: Turn<'a>,
}

// Threads and tasks share the steps before and after the function. Only the waits differ: a thread's wait blocks, so
// its future is ready at its first poll.
//
// The steps before and after the function are not inlined. So their stack frames do not exist while the function runs.
// This matters because functions recur.
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
        match self.before_blocking(form, key, error, sharing) {
            Before::Return(result) => result,
            Before::Compute(mut started) => {
                let _entered = started.turn.enter();
                let result = started.turn.run(compute);
                self.after(form, key, &mut started, result, sharing)
            }
        }
    }

    /// Callers box this future, so that the future of a hit is small.
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
            Before::Return(result) => result,
            Before::Compute(mut started) => {
                let result = started.turn.drive(compute).await;
                let _entered = started.turn.enter();
                self.after(form, key, &mut started, result, sharing)
            }
        }
    }

    #[inline(never)]
    fn before_blocking<M, K, V, E, O>(
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
        let before = poll_once(self.before(Driver::Thread, form, key, error, sharing));
        // A thread's future is always ready. Without a result, the caller would compute alone.
        before.unwrap_or_else(|| {
            Before::Compute(self.start(Turn::alone(), Claim::free(), self.flights.digest(key), key, false))
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
        self.warn_if(error);
        if self.is_off {
            return Before::Compute(self.start_alone());
        }
        // A miss counts as one wait, even if it waits several times.
        let mut is_counted = false;
        let mut count_wait = || {
            if !std::mem::replace(&mut is_counted, true) {
                self.counters.wait();
            }
        };
        let digest = self.flights.digest(key);
        let mut waiting_since = None;
        let turn = loop {
            let joined = self.flights.join(digest, driver, waiting_since);
            if joined.is_wait() {
                if let Some(found) = self.find_stale(form, key) {
                    return Before::Return(Ok(found));
                }
                count_wait();
            }
            match joined.wait(driver, key, sharing).await {
                Waited::Turn(turn) => break turn,
                Waited::Failed(error) => return Before::Return(Err(error)),
                Waited::Rejoin(since) => waiting_since = since,
            }
        };
        // Another caller may have stored the result since the miss.
        if let Some(found) = turn.run_entered(|| self.find(form, key)) {
            return Before::Return(Ok(found));
        }
        // Another process may be computing the result.
        let claim = loop {
            let claim = turn.run_entered(|| self.claim(&turn, key));
            if !claim.is_waiting() {
                break claim;
            }
            if let Some(found) = self.find_stale(form, key) {
                return Before::Return(Ok(found));
            }
            count_wait();
            let granted = turn.drive(claim.granted(driver)).await;
            let is_free = granted.is_free();
            // Release the lease before the lookup, so that waiting processes look at the same time: reading and
            // checking a large value takes long.
            drop(granted);
            let found = turn.run_entered(|| self.find(form, key));
            turn.record_claim(found.is_some());
            if let Some(found) = found {
                return Before::Return(Ok(found));
            }
            if is_free {
                break Claim::free();
            }
        };
        // Another process may have stored the result before this one got the lease.
        if !claim.is_free()
            && let Some(found) = turn.run_entered(|| self.find(form, key))
        {
            return Before::Return(Ok(found));
        }
        Before::Compute(self.start(turn, claim, digest, key, false))
    }

    /// A computation that nobody hears of.
    fn start_alone(&self) -> Started<'_> {
        self.counters.computation();
        Started { computation: None, ticket: Ticket::default(), claim: Claim::free(), turn: Turn::alone() }
    }

    fn start<'a, K, V>(
        &'a self,
        turn: Turn<'a>,
        claim: Claim,
        digest: KeyHash,
        key: &K,
        is_refresh: bool,
    ) -> Started<'a>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let (computation, ticket) = turn.run_entered(|| self.begin(digest, key, is_refresh));
        self.counters.computation();
        Started { computation, ticket, claim, turn }
    }

    #[inline(never)]
    fn after<M, K, V, E, O>(
        &self,
        form: &M,
        key: &K,
        started: &mut Started<'_>,
        result: Result<V, E>,
        sharing: Sharing<E>,
    ) -> Result<O, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K, Output = O>,
    {
        if self.is_off {
            return Ok(M::convert(&self.store, None, result?));
        }
        let value = match result {
            Ok(value) => value,
            Err(error) => {
                // What was forgotten during the computation is not found.
                let stale = if started.ticket.is_refresh { None } else { self.find_stale(form, key) };
                return stale.ok_or_else(|| {
                    started.turn.share_error(key, &error, sharing);
                    error
                });
            }
        };
        if let Err(error) = self.put(started.computation.as_ref(), key, &value, started.ticket) {
            self.warn(&error, "the result is returned but not stored");
        }
        // The conversion may take long. Release the lease before it, so that other processes can look.
        started.claim = Claim::free();
        Ok(M::convert(&self.store, Some(key), value))
    }

    pub(super) fn recompute<K, V, E>(
        &self,
        key: &K,
        sharing: Sharing<E>,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let mut started = self.start_refresh(Driver::Thread, key);
        let _entered = started.turn.enter();
        let result = started.turn.run(compute);
        self.after(&Owned, key, &mut started, result, sharing)
    }

    pub(super) async fn recompute_async<K, V, E>(
        &self,
        key: &K,
        sharing: Sharing<E>,
        compute: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let mut started = self.start_refresh(Driver::Task, key);
        let result = started.turn.drive(compute).await;
        let _entered = started.turn.enter();
        self.after(&Owned, key, &mut started, result, sharing)
    }

    /// Leads the flight of the key if no other caller does, so that callers that miss meanwhile wait for the refresh.
    fn start_refresh<K, V>(&self, driver: Driver, key: &K) -> Started<'_>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        if self.is_off {
            return self.start_alone();
        }
        let digest = self.flights.digest(key);
        let turn = self.flights.join(digest, driver, None).without_wait();
        self.start(turn, Claim::free(), digest, key, true)
    }

    /// Records the start of a computation, first in this process and then in the store. In the other order, a change
    /// between the two steps would not be noticed.
    pub(super) fn begin<K, V>(&self, digest: KeyHash, key: &K, is_refresh: bool) -> (Option<Computation<'_>>, Ticket)
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let computation = self.flights.begin(digest);
        let ticket = guard("begin a computation", || Ok(self.store.begin(key))).unwrap_or_default();
        (computation, Ticket { is_refresh, ..ticket })
    }

    /// Asks the store for a lease. Only a leader asks; the other callers have already waited.
    fn claim<K, V>(&self, turn: &Turn<'_>, key: &K) -> Claim
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let claim = |patience| guard("claim a computation", || Ok(self.store.claim(key, patience))).ok();
        turn.claim_patience().and_then(claim).unwrap_or_else(Claim::free)
    }

    /// Stores a result if it is current.
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
        let store = || match guard("store a result", || self.store.insert_begun(key, value, None, ticket)) {
            Ok(is_current) => (Ok(()), is_current),
            Err(error) => {
                if let Err(error) = remove() {
                    self.warn(&error, "the store may still have an older result");
                }
                (Err(error), false)
            }
        };
        // The caller that forgets the key gets the same error, and returns it.
        let forget = || remove().or(Ok(()));
        let (is_refresh, is_shared) = (ticket.is_refresh, self.store.is_shared());
        let stored = computation.ok_or_else(forked)?.store_if_current(is_refresh, is_shared, store, forget);
        let settle = || {
            self.store.settle();
            Ok(())
        };
        let _ = guard("settle what was stored", settle);
        stored?.unwrap_or(Ok(()))
    }

    #[cold]
    fn warn(&self, error: &Error, instead: &str) {
        self.counters.store_error();
        self.warned.warn(error, instead);
    }

    pub(super) fn warn_if(&self, error: Option<Error>) {
        if let Some(error) = error {
            self.warn(&error, "computing instead");
        }
    }
}

pub(super) fn into_ok<V>(result: Result<V, Infallible>) -> V {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

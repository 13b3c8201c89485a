//! The steps after a miss. Functions that cannot fail use `Infallible` as their error type, at no cost.

use std::convert::Infallible;
use std::future::Future;

use super::lookup::{Form, LOOK, Owned, ask};
use crate::flight::{Computation, Turn, Waited};
use crate::sync::{Driver, ready};
use crate::{Answer, Args, Claim, Error, KeyHash, KeyedStore, Memo, Sharing, Ticket};

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
                let entered = started.turn.enter();
                let result = started.turn.run(compute);
                drop(entered);
                self.after_blocking(form, key, &mut started, result, sharing)
            }
        }
    }

    /// Callers box this future, so that the future of a hit is small. `answer` is the first lookup's.
    pub(super) async fn miss_async<'a, M, K, V, E, O>(
        &'a self,
        form: &M,
        key: &K,
        answer: Answer<'a, Option<O>>,
        sharing: Sharing<E>,
        compute: impl Future<Output = Result<V, E>>,
    ) -> Result<O, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        M: Form<S, K, Output = O>,
    {
        let error = match Answer::guarded(LOOK, || answer).await {
            Ok(Some(found)) => return Ok(self.hit(found)),
            missed => missed.err(),
        };
        match self.before(Driver::Task, form, key, error, sharing).await {
            Before::Return(result) => result,
            Before::Compute(mut started) => {
                let result = started.turn.drive(compute).await;
                self.after(Driver::Task, form, key, &mut started, result, sharing).await
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
        ready(self.before(Driver::Thread, form, key, error, sharing))
    }

    async fn before<M, K, V, E, O>(
        &self,
        driver: Driver,
        _form: &M,
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
                if let Some(found) = self.find_stale::<M, _, _>(driver, &Turn::alone(), key).await {
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
        // Another process may be computing the result.
        let claim = loop {
            let claim = self.claim(driver, &turn, key).await;
            if !claim.is_waiting() {
                break claim;
            }
            if let Some(found) = self.find_stale::<M, _, _>(driver, &turn, key).await {
                return Before::Return(Ok(found));
            }
            count_wait();
            let granted = turn.drive(claim.granted(driver)).await;
            let is_free = granted.is_free();
            // Release the lease before the lookup, so that waiting processes look at the same time: reading and
            // checking a large value takes long.
            drop(granted);
            let found = self.find::<M, _, _>(driver, &turn, key).await;
            turn.record_claim(found.is_some());
            if let Some(found) = found {
                return Before::Return(Ok(found));
            }
            if is_free {
                return Before::Compute(self.start(driver, turn, Claim::free(), digest, key, false).await);
            }
        };
        // Another caller may have stored the result since the miss, or another process before this one got the lease.
        if !claim.is_missing()
            && let Some(found) = self.find::<M, _, _>(driver, &turn, key).await
        {
            return Before::Return(Ok(found));
        }
        Before::Compute(self.start(driver, turn, claim, digest, key, false).await)
    }

    /// A computation that nobody hears of.
    fn start_alone(&self) -> Started<'_> {
        self.counters.computation();
        Started { computation: None, ticket: Ticket::default(), claim: Claim::free(), turn: Turn::alone() }
    }

    async fn start<'a, K, V>(
        &'a self,
        driver: Driver,
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
        let (computation, ticket) = self.begin(driver, &turn, digest, key, is_refresh).await;
        self.counters.computation();
        Started { computation, ticket, claim, turn }
    }

    #[inline(never)]
    fn after_blocking<M, K, V, E, O>(
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
        ready(self.after(Driver::Thread, form, key, started, result, sharing))
    }

    async fn after<M, K, V, E, O>(
        &self,
        driver: Driver,
        _form: &M,
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
        let turn = &started.turn;
        let value = match result {
            Ok(value) => value,
            Err(error) if self.is_off => return Err(error),
            Err(error) => {
                // What was forgotten during the computation is not found.
                let is_stale = !started.ticket.is_refresh;
                let stale = if is_stale { self.find_stale::<M, _, _>(driver, turn, key).await } else { None };
                return stale.ok_or_else(|| {
                    turn.run_entered(|| turn.share_error(key, &error, sharing));
                    error
                });
            }
        };
        if !self.is_off {
            let put = self.put(driver, turn, started.computation.as_ref(), key, &value, started.ticket);
            if let Err(error) = put.await {
                self.warn(&error, "the result is returned but not stored");
            }
            // The conversion may take long. Release the lease before it, so that other processes can look.
            started.claim = Claim::free();
            // The entry may be another caller's by now. Its value is just as valid.
            if M::READS_BACK
                && let Some(found) = self.find::<M, _, _>(driver, &started.turn, key).await
            {
                return Ok(found);
            }
        }
        Ok(M::convert(&self.store, value))
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
        let mut started = ready(self.start_refresh(Driver::Thread, key));
        let entered = started.turn.enter();
        let result = started.turn.run(compute);
        drop(entered);
        self.after_blocking(&Owned, key, &mut started, result, sharing)
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
        let mut started = self.start_refresh(Driver::Task, key).await;
        let result = started.turn.drive(compute).await;
        self.after(Driver::Task, &Owned, key, &mut started, result, sharing).await
    }

    /// Leads the flight of the key if no other caller does, so that callers that miss meanwhile wait for the refresh.
    async fn start_refresh<K, V>(&self, driver: Driver, key: &K) -> Started<'_>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        if self.is_off {
            return self.start_alone();
        }
        let digest = self.flights.digest(key);
        let turn = self.flights.join(digest, driver, None).without_wait();
        self.start(driver, turn, Claim::free(), digest, key, true).await
    }

    /// Records the start of a computation, first in this process and then in the store. In the other order, a change
    /// between the two steps would not be noticed.
    pub(super) async fn begin<K, V>(
        &self,
        driver: Driver,
        turn: &Turn<'_>,
        digest: KeyHash,
        key: &K,
        is_refresh: bool,
    ) -> (Option<Computation<'_>>, Ticket)
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let computation = self.flights.begin(digest);
        let (by_thread, by_task) = (|| Ok(self.store.begin(key)), || self.store.begin_async(key));
        let ticket = ask(driver, turn, "begin a computation", by_thread, by_task).await.unwrap_or_default();
        (computation, Ticket { is_refresh, ..ticket })
    }

    /// Asks the store for a lease. Only a leader asks; the other callers have already waited.
    async fn claim<K, V>(&self, driver: Driver, turn: &Turn<'_>, key: &K) -> Claim
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        let Some(patience) = turn.claim_patience() else { return Claim::free() };
        let by_thread = || Ok(self.store.claim(key, patience));
        let by_task = || self.store.claim_async(key, patience);
        ask(driver, turn, "claim a computation", by_thread, by_task).await.unwrap_or_else(|_| Claim::free())
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

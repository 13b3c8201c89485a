mod function;
mod miss;
mod mode;
mod stats;
mod view;
mod with;

use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

use std::time::Duration;

use crate::flight::Flights;
use crate::store::guard;
use crate::{Args, Error, KeyedStore, Store, WarnOnce};
use stats::Counters;

#[doc(hidden)]
pub use function::kind;
pub use function::{AsyncFunction, Function, Takes};
pub use mode::{Async, Mode, OwnErrors, SharedErrors, SharesErrors};
#[cfg(feature = "stats")]
pub use stats::Stats;

/// A function that remembers its results in a store.
///
/// This is what every `wrap` returns, and what you build from any store and function by hand:
///
/// ```
/// use twat_cache_core::{LruStore, Memo};
///
/// let length = Memo::new(LruStore::new(100), |text: &str| text.chars().count());
/// assert_eq!(length.call("hello"), 5);
/// assert_eq!(length.call("hello"), 5); // not counted again
/// ```
///
/// # A call
///
/// Look into the store; a hit ends here. Else join the *flight* of the key: the first caller computes, the others wait
/// for it and look again. Other keys are never held up. The function's result is stored and returned.
///
/// The kind of function decides the method: `call` for `Fn(&K) -> V`, `try_call` for `Fn(&K) -> Result<V, E>`, of which
/// only `Ok` is stored, and their `_async` twins for `AsyncFn`, on any executor.
///
/// # What cannot go wrong
///
/// - A store that fails is logged at `warn`, once per kind of error, and the call computes.
/// - A function that fails or panics does so to its caller. Each caller that waited computes by itself, at once, or takes
///   the same error, see [`share_errors`](Self::share_errors).
/// - A future that is dropped half-way leaves nothing locked: one of those that waited computes. One that is kept and not
///   polled holds others up for half a second after it could have gone on.
/// - A function that calls its own memo, for other keys or the same one, does not deadlock, nor do several that call
///   each other.
/// - Every wait has an end. What a function needs of the threads that wait for it, such as a lock that they hold, a
///   place in their `rayon` pool or a runtime that they block, cannot be seen from here. So a caller waits for a limited time,
///   see [`patience`](Self::patience), and waits in vain take at most twice that altogether.
/// - After [`forget`](Self::forget), [`clear`](Self::clear) or [`refresh`](Self::refresh), no computation that began
///   before is stored.
///
/// `P` says what becomes of the function's errors, see [`share_errors`](Self::share_errors), and whether it is async.
pub struct Memo<S, F, P = OwnErrors> {
    store: S,
    function: F,
    mode: PhantomData<fn() -> P>,
    flights: Flights,
    warned: WarnOnce,
    counters: Counters,
}

impl<S, F> Memo<S, F> {
    /// Remembers the results of `function` in `store`.
    pub fn new(store: S, function: F) -> Self {
        let (flights, warned, counters) = (Flights::new(None), WarnOnce::new(), Counters::default());
        Self { store, function, mode: PhantomData, flights, warned, counters }
    }

    /// Gives the error of a failed computation to all callers that waited for it, too. The error type needs `Clone`.
    ///
    /// Without this, an error belongs to the caller whose computation failed, and each waiter computes by itself.
    ///
    /// ```
    /// use twat_cache_core::{LruStore, Memo};
    ///
    /// let parse = Memo::new(LruStore::new(100), |text: &str| text.parse::<u64>()).share_errors();
    /// assert!(parse.try_call("no number").is_err());
    /// ```
    pub fn share_errors(self) -> Memo<S, F, SharedErrors> {
        self.with_mode()
    }
}

impl<S, F> Memo<S, F, Async> {
    /// Remembers the results of an async function in `store`.
    pub fn new_async(store: S, function: F) -> Self {
        Memo::new(store, function).with_mode()
    }

    /// As [`Memo::share_errors`].
    pub fn share_errors(self) -> Memo<S, F, Async<SharedErrors>> {
        self.with_mode()
    }
}

impl<S, F, P> Memo<S, F, P> {
    fn with_mode<Q>(self) -> Memo<S, F, Q> {
        let Self { store, function, flights, warned, counters, .. } = self;
        Memo { store, function, mode: PhantomData, flights, warned, counters }
    }

    /// How long a caller waits for another's computation of the same result before it computes by itself. Zero is no wait.
    ///
    /// Without this, a caller waits for at most 10 s as long as no computation has ended yet. Later it waits for at most 8
    /// times the longest one, and at least 2 s. The same holds for computations in other processes, where a store asks for
    /// them.
    ///
    /// A wait in vain halves the patience of the memo, down to 10 ms, and a wait that was worth it restores it. All waits in
    /// vain together take at most twice the patience; a thousandth of it comes back with each wait that was worth it.
    pub fn patience(self, patience: Duration) -> Self {
        self.with_patience(Some(patience))
    }

    /// As [`patience`](Self::patience); `None` leaves it as it is.
    #[doc(hidden)]
    pub fn with_patience(mut self, patience: Option<Duration>) -> Self {
        if patience.is_some() {
            self.flights = Flights::new(patience);
        }
        self
    }

    /// The store, and through it the engine.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The function itself, for calls that should not be remembered.
    pub fn function(&self) -> &F {
        &self.function
    }
}

/// Calls.
impl<S, F, P> Memo<S, F, P> {
    /// The function's result for `key`: remembered, or computed and stored.
    #[inline]
    pub fn call<K, V>(&self, key: &K) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> V,
    {
        self.call_with(key, || (self.function)(key))
    }

    /// As [`call`](Self::call), for a function that can fail. Only `Ok` is stored; the error is the function's own.
    #[inline]
    pub fn try_call<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> Result<V, E>,
        P: SharesErrors<E>,
    {
        self.try_call_with(key, || (self.function)(key))
    }

    /// As [`call`](Self::call), for an async function.
    #[inline]
    pub async fn call_async<K, V>(&self, key: &K) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> V,
    {
        self.call_with_async(key, async || (self.function)(key).await).await
    }

    /// As [`try_call`](Self::try_call), for an async function.
    #[inline]
    pub async fn try_call_async<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> Result<V, E>,
        P: SharesErrors<E>,
    {
        self.try_call_with_async(key, async || (self.function)(key).await).await
    }

    /// Runs the function and stores its result, whatever is there.
    pub fn refresh<K, V>(&self, key: &K) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> V,
    {
        self.refresh_with(key, || (self.function)(key))
    }

    /// As [`refresh`](Self::refresh), for a function that can fail. After an error, what is there stays.
    pub fn try_refresh<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> Result<V, E>,
        P: SharesErrors<E>,
    {
        self.try_refresh_with(key, || (self.function)(key))
    }

    /// As [`refresh`](Self::refresh), for an async function.
    pub async fn refresh_async<K, V>(&self, key: &K) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> V,
    {
        self.refresh_with_async(key, async || (self.function)(key).await).await
    }

    /// As [`try_refresh`](Self::try_refresh), for an async function.
    pub async fn try_refresh_async<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> Result<V, E>,
        P: SharesErrors<E>,
    {
        self.try_refresh_with_async(key, async || (self.function)(key).await).await
    }
}

/// Everything that does not run the function.
impl<S, F, P> Memo<S, F, P> {
    /// What is remembered for `key`, without ever running the function.
    ///
    /// It takes what the function takes, as [`forget`](Self::forget) and [`insert`](Self::insert) do.
    pub fn peek<K, R, V, Kind>(&self, key: &K) -> Result<Option<V>, Error>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        guard("look for a result", || self.store.get(key))
    }

    /// Forgets the result for `key`; says whether there was one.
    pub fn forget<K, R, Kind>(&self, key: &K) -> Result<bool, Error>
    where
        K: Args + ?Sized,
        S: KeyedStore<K>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        let (_outdated, is_outdated) = self.flights.outdate(self.flights.digest(key));
        let removed = guard("forget a result", || self.store.remove(key));
        is_outdated.and(removed)
    }

    /// Remembers `value` for `key`, as if the function had just returned it.
    pub fn insert<K, R, V, Kind>(&self, key: &K, value: &V) -> Result<(), Error>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: Mode<Kind>,
        F: Takes<K, R, Kind>,
    {
        let (computation, ticket) = self.begin(self.flights.digest(key), key, true);
        self.put(computation.as_ref(), key, value, ticket)
    }

    /// Forgets everything.
    pub fn clear(&self) -> Result<(), Error>
    where
        S: Store,
    {
        let (_outdated, is_outdated) = self.flights.outdate_all();
        is_outdated.and(guard("forget all results", || self.store.clear()))
    }

    /// What remembers, and where, in one line: `memory`, or `the database at /x/y`.
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

    /// How many results are remembered. Expired ones that have not been swept yet may be among them.
    #[expect(clippy::len_without_is_empty, reason = "see `Store::len`")]
    pub fn len(&self) -> Result<usize, Error>
    where
        S: Store,
    {
        self.store.len()
    }
}

#[cfg(feature = "stats")]
impl<S: Store, F, P> Memo<S, F, P> {
    /// What this memo has done since it was made.
    pub fn stats(&self) -> crate::Stats {
        self.counters.stats(self.store.suppressed_errors())
    }
}

#[cfg(feature = "testing")]
impl<S, F, P> Memo<S, F, P> {
    /// How many callers wait for another's computation right now, for tests that must not guess.
    pub fn waiting(&self) -> usize {
        self.flights.waiting()
    }
}

// A panic leaves nothing half-done in here: leaders land, and what is counted is counted back.
impl<S: UnwindSafe, F: UnwindSafe, P> UnwindSafe for Memo<S, F, P> {}
impl<S: RefUnwindSafe, F: RefUnwindSafe, P> RefUnwindSafe for Memo<S, F, P> {}

impl<S: fmt::Debug, F, P> fmt::Debug for Memo<S, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("store", &self.store).finish_non_exhaustive()
    }
}

mod controls;
mod function;
mod lookup;
mod miss;
mod mode;
mod put;
mod rules;
mod stats;
mod view;
mod with;

use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::flight::Flights;
use crate::{Args, KeyedStore, WarnOnce};
use stats::Counters;

#[doc(hidden)]
pub use function::kind;
pub use function::{AsyncFunction, Function, Takes};
pub use mode::{Async, Mode, OwnErrors, SharedErrors, SharesErrors};
#[cfg(feature = "stats")]
pub use stats::Stats;

/// A function that stores its results, and returns a stored result instead of computing it again.
///
/// Every `wrap` returns a memo. You can also make one from any store and function:
///
/// ```
/// use twat_cache_core::{LruStore, Memo};
///
/// let length = Memo::new(LruStore::new(100), |text: &str| text.chars().count());
/// assert_eq!(length.call("hello"), 5);
/// assert_eq!(length.call("hello"), 5); // from the store
/// ```
///
/// # A call
///
/// A call looks into the store. A hit returns the stored result. After a miss, the first caller of a key computes,
/// stores and returns the result. The other callers of the key wait for it, and then look into the store again. Callers
/// of different keys never wait for each other.
///
/// The type of the function decides the method: `call` for `Fn(&K) -> V`, and `try_call` for `Fn(&K) -> Result<V, E>`,
/// which stores only `Ok`. For `AsyncFn` there are `call_async` and `try_call_async`, which work with every executor.
///
/// # Guarantees
///
/// - A failing store does not fail a call. The call computes, and the log gets a line at `warn` for the first error of
///   each kind.
/// - An error or panic of the function reaches the caller whose computation failed. Each waiter then computes at once,
///   or gets the same error, see [`share_errors`](Self::share_errors).
/// - A future that is dropped before its end blocks no other caller: one of the waiters computes. A future that is not
///   polled after a wake delays its waiters by about half a second.
/// - A function may call its own memo, for other keys or for the same key. Several memoised functions may call each
///   other. Neither causes a deadlock.
/// - Every wait ends. A function may need something that its waiters hold, such as a lock, a thread of a `rayon` pool
///   or a blocked runtime, and a memo cannot detect this. So a wait is limited by [`patience`](Self::patience), and all
///   failed waits together by twice the patience.
/// - After [`forget`](Self::forget), [`clear`](Self::clear) or [`refresh`](Self::refresh) returns, the result of a
///   computation that began before is not stored.
///
/// # Without a cache
///
/// If the environment variable `TWAT_CACHE` is `off` when a memo is made, every call of it computes. The store is not
/// read, and nothing is stored.
///
/// `P` states whether waiters share errors, see [`share_errors`](Self::share_errors), and whether the function is
/// async.
pub struct Memo<S, F, P = OwnErrors> {
    store: S,
    function: F,
    mode: PhantomData<fn() -> P>,
    flights: Flights,
    warned: WarnOnce,
    counters: Counters,
    /// Whether every call computes, see [`Memo`].
    is_off: bool,
    /// Whether a lookup only asks the store. The first lookup finds out, so that a hit has one question less.
    is_plain: AtomicBool,
}

impl<S, F> Memo<S, F> {
    /// Makes a memo of `function` with its results in `store`.
    pub fn new(store: S, function: F) -> Self {
        let (flights, warned, counters) = (Flights::new(None), WarnOnce::new(), Counters::default());
        let is_off = std::env::var_os("TWAT_CACHE").is_some_and(|value| value == "off");
        let is_plain = AtomicBool::new(false);
        Self { store, function, mode: PhantomData, flights, warned, counters, is_off, is_plain }
    }

    /// Gives each waiter of a failed computation a clone of its error. The error type needs `Clone`.
    ///
    /// Without this, only the caller whose computation failed gets the error, and each waiter computes.
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
    /// Makes a memo of an async function with its results in `store`.
    pub fn new_async(store: S, function: F) -> Self {
        Memo::new(store, function).with_mode()
    }

    /// Like [`Memo::share_errors`].
    pub fn share_errors(self) -> Memo<S, F, Async<SharedErrors>> {
        self.with_mode()
    }
}

impl<S, F, P> Memo<S, F, P> {
    fn with_mode<Q>(self) -> Memo<S, F, Q> {
        self.with_store(|store| store)
    }

    fn with_store<T, Q>(self, with: impl FnOnce(S) -> T) -> Memo<T, F, Q> {
        let Self { store, function, flights, warned, counters, is_off, .. } = self;
        let is_plain = AtomicBool::new(false);
        Memo { store: with(store), function, mode: PhantomData, flights, warned, counters, is_off, is_plain }
    }

    /// Sets how long a caller waits for another caller's computation of the same result before it computes itself. With
    /// zero it does not wait.
    ///
    /// The default is 10 s until the first computation has ended. After that it is 8 times the longest computation, and
    /// at least 2 s. The limit also applies to waits for other processes, in stores that processes share.
    ///
    /// A wait that ends without a result halves the patience of the memo, down to 10 ms. A successful wait restores it.
    /// All failed waits together last at most twice the patience. Each successful wait gives back about a thousandth of
    /// it.
    pub fn patience(self, patience: Duration) -> Self {
        self.with_patience(Some(patience))
    }

    /// Like [`patience`](Self::patience). `None` changes nothing.
    #[doc(hidden)]
    pub fn with_patience(mut self, patience: Option<Duration>) -> Self {
        if patience.is_some() {
            self.flights = Flights::new(patience);
        }
        self
    }

    /// The store. It gives access to its engine.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The function, for calls without the cache.
    pub fn function(&self) -> &F {
        &self.function
    }
}

/// Calls.
impl<S, F, P> Memo<S, F, P> {
    /// Returns the stored result for `key`. After a miss, computes, stores and returns it.
    #[inline]
    pub fn call<K, V>(&self, key: &K) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> V,
    {
        self.call_with(key, || (self.function)(key))
    }

    /// Like [`call`](Self::call), for a function that can fail. Only `Ok` is stored. The error is the function's own.
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

    /// Like [`call`](Self::call), for an async function.
    #[inline]
    pub async fn call_async<K, V>(&self, key: &K) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> V,
    {
        self.call_with_async(key, async || (self.function)(key).await).await
    }

    /// Like [`try_call`](Self::try_call), for an async function.
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

    /// Runs the function, stores its result in place of an earlier result, and returns it.
    pub fn refresh<K, V>(&self, key: &K) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> V,
    {
        self.refresh_with(key, || (self.function)(key))
    }

    /// Like [`refresh`](Self::refresh), for a function that can fail. After an error, the earlier result stays.
    pub fn try_refresh<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> Result<V, E>,
        P: SharesErrors<E>,
    {
        self.try_refresh_with(key, || (self.function)(key))
    }

    /// Like [`refresh`](Self::refresh), for an async function.
    pub async fn refresh_async<K, V>(&self, key: &K) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> V,
    {
        self.refresh_with_async(key, async || (self.function)(key).await).await
    }

    /// Like [`try_refresh`](Self::try_refresh), for an async function.
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

#[cfg(feature = "stats")]
impl<S: crate::Store, F, P> Memo<S, F, P> {
    /// Returns the counts of this memo since it was made, or since the last [reset](Self::reset_stats).
    pub fn stats(&self) -> crate::Stats {
        self.counters.stats(&self.store)
    }

    /// Sets all counts to 0.
    pub fn reset_stats(&self) {
        self.counters.reset(&self.store);
    }
}

#[cfg(feature = "testing")]
impl<S, F, P> Memo<S, F, P> {
    /// Returns how many callers wait for another caller's computation now, so that tests do not have to sleep.
    pub fn waiting(&self) -> usize {
        self.flights.waiting()
    }
}

// A panic leaves a memo consistent: guards end flights and remove table entries.
impl<S: UnwindSafe, F: UnwindSafe, P> UnwindSafe for Memo<S, F, P> {}
impl<S: RefUnwindSafe, F: RefUnwindSafe, P> RefUnwindSafe for Memo<S, F, P> {}

impl<S: fmt::Debug, F, P> fmt::Debug for Memo<S, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("store", &self.store).finish_non_exhaustive()
    }
}

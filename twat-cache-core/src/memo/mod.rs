mod miss;
mod view;
mod with;

use std::fmt;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::flight::Flights;
use crate::stats::Counters;
use crate::warn::WarnOnce;
use crate::{Error, KeyedStore, Store};

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
/// - A function that fails or panics does so to its caller only; whoever waited computes by itself, at once.
/// - A future that is dropped half-way leaves nothing locked. One that is kept and not polled holds others up for half a
///   second after it could have gone on.
/// - A function that calls its own memo, for other keys or the same one, does not deadlock, nor do several that call
///   each other.
/// - Nobody waits for ever. What a function needs of the threads that wait for it, such as a lock that they hold, a
///   place in their `rayon` pool or a runtime that they block, cannot be seen from here. So a wait ends after 8 times
///   the longest computation so far, and at least 2 s (10 s as long as there was none); then another caller computes,
///   and the next wait for that key is twice as long. Another process, where a store asks it, is waited for at least 60 s,
///   unless it is stopped, or this call is itself part of a computation.
/// - After [`forget`](Self::forget), [`clear`](Self::clear) or [`refresh`](Self::refresh), no computation that began
///   before is stored.
pub struct Memo<S, F> {
    store: S,
    function: F,
    flights: Flights,
    warned: WarnOnce,
    counters: Counters,
}

impl<S, F> Memo<S, F> {
    /// Remembers the results of `function` in `store`.
    pub fn new(store: S, function: F) -> Self {
        Self { store, function, flights: Flights::new(), warned: WarnOnce::new(), counters: Counters::default() }
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
impl<S, F> Memo<S, F> {
    /// The function's result for `key`: remembered, or computed and stored.
    #[inline]
    pub fn call<K, V>(&self, key: &K) -> V
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> V,
    {
        self.call_with(key, || (self.function)(key))
    }

    /// As [`call`](Self::call), for a function that can fail. Only `Ok` is stored; the error is the function's own.
    #[inline]
    pub fn try_call<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> Result<V, E>,
    {
        self.try_call_with(key, || (self.function)(key))
    }

    /// As [`call`](Self::call), for an async function.
    #[inline]
    pub async fn call_async<K, V>(&self, key: &K) -> V
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> V,
    {
        self.call_with_async(key, async || (self.function)(key).await).await
    }

    /// As [`try_call`](Self::try_call), for an async function.
    #[inline]
    pub async fn try_call_async<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> Result<V, E>,
    {
        self.try_call_with_async(key, async || (self.function)(key).await).await
    }

    /// Runs the function and stores its result, whatever is there.
    pub fn refresh<K, V>(&self, key: &K) -> V
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> V,
    {
        self.refresh_with(key, || (self.function)(key))
    }

    /// As [`refresh`](Self::refresh), for a function that can fail. After an error, what is there stays.
    pub fn try_refresh<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: Fn(&K) -> Result<V, E>,
    {
        self.try_refresh_with(key, || (self.function)(key))
    }

    /// As [`refresh`](Self::refresh), for an async function.
    pub async fn refresh_async<K, V>(&self, key: &K) -> V
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> V,
    {
        self.refresh_with_async(key, async || (self.function)(key).await).await
    }

    /// As [`try_refresh`](Self::try_refresh), for an async function.
    pub async fn try_refresh_async<K, V, E>(&self, key: &K) -> Result<V, E>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K, Value = V>,
        F: AsyncFn(&K) -> Result<V, E>,
    {
        self.try_refresh_with_async(key, async || (self.function)(key).await).await
    }
}

/// Everything that does not run the function.
impl<S, F> Memo<S, F> {
    /// What is remembered for `key`, without ever running the function.
    ///
    /// A number needs its type here and in [`forget`](Self::forget), as in `peek(&40_u64)`: there is no function to tell
    /// it from, a bare `40` is an `i32`, and to a store that goes by digests that is another key.
    pub fn peek<K, V>(&self, key: &K) -> Result<Option<V>, Error>
    where
        K: ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        self.store.get(key)
    }

    /// Forgets the result for `key`; says whether there was one.
    pub fn forget<K>(&self, key: &K) -> Result<bool, Error>
    where
        K: Hash + ?Sized,
        S: KeyedStore<K>,
    {
        let _outdated = self.flights.outdate(self.flights.digest(key));
        self.store.remove(key)
    }

    /// Forgets everything.
    pub fn clear(&self) -> Result<(), Error>
    where
        S: Store,
    {
        let _outdated = self.flights.outdate_all();
        self.store.clear()
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
impl<S: Store, F> Memo<S, F> {
    /// What this memo has done since it was made.
    pub fn stats(&self) -> crate::Stats {
        self.counters.stats(self.store.survived())
    }
}

#[cfg(feature = "testing")]
impl<S, F> Memo<S, F> {
    /// How many callers wait for another's computation right now, for tests that must not guess.
    pub fn waiting(&self) -> usize {
        self.flights.waiting()
    }
}

// A panic leaves nothing half-done in here: leaders land, and what is counted is counted back.
impl<S: UnwindSafe, F: UnwindSafe> UnwindSafe for Memo<S, F> {}
impl<S: RefUnwindSafe, F: RefUnwindSafe> RefUnwindSafe for Memo<S, F> {}

impl<S: fmt::Debug, F> fmt::Debug for Memo<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("store", &self.store).finish_non_exhaustive()
    }
}

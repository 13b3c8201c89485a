//! Calls that take the function as a parameter. The calls in the parent module use them.

use super::lookup::Owned;
use super::miss::into_ok;
use crate::{Answer, Args, KeyedStore, Memo, SharesErrors, Sharing};

/// Calls with their own function, for a function that needs more than the key, or that consumes a value.
///
/// ```
/// use twat_cache_core::{LruStore, Memo};
///
/// let memo = Memo::new(LruStore::new(100), ());
/// let connection = String::from("a connection");
/// assert_eq!(memo.call_with("key", || connection.len()), 12);
/// ```
impl<S, F, P> Memo<S, F, P> {
    /// Like [`call`](Self::call), with `compute` in place of the memo's function.
    #[inline]
    pub fn call_with<K, V>(&self, key: &K, compute: impl FnOnce() -> V) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        match self.look::<Owned, _>(key) {
            Ok(Some(value)) => self.hit(value),
            missed => into_ok(self.miss(&Owned, key, missed.err(), Sharing::none(), || Ok(compute()))),
        }
    }

    /// Like [`try_call`](Self::try_call), with `compute` in place of the memo's function.
    #[inline]
    pub fn try_call_with<K, V, E>(&self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: SharesErrors<E>,
    {
        self.try_call_sharing(key, P::sharing(), compute)
    }

    /// Like [`try_call_with`](Self::try_call_with). `sharing` decides whether waiters get an error.
    #[doc(hidden)]
    #[inline]
    pub fn try_call_sharing<K, V, E>(
        &self,
        key: &K,
        sharing: Sharing<E>,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        match self.look::<Owned, _>(key) {
            Ok(Some(value)) => Ok(self.hit(value)),
            missed => self.miss(&Owned, key, missed.err(), sharing, compute),
        }
    }

    /// Like [`call_async`](Self::call_async), with `compute` in place of the memo's function.
    #[inline]
    pub async fn call_with_async<K, V>(&self, key: &K, compute: impl AsyncFnOnce() -> V) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        match self.look_async::<Owned, _>(key) {
            Answer::Now(Ok(Some(value))) => self.hit(value),
            answer => {
                let compute = async { Ok(compute().await) };
                into_ok(Box::pin(self.miss_async(&Owned, key, answer, Sharing::none(), compute)).await)
            }
        }
    }

    /// Like [`try_call_async`](Self::try_call_async), with `compute` in place of the memo's function.
    #[inline]
    pub async fn try_call_with_async<K, V, E>(
        &self,
        key: &K,
        compute: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: SharesErrors<E>,
    {
        self.try_call_sharing_async(key, P::sharing(), compute).await
    }

    /// Like [`try_call_with_async`](Self::try_call_with_async). `sharing` decides whether waiters get an error.
    #[doc(hidden)]
    #[inline]
    pub async fn try_call_sharing_async<K, V, E>(
        &self,
        key: &K,
        sharing: Sharing<E>,
        compute: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        match self.look_async::<Owned, _>(key) {
            Answer::Now(Ok(Some(value))) => Ok(self.hit(value)),
            answer => Box::pin(self.miss_async(&Owned, key, answer, sharing, async { compute().await })).await,
        }
    }

    /// Like [`refresh`](Self::refresh), with `compute` in place of the memo's function.
    pub fn refresh_with<K, V>(&self, key: &K, compute: impl FnOnce() -> V) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        into_ok(self.recompute(key, Sharing::none(), || Ok(compute())))
    }

    /// Like [`try_refresh`](Self::try_refresh), with `compute` in place of the memo's function.
    pub fn try_refresh_with<K, V, E>(&self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: SharesErrors<E>,
    {
        self.recompute(key, P::sharing(), compute)
    }

    /// Like [`refresh_async`](Self::refresh_async), with `compute` in place of the memo's function.
    pub async fn refresh_with_async<K, V>(&self, key: &K, compute: impl AsyncFnOnce() -> V) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        into_ok(self.recompute_async(key, Sharing::none(), async { Ok(compute().await) }).await)
    }

    /// Like [`try_refresh_async`](Self::try_refresh_async), with `compute` in place of the memo's function.
    pub async fn try_refresh_with_async<K, V, E>(
        &self,
        key: &K,
        compute: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: SharesErrors<E>,
    {
        self.recompute_async(key, P::sharing(), async { compute().await }).await
    }
}

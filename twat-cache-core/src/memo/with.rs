//! Calls with a function of their own, and the shape that all calls have.

use super::miss::{Owned, unfailing};
use crate::{Args, KeyedStore, Memo, SharesErrors, Sharing};

/// Calls that compute by a function given with the call: for one that needs more than the key, or gives something away that
/// can be used only once.
///
/// ```
/// use twat_cache_core::{LruStore, Memo};
///
/// let memo = Memo::new(LruStore::new(100), ());
/// let connection = String::from("a connection");
/// assert_eq!(memo.call_with("key", || connection.len()), 12);
/// ```
impl<S, F, P> Memo<S, F, P> {
    /// As [`call`](Self::call), with this function in place of the memo's own.
    #[inline]
    pub fn call_with<K, V>(&self, key: &K, compute: impl FnOnce() -> V) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        match self.store().get(key) {
            Ok(Some(value)) => self.hit(value),
            missed => unfailing(self.miss(&Owned, key, missed.err(), Sharing::none(), || Ok(compute()))),
        }
    }

    /// As [`try_call`](Self::try_call), with this function in place of the memo's own.
    #[inline]
    pub fn try_call_with<K, V, E>(&self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: SharesErrors<E>,
    {
        self.try_call_sharing(key, P::sharing(), compute)
    }

    /// As [`try_call_with`](Self::try_call_with), with what becomes of errors chosen at the call.
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
        match self.store().get(key) {
            Ok(Some(value)) => Ok(self.hit(value)),
            missed => self.miss(&Owned, key, missed.err(), sharing, compute),
        }
    }

    /// As [`call_async`](Self::call_async), with this function in place of the memo's own.
    #[inline]
    pub async fn call_with_async<K, V>(&self, key: &K, compute: impl AsyncFnOnce() -> V) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        match self.store().get(key) {
            Ok(Some(value)) => self.hit(value),
            missed => {
                let compute = async { Ok(compute().await) };
                unfailing(Box::pin(self.miss_async(&Owned, key, missed.err(), Sharing::none(), compute)).await)
            }
        }
    }

    /// As [`try_call_async`](Self::try_call_async), with this function in place of the memo's own.
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

    /// As [`try_call_with_async`](Self::try_call_with_async), with what becomes of errors chosen at the call.
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
        match self.store().get(key) {
            Ok(Some(value)) => Ok(self.hit(value)),
            missed => Box::pin(self.miss_async(&Owned, key, missed.err(), sharing, async { compute().await })).await,
        }
    }

    /// As [`refresh`](Self::refresh), with this function in place of the memo's own.
    pub fn refresh_with<K, V>(&self, key: &K, compute: impl FnOnce() -> V) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        unfailing(self.renew(key, Sharing::none(), || Ok(compute())))
    }

    /// As [`try_refresh`](Self::try_refresh), with this function in place of the memo's own.
    pub fn try_refresh_with<K, V, E>(&self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
        P: SharesErrors<E>,
    {
        self.renew(key, P::sharing(), compute)
    }

    /// As [`refresh_async`](Self::refresh_async), with this function in place of the memo's own.
    pub async fn refresh_with_async<K, V>(&self, key: &K, compute: impl AsyncFnOnce() -> V) -> V
    where
        K: Args + ?Sized,
        S: KeyedStore<K, Value = V>,
    {
        unfailing(self.renew_async(key, Sharing::none(), async { Ok(compute().await) }).await)
    }

    /// As [`try_refresh_async`](Self::try_refresh_async), with this function in place of the memo's own.
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
        self.renew_async(key, P::sharing(), async { compute().await }).await
    }
}

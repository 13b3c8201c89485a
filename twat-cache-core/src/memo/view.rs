//! Calls that take a result as the store keeps it, without a copy of their own.

use super::miss::{Form, unfailing};
use crate::{Args, Error, Memo, SharesErrors, Sharing, ViewStore};

/// A view that the store lends.
struct Lent;

impl<K: ?Sized, S: ViewStore<K>> Form<S, K> for Lent {
    type Output = S::View;

    fn look(store: &S, key: &K) -> Result<Option<S::View>, Error> {
        store.view(key)
    }

    fn of(store: &S, key: &K, value: S::Value) -> S::View {
        // What is in the store now need not be what was put there, but is no worse.
        let lent = store.view(key).ok().flatten();
        lent.unwrap_or_else(|| match store.to_view(&value) {
            Ok(view) => view,
            Err(error) => panic!("there is no view of this result: {}", error.chain()),
        })
    }
}

/// Calls that give a view of the result where the store keeps it, instead of the result itself.
///
/// A value without a form to be viewed in (that is, one whose own serialisation fails) is all that can make them panic.
impl<S, F, P> Memo<S, F, P> {
    /// A view of the function's result for `key`: remembered, or computed and stored.
    #[inline]
    pub fn view<K, V, W>(&self, key: &K) -> W
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        F: Fn(&K) -> V,
    {
        unfailing(self.try_view_sharing(key, Sharing::none(), || Ok((self.function)(key))))
    }

    /// As [`view`](Self::view), for a function that can fail. Only `Ok` is stored; the error is the function's own.
    #[inline]
    pub fn try_view<K, V, W, E>(&self, key: &K) -> Result<W, E>
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        F: Fn(&K) -> Result<V, E>,
        P: SharesErrors<E>,
    {
        self.try_view_with(key, || (self.function)(key))
    }

    /// As [`view`](Self::view), for an async function.
    #[inline]
    pub async fn view_async<K, V, W>(&self, key: &K) -> W
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        F: AsyncFn(&K) -> V,
    {
        unfailing(self.try_view_sharing_async(key, Sharing::none(), async || Ok((self.function)(key).await)).await)
    }

    /// As [`try_view`](Self::try_view), for an async function.
    #[inline]
    pub async fn try_view_async<K, V, W, E>(&self, key: &K) -> Result<W, E>
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        F: AsyncFn(&K) -> Result<V, E>,
        P: SharesErrors<E>,
    {
        self.try_view_with_async(key, async || (self.function)(key).await).await
    }

    /// As [`try_view`](Self::try_view), with this function in place of the memo's own.
    #[inline]
    pub fn try_view_with<K, V, W, E>(&self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<W, E>
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        P: SharesErrors<E>,
    {
        self.try_view_sharing(key, P::sharing(), compute)
    }

    /// As [`try_view_with`](Self::try_view_with), with what becomes of errors chosen at the call.
    #[doc(hidden)]
    #[inline]
    pub fn try_view_sharing<K, V, W, E>(
        &self,
        key: &K,
        sharing: Sharing<E>,
        compute: impl FnOnce() -> Result<V, E>,
    ) -> Result<W, E>
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
    {
        match self.store.view(key) {
            Ok(Some(view)) => Ok(self.hit(view)),
            missed => self.miss(&Lent, key, missed.err(), sharing, compute),
        }
    }

    /// As [`try_view_async`](Self::try_view_async), with this function in place of the memo's own.
    #[inline]
    pub async fn try_view_with_async<K, V, W, E>(
        &self,
        key: &K,
        compute: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<W, E>
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        P: SharesErrors<E>,
    {
        self.try_view_sharing_async(key, P::sharing(), compute).await
    }

    /// As [`try_view_with_async`](Self::try_view_with_async), with what becomes of errors chosen at the call.
    #[doc(hidden)]
    #[inline]
    pub async fn try_view_sharing_async<K, V, W, E>(
        &self,
        key: &K,
        sharing: Sharing<E>,
        compute: impl AsyncFnOnce() -> Result<V, E>,
    ) -> Result<W, E>
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
    {
        match self.store.view(key) {
            Ok(Some(view)) => Ok(self.hit(view)),
            missed => Box::pin(self.miss_async(&Lent, key, missed.err(), sharing, async { compute().await })).await,
        }
    }
}

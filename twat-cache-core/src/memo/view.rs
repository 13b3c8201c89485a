//! Calls that return a view of a result in the store, without a copy.

use super::lookup::Form;
use super::miss::into_ok;
use crate::{Answer, Args, Error, Found, Memo, SharesErrors, Sharing, ViewStore};

/// Returns a view.
struct Viewed;

impl<K: ?Sized, S: ViewStore<K>> Form<S, K> for Viewed {
    type Output = S::View;

    const READS_BACK: bool = true;

    #[inline]
    fn find(store: &S, key: &K) -> Result<Option<S::View>, Error> {
        store.view(key)
    }

    fn find_with_ttl(store: &S, key: &K) -> Result<Option<Found<S::View>>, Error> {
        store.view_with_ttl(key)
    }

    #[inline]
    fn find_async<'a>(store: &'a S, key: &K) -> Answer<'a, Option<S::View>> {
        store.view_async(key)
    }

    fn find_with_ttl_async<'a>(store: &'a S, key: &K) -> Answer<'a, Option<Found<S::View>>> {
        store.view_with_ttl_async(key)
    }

    fn convert(store: &S, value: S::Value) -> S::View {
        match store.to_view(&value) {
            Ok(view) => view,
            Err(error) => panic!("there is no view of this result: {}", error.chain()),
        }
    }
}

/// Calls that return a view of the result in the store, instead of the result itself.
///
/// # Panics
///
/// A call panics if the result has no view, because its serialisation fails.
impl<S, F, P> Memo<S, F, P> {
    /// Returns a view of the stored result for `key`. After a miss, computes and stores the result first.
    #[inline]
    pub fn view<K, V, W>(&self, key: &K) -> W
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        F: Fn(&K) -> V,
    {
        into_ok(self.try_view_sharing(key, Sharing::none(), || Ok((self.function)(key))))
    }

    /// Like [`view`](Self::view), for a function that can fail. Only `Ok` is stored. The error is the function's own.
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

    /// Like [`view`](Self::view), for an async function.
    #[inline]
    pub async fn view_async<K, V, W>(&self, key: &K) -> W
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        F: AsyncFn(&K) -> V,
    {
        into_ok(self.try_view_sharing_async(key, Sharing::none(), async || Ok((self.function)(key).await)).await)
    }

    /// Like [`try_view`](Self::try_view), for an async function.
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

    /// Like [`try_view`](Self::try_view), with `compute` in place of the memo's function.
    #[inline]
    pub fn try_view_with<K, V, W, E>(&self, key: &K, compute: impl FnOnce() -> Result<V, E>) -> Result<W, E>
    where
        K: Args + ?Sized,
        S: ViewStore<K, Value = V, View = W>,
        P: SharesErrors<E>,
    {
        self.try_view_sharing(key, P::sharing(), compute)
    }

    /// Like [`try_view_with`](Self::try_view_with). `sharing` decides whether waiters get an error.
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
        match self.look::<Viewed, _>(key) {
            Ok(Some(view)) => Ok(self.hit(view)),
            missed => self.miss(&Viewed, key, missed.err(), sharing, compute),
        }
    }

    /// Like [`try_view_async`](Self::try_view_async), with `compute` in place of the memo's function.
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

    /// Like [`try_view_with_async`](Self::try_view_with_async). `sharing` decides whether waiters get an error.
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
        match self.look_async::<Viewed, _>(key) {
            Answer::Now(Ok(Some(view))) => Ok(self.hit(view)),
            answer => Box::pin(self.miss_async(&Viewed, key, answer, sharing, async { compute().await })).await,
        }
    }
}

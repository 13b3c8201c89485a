use twat_cache_core::persist::CacheValue;
use twat_cache_core::{Args, Memo, Ruled, Sharing};
use twat_cache_file::{FileFallback, View};

use super::Outcome;

/// A memo of a function with such results, which have views, whatever the keys are. The parameter tells whether they are `Result`s.
#[diagnostic::on_unimplemented(
    message = "there is no view of this result, because serde stores it",
    label = "not for results of serde",
    note = "derive `twat_cache::CacheValue` for the type of the result"
)]
pub trait Views<O: Outcome<IS_RESULT>, const IS_RESULT: bool> {
    /// The result with a view in place of the value.
    type Viewed;

    /// A view of the result for `key`.
    fn view_of<K: Args + ?Sized>(
        &self,
        key: &K,
        sharing: Sharing<O::Error>,
        compute: impl FnOnce() -> Result<O::Value, O::Error>,
    ) -> Self::Viewed;

    /// The same, for an async function.
    fn view_of_async<K: Args + ?Sized>(
        &self,
        key: &K,
        sharing: Sharing<O::Error>,
        compute: impl AsyncFnOnce() -> Result<O::Value, O::Error>,
    ) -> impl Future<Output = Self::Viewed>;
}

macro_rules! views {
    ($($store:ty),+) => {
        $(
            impl<V, O, const IS_RESULT: bool> Views<O, IS_RESULT> for Memo<$store, ()>
            where
                V: CacheValue,
                O: Outcome<IS_RESULT, Value = V>,
            {
                type Viewed = O::With<View<V>>;

                #[inline]
                fn view_of<K: Args + ?Sized>(
                    &self,
                    key: &K,
                    sharing: Sharing<O::Error>,
                    compute: impl FnOnce() -> Result<V, O::Error>,
                ) -> O::With<View<V>> {
                    O::of(self.try_view_sharing(key, sharing, compute))
                }

                #[inline]
                async fn view_of_async<K: Args + ?Sized>(
                    &self,
                    key: &K,
                    sharing: Sharing<O::Error>,
                    compute: impl AsyncFnOnce() -> Result<V, O::Error>,
                ) -> O::With<View<V>> {
                    O::of(self.try_view_sharing_async(key, sharing, compute).await)
                }
            }
        )+
    };
}

// Without a rule, with `ttl_by` or `keep_if`, and with both.
views!(FileFallback<V>, Ruled<FileFallback<V>>, Ruled<Ruled<FileFallback<V>>>);

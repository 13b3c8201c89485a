//! How the waiters of a failed computation get its error.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Whether the waiters of a failed computation get its error, of type `E`.
pub struct Sharing<E> {
    share: fn(&E) -> Option<Shared>,
    take: fn(&Shared) -> Option<E>,
}

/// An error or arguments of any type.
pub(super) type Shared = Arc<dyn Any + Send + Sync>;

impl<E> Sharing<E> {
    /// The error is not shared: after a failure, each waiter computes.
    pub const fn none() -> Self {
        Self { share: |_| None, take: |_| None }
    }

    /// Each waiter gets a clone of the error.
    pub const fn by_clone() -> Self
    where
        E: Clone + Send + Sync + 'static,
    {
        Self { share: |error| Some(Arc::new(error.clone())), take: |shared| shared.downcast_ref().cloned() }
    }

    pub(super) fn share(&self, error: &E) -> Option<Shared> {
        // If `Clone` panics, the caller still gets its error, and the waiters compute.
        catch_unwind(AssertUnwindSafe(|| (self.share)(error))).ok().flatten()
    }

    pub(super) fn take(&self, shared: &Shared) -> Option<E> {
        catch_unwind(AssertUnwindSafe(|| (self.take)(shared))).ok().flatten()
    }
}

impl<E> Clone for Sharing<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Sharing<E> {}

impl<E> fmt::Debug for Sharing<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sharing(..)")
    }
}

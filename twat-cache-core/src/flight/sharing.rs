//! How the error of a failed computation reaches the callers that waited for it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Whether errors of type `E` are shared among the callers that wait for one computation, and how.
pub struct Sharing<E>(Option<Clones<E>>);

/// An error of any type, for callers of one function.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

struct Clones<E> {
    put: fn(&E) -> Shared,
    take: fn(&Shared) -> Option<E>,
}

impl<E> Sharing<E> {
    /// They are not: each caller computes by itself after a failure.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Each caller gets a clone.
    pub const fn by_clone() -> Self
    where
        E: Clone + Send + Sync + 'static,
    {
        Self(Some(Clones { put: |error| Arc::new(error.clone()), take: |shared| shared.downcast_ref().cloned() }))
    }

    pub(crate) fn put(&self, error: &E) -> Option<Shared> {
        let clones = self.0.as_ref()?;
        // The caller gets its error, and the waiters compute, if it cannot be cloned.
        catch_unwind(AssertUnwindSafe(|| (clones.put)(error))).ok()
    }

    pub(crate) fn take(&self, shared: &Shared) -> Option<E> {
        let clones = self.0.as_ref()?;
        catch_unwind(AssertUnwindSafe(|| (clones.take)(shared))).ok().flatten()
    }
}

impl<E> Clone for Sharing<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Sharing<E> {}

impl<E> Clone for Clones<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Clones<E> {}

impl<E> fmt::Debug for Sharing<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Sharing(by clone)" } else { "Sharing(none)" })
    }
}

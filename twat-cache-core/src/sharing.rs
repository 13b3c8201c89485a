//! How the error of a failed computation reaches the callers that waited for it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::function::kind;

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

/// What a memo does with its function's errors: a part of the [mode](Mode) of a [`Memo`](crate::Memo).
pub trait SharesErrors<E> {
    /// How.
    fn sharing() -> Sharing<E>;
}

/// The third parameter of [`Memo`](crate::Memo): what kind of function it has, as far as is known, and what becomes of
/// errors.
pub trait Mode<Kind> {}

/// Errors are the caller's alone, of any type; what a memo begins with.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnErrors;

/// Errors are cloned for all callers that waited, see [`Memo::share_errors`](crate::Memo::share_errors).
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedErrors;

/// The function is async. The compiler cannot find that out in time to take `memo.forget(&3)` for what it means.
#[derive(Clone, Copy, Debug, Default)]
pub struct Async<Errors = OwnErrors>(Errors);

impl<Kind> Mode<Kind> for OwnErrors {}
impl<Kind> Mode<Kind> for SharedErrors {}
impl<Errors> Mode<kind::Async> for Async<Errors> {}

impl<E> SharesErrors<E> for OwnErrors {
    #[inline]
    fn sharing() -> Sharing<E> {
        Sharing::none()
    }
}

impl<E: Clone + Send + Sync + 'static> SharesErrors<E> for SharedErrors {
    #[inline]
    fn sharing() -> Sharing<E> {
        Sharing::by_clone()
    }
}

impl<E, Errors: SharesErrors<E>> SharesErrors<E> for Async<Errors> {
    #[inline]
    fn sharing() -> Sharing<E> {
        Errors::sharing()
    }
}

//! The third parameter of a memo: the kind of its function, and whether waiters share errors.

use super::function::kind;
use crate::flight::Sharing;

/// A [mode](Mode) of a [`Memo`](crate::Memo) whose function returns errors of type `E`.
pub trait SharesErrors<E> {
    /// Returns whether waiters get the error of a failed computation.
    fn sharing() -> Sharing<E>;
}

/// The third parameter of a [`Memo`](crate::Memo): whether its function is async, and whether waiters share errors.
///
/// The compiler infers `Kind`.
pub trait Mode<Kind> {}

/// Only the caller whose computation failed gets the error. This is the default, and works with any error type.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnErrors;

/// Each waiter gets a clone of the error, see [`Memo::share_errors`](crate::Memo::share_errors).
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedErrors;

/// The function is async. Without this type, the compiler could not infer the type of `3` in `memo.forget(&3)`.
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

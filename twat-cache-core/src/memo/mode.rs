//! The third parameter of a memo: its kind of function, and what becomes of errors.

use super::function::kind;
use crate::flight::Sharing;

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

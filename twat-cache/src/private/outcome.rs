use std::convert::Infallible;

use super::Probe;
use twat_cache_core::Sharing;

/// The part of a function's result that is stored. The parameter tells whether it is a `Result`.
pub trait Outcome<const IS_RESULT: bool> {
    /// What is stored.
    type Value;
    /// The error, or `Infallible`.
    type Error;
    /// The same result with another value.
    type With<T>;

    /// A `Result`, as the function returns it.
    fn of<T>(result: Result<T, Self::Error>) -> Self::With<T>;
}

/// Of a `Result`, only `Ok` is stored.
impl<T, E> Outcome<true> for Result<T, E> {
    type Value = T;
    type Error = E;
    type With<U> = Result<U, E>;

    #[inline]
    fn of<U>(result: Result<U, E>) -> Result<U, E> {
        result
    }
}

impl<T> Outcome<false> for T {
    type Value = T;
    type Error = Infallible;
    type With<U> = U;

    #[inline]
    fn of<U>(result: Result<U, Infallible>) -> U {
        let Ok(value) = result;
        value
    }
}

impl<T, E> Probe<Result<T, E>> {
    /// It is a `Result`.
    pub const RESULT: bool = true;

    /// What a function has returned, as a `Result`.
    #[inline]
    pub fn begin(self, outcome: Result<T, E>) -> Result<T, E> {
        outcome
    }

    /// A `Result`, as the function returns it.
    #[inline]
    pub fn end<U>(self, result: Result<U, E>) -> Result<U, E> {
        result
    }
}

impl<T, E: Clone + Send + Sync + 'static> Probe<Result<T, E>> {
    /// All callers that wait get a clone of an error.
    #[inline]
    pub fn sharing(self) -> Sharing<E> {
        Sharing::by_clone()
    }
}

/// A `Result` whose error cannot be cloned for other callers, as far as is known.
pub trait OwnError<E>: Sized {
    /// Each caller has an error of its own.
    #[inline]
    fn sharing(self) -> Sharing<E> {
        Sharing::none()
    }
}

impl<T, E> OwnError<E> for Probe<Result<T, E>> {}

/// What is no `Result` is stored as it is.
pub trait NoResult<T>: Sized {
    /// There is no error.
    #[inline]
    fn sharing(self) -> Sharing<Infallible> {
        Sharing::none()
    }

    /// What a function has returned, as a `Result`.
    #[inline]
    fn begin(self, outcome: T) -> Result<T, Infallible> {
        Ok(outcome)
    }

    /// A `Result`, as the function returns it.
    #[inline]
    fn end<U>(self, result: Result<U, Infallible>) -> U {
        let Ok(value) = result;
        value
    }
}

impl<T> NoResult<T> for &Probe<T> {}

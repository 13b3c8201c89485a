use std::convert::Infallible;
use std::fmt;

use super::Probe;
use twat_cache_core::Sharing;

/// What of a function's result is remembered. The parameter says whether it is a `Result`.
pub trait Outcome<const IS_RESULT: bool> {
    /// What is remembered.
    type Value;
    /// The same with another value.
    type With<T>;
}

impl<T, E> Outcome<true> for Result<T, E> {
    type Value = T;
    type With<U> = Result<U, E>;
}

impl<T> Outcome<false> for T {
    type Value = T;
    type With<U> = U;
}

/// Of a `Result`, only `Ok` is remembered.
pub struct Fallible<E>(Sharing<E>);

#[expect(clippy::unused_self, reason = "of which type `self` is, is what is asked")]
impl<E> Fallible<E> {
    /// What becomes of an error.
    #[inline]
    pub fn sharing(self) -> Sharing<E> {
        self.0
    }

    /// What a function has given, as a `Result` in any case.
    #[inline]
    pub fn begin<T>(self, outcome: Result<T, E>) -> Result<T, E> {
        outcome
    }

    /// A `Result`, as the function gives it.
    #[inline]
    pub fn end<T>(self, result: Result<T, E>) -> Result<T, E> {
        result
    }
}

impl<E> Clone for Fallible<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Fallible<E> {}

impl<E> fmt::Debug for Fallible<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fallible").field(&self.0).finish()
    }
}

/// Anything else is remembered as it is.
#[derive(Clone, Copy, Debug)]
pub struct Unfailing;

#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "in the place of the methods of `Fallible`")]
impl Unfailing {
    /// There is no error.
    #[inline]
    pub fn sharing(self) -> Sharing<Infallible> {
        Sharing::none()
    }

    /// What a function has given, as a `Result` in any case.
    #[inline]
    pub fn begin<T>(self, outcome: T) -> Result<T, Infallible> {
        Ok(outcome)
    }

    /// A `Result`, as the function gives it.
    #[inline]
    pub fn end<T>(self, result: Result<T, Infallible>) -> T {
        match result {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }
}

impl<T, E> Probe<Result<T, E>> {
    /// It is a `Result`.
    pub const RESULT: bool = true;
}

impl<T, E: Clone + Send + Sync + 'static> Probe<Result<T, E>> {
    /// A `Result` whose error all callers get that waited for it.
    pub fn outcome(self) -> Fallible<E> {
        Fallible(Sharing::by_clone())
    }
}

/// For a `Result` whose error cannot be given to several callers, as far as is known.
pub trait OwnError<E>: Sized {
    /// The `Result`.
    fn outcome(self) -> Fallible<E> {
        Fallible(Sharing::none())
    }
}

impl<T, E> OwnError<E> for Probe<Result<T, E>> {}

/// For what is no `Result`.
pub trait NoResult: Sized {
    /// The value.
    fn outcome(self) -> Unfailing {
        Unfailing
    }
}

impl<T: ?Sized> NoResult for &Probe<T> {}

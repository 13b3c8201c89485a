use std::convert::Infallible;

use super::Probe;

/// What a function returns: a value, or a `Result` of which only `Ok` is remembered.
pub trait Outcome<const IS_RESULT: bool>: Sized {
    /// What is remembered.
    type Value;
    /// What is not.
    type Error;
    /// The same with another value.
    type With<T>;

    /// As a `Result` in any case.
    fn into_result(self) -> Result<Self::Value, Self::Error>;

    /// As the function has it.
    fn from_result<T>(result: Result<T, Self::Error>) -> Self::With<T>;
}

impl<T, E> Outcome<true> for Result<T, E> {
    type Value = T;
    type Error = E;
    type With<U> = Result<U, E>;

    #[inline]
    fn into_result(self) -> Self {
        self
    }

    #[inline]
    fn from_result<U>(result: Result<U, E>) -> Result<U, E> {
        result
    }
}

impl<T> Outcome<false> for T {
    type Value = T;
    type Error = Infallible;
    type With<U> = U;

    #[inline]
    fn into_result(self) -> Result<T, Infallible> {
        Ok(self)
    }

    #[inline]
    fn from_result<U>(result: Result<U, Infallible>) -> U {
        match result {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }
}

impl<T, E> Probe<Result<T, E>> {
    /// It is one.
    pub const IS_RESULT: bool = true;
}

/// For what is no `Result`.
pub trait NoResult {
    /// It is none.
    const IS_RESULT: bool = false;
}

impl<T: ?Sized> NoResult for Probe<T> {}

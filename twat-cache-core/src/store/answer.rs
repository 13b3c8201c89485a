//! Answers that may take time.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::guard;
use crate::{Error, ErrorKind};

/// What a store answers to a task: at once, or later.
///
/// A thread calls methods that block, such as [`KeyedStore::get`](crate::KeyedStore::get). A task calls their async forms,
/// such as [`KeyedStore::get_async`](crate::KeyedStore::get_async), and awaits the answer. The default of an async form is an answer
/// at once, from the method that blocks. A store that needs a network, or long I/O, answers later, and does not block the
/// thread of the task meanwhile.
///
/// An answer does not borrow the key or the value. So a store makes its digest and its bytes before it answers.
#[must_use = "an answer that comes later needs to be awaited"]
pub enum Answer<'a, T> {
    /// The answer itself.
    Now(Result<T, Error>),
    /// The answer is the output of this future, on any executor.
    Later(Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>),
}

impl<'a, T> Answer<'a, T> {
    /// An answer that is the output of `future`.
    pub fn later(future: impl Future<Output = Result<T, Error>> + Send + 'a) -> Self {
        Self::Later(Box::pin(future))
    }

    /// Makes another answer of this one.
    pub fn then<U>(self, then: impl FnOnce(Result<T, Error>) -> Result<U, Error> + Send + 'a) -> Answer<'a, U>
    where
        T: 'a,
    {
        match self {
            Self::Now(result) => Answer::Now(then(result)),
            Self::Later(future) => Answer::later(async move { then(future.await) }),
        }
    }

    /// Runs code of the user or of an engine, and turns a panic into an error, also one of an answer that comes later.
    pub(crate) fn guarded(attempt: &'static str, ask: impl FnOnce() -> Self) -> Self
    where
        T: 'a,
    {
        match guard(attempt, || Ok(ask())) {
            Ok(Self::Later(mut future)) => Self::later(std::future::poll_fn(move |cx| {
                guard(attempt, || Ok(future.as_mut().poll(cx))).unwrap_or_else(|error| Poll::Ready(Err(error)))
            })),
            Ok(now) => now,
            Err(error) => Self::Now(Err(error)),
        }
    }
}

/// Nothing in an answer is pinned, but for the future in its box.
impl<T> Unpin for Answer<'_, T> {}

impl<T> Future for Answer<'_, T> {
    type Output = Result<T, Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Self::Later(future) = &mut *self {
            return future.as_mut().poll(cx);
        }
        let gone = || Self::Now(Err(Error::new(ErrorKind::Other, "await an answer").because("it was awaited before")));
        match mem::replace(&mut *self, gone()) {
            Self::Now(result) => Poll::Ready(result),
            Self::Later(_) => Poll::Pending,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(result) => f.debug_tuple("Now").field(result).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

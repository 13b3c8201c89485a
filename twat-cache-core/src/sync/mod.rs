//! The primitives that flights are built from, real or simulated.
//!
//! With `--cfg shuttle` the model checker's take their place, and `tests/model.rs` explores schedules. Everything that
//! flights lock, wait on or count comes from here.

#[cfg(not(shuttle))]
mod real;
#[cfg(shuttle)]
mod simulated;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[cfg(not(shuttle))]
pub(crate) use real::{
    Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, Signal, Timer, atomic, is_mutant, thread_local,
};
#[cfg(shuttle)]
#[doc(hidden)]
pub use simulated::mutate;
#[cfg(shuttle)]
pub(crate) use simulated::{
    Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard, Signal, Timer, atomic, is_mutant, thread_local,
};

/// What drives a computation, or waits for one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    Thread,
    Task,
}

/// The result of a future that is ready when it is first polled.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// How long to wait for a lock under which a value's own code may run: longer than any change takes. That code may wait for
/// us, and would for ever: a `Clone` may call the memo, or need a lock that our caller has.
pub(crate) const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 10_000 });

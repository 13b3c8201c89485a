//! Locks, signals, timers and atomics, real or simulated.
//!
//! With `--cfg shuttle` these are the model checker's, so that `tests/model.rs` can explore schedules. Flights use no
//! other locks and waits.

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

/// What runs a computation, or waits for one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    Thread,
    Task,
}

/// Runs what a thread does: its waits block, so the future is ready at its first poll.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
        std::thread::yield_now();
    }
}

/// The longest wait for a lock under which a value's own code runs. It is longer than any change takes.
///
/// Without it, such a wait could last forever: a value's `Clone` may call the memo, or need a lock that the caller
/// holds.
pub(crate) const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 10_000 });

//! The primitives of the model checker. It has no time, so deadlines never pass here.

pub(crate) use shuttle::sync::atomic;
pub(crate) use shuttle::thread_local;

use std::future::Future;
use std::task::{Poll, Waker};

std::thread_local! {
    static MUTANT: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
}

/// Makes the library make the named mistake, in tests on this thread. The tests must find it.
pub fn mutate(mistake: &'static str) {
    MUTANT.set(mistake);
}

/// Returns whether the library makes this mistake. The model checker runs all its threads on one system thread.
pub(crate) fn is_mutant(mistake: &str) -> bool {
    MUTANT.get() == mistake
}

/// A timer that is ready at its second poll.
pub(crate) struct Timer;

impl Timer {
    pub(crate) fn new(_: std::time::Duration) -> impl Future<Output = ()> {
        shuttle::future::yield_now()
    }

    pub(crate) fn is_available() -> bool {
        true
    }
}

pub(crate) use shuttle::sync::{MutexGuard, MutexGuard as ReentrantMutexGuard};

pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> shuttle::sync::MutexGuard<'_, T> {
        // Like `parking_lot`, ignore poisoning.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn try_lock(&self) -> Option<shuttle::sync::MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the real method can time out")]
    pub(crate) fn try_lock_for(&self, _: std::time::Duration) -> Option<shuttle::sync::MutexGuard<'_, T>> {
        Some(self.lock())
    }
}

/// The model's tests do not lock reentrantly.
pub(crate) type ReentrantMutex<T> = Mutex<T>;

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

pub(crate) struct Signal {
    wakers: Mutex<Vec<Waker>>,
    condition: shuttle::sync::Condvar,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self { wakers: Mutex::new(Vec::new()), condition: shuttle::sync::Condvar::new() }
    }

    pub(crate) fn notify_all(&self) {
        let wakers = std::mem::take(&mut *self.wakers.lock());
        self.condition.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn waiting(&self) -> usize {
        self.wakers.lock().len()
    }

    pub(crate) fn block_until(&self, _: impl Fn() -> Option<std::time::Instant>, condition: impl Fn() -> bool) -> bool {
        let mut wakers = self.wakers.lock();
        while !condition() {
            wakers = self.condition.wait(wakers).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        true
    }

    pub(crate) async fn until(&self, _: impl Fn() -> Option<std::time::Instant>, condition: impl Fn() -> bool) -> bool {
        std::future::poll_fn(|cx| {
            let mut wakers = self.wakers.lock();
            if condition() {
                return Poll::Ready(());
            }
            wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        true
    }
}

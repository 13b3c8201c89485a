//! The primitives that flights are built from, real or simulated.
//!
//! With `--cfg shuttle` the model checker's take their place, and `tests/model.rs` explores schedules. Everything that
//! flights lock, wait on or count comes from here.

/// How long to wait for a lock under which a value's own code may run: longer than any change takes. That code may wait for
/// us, and would for ever: a `Clone` may call the memo, or need a lock that our caller has.
pub(crate) const PATIENCE: std::time::Duration =
    std::time::Duration::from_millis(if cfg!(test) { 100 } else { 10_000 });

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

#[cfg(not(shuttle))]
mod real {
    pub(crate) use parking_lot::{Mutex, MutexGuard, ReentrantMutex, ReentrantMutexGuard};
    pub(crate) use std::sync::atomic;
    pub(crate) use std::thread_local;

    use std::future::{Future, poll_fn};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::{Duration, Instant};

    use event_listener::{Event, Listener};
    use futures_timer::Delay;

    /// Mistakes are for the model.
    pub(crate) const fn is_mutant(_: &str) -> bool {
        false
    }

    /// Something that happens once, for threads and tasks to wait for.
    pub(crate) struct Signal(Event);

    impl Signal {
        pub(crate) const fn new() -> Self {
            Self(Event::new())
        }

        /// Wakes all who wait, to look at their condition again.
        pub(crate) fn raise(&self) {
            self.0.notify(usize::MAX);
        }

        #[cfg(any(test, feature = "testing"))]
        pub(crate) fn waiting(&self) -> usize {
            self.0.total_listeners()
        }

        /// Blocks the thread until `happened`, which must become true before a [`raise`](Self::raise), or until the
        /// deadline, which is asked for anew at each raise; says whether it happened.
        pub(crate) fn block_until(&self, deadline: impl Fn() -> Option<Instant>, happened: impl Fn() -> bool) -> bool {
            while !happened() {
                let listener = self.0.listen();
                // It may have happened before we listened, and nobody would tell us.
                if happened() {
                    return true;
                }
                match deadline() {
                    None => listener.wait(),
                    Some(deadline) if listener.wait_deadline(deadline).is_none() => return happened(),
                    Some(_) => {}
                }
            }
            true
        }

        /// Waits as [`block_until`](Self::block_until), without holding up the thread.
        pub(crate) async fn until(&self, deadline: impl Fn() -> Option<Instant>, happened: impl Fn() -> bool) -> bool {
            while !happened() {
                let mut listener = self.0.listen();
                if happened() {
                    return true;
                }
                let left = deadline().map_or(FAR, |deadline| deadline.saturating_duration_since(Instant::now()));
                let mut timer = Timer::new(left);
                let raised = poll_fn(|cx| match Pin::new(&mut listener).poll(cx) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending => Pin::new(&mut timer).poll(cx).map(|()| false),
                });
                if !raised.await {
                    return happened();
                }
            }
            true
        }
    }

    /// As good as never, and within what timers can express.
    const FAR: Duration = Duration::from_secs(1 << 25);

    /// A future that is ready after some time, on any executor.
    pub(crate) struct Timer(Delay);

    impl Timer {
        pub(crate) fn new(time: Duration) -> Self {
            Self(Delay::new(time.min(FAR)))
        }

        /// Whether there are timers: they need one thread, and panic without. A process that was forked from one with timers
        /// does not have that thread.
        pub(crate) fn is_available() -> bool {
            let (this, owner) = (std::process::id(), OWNER.load(atomic::Ordering::Relaxed));
            if owner == 0 && std::thread::Builder::new().spawn(|| ()).is_ok() {
                OWNER.store(this, atomic::Ordering::Relaxed);
                return true;
            }
            owner == this
        }
    }

    /// The process that has timers; 0 if none has, and `u32::MAX` if they are gone.
    static OWNER: atomic::AtomicU32 = atomic::AtomicU32::new(0);

    impl Future for Timer {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            // The timers' thread is gone if it could not be started after all, or a waker has panicked on it.
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(cx)));
            polled.unwrap_or_else(|_| {
                OWNER.store(u32::MAX, atomic::Ordering::Relaxed);
                Poll::Ready(())
            })
        }
    }
}

#[cfg(shuttle)]
mod simulated {
    pub(crate) use shuttle::sync::atomic;
    pub(crate) use shuttle::thread_local;

    use std::future::Future;
    use std::task::{Poll, Waker};

    std::thread_local! {
        static MUTANT: std::cell::Cell<&'static str> = const { std::cell::Cell::new("") };
    }

    /// Makes a mistake, by its name, which the tests on this thread must find.
    pub fn mutate(mistake: &'static str) {
        MUTANT.set(mistake);
    }

    /// Whether the tests on this thread run with this mistake. The model's threads share one.
    pub(crate) fn is_mutant(mistake: &str) -> bool {
        MUTANT.get() == mistake
    }

    /// The model has no time, and never waits for it to pass.
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
            // parking_lot's do not poison either.
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        pub(crate) fn try_lock(&self) -> Option<shuttle::sync::MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        /// The model has no time.
        #[expect(clippy::unnecessary_wraps, reason = "the real one may wait in vain")]
        pub(crate) fn try_lock_for(&self, _: std::time::Duration) -> Option<shuttle::sync::MutexGuard<'_, T>> {
            Some(self.lock())
        }
    }

    /// The model's threads do not lock twice.
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

        pub(crate) fn raise(&self) {
            let wakers = std::mem::take(&mut *self.wakers.lock());
            self.condition.notify_all();
            wakers.into_iter().for_each(Waker::wake);
        }

        #[cfg(any(test, feature = "testing"))]
        pub(crate) fn waiting(&self) -> usize {
            self.wakers.lock().len()
        }

        /// The model has no time.
        pub(crate) fn block_until(
            &self,
            _: impl Fn() -> Option<std::time::Instant>,
            happened: impl Fn() -> bool,
        ) -> bool {
            let mut wakers = self.wakers.lock();
            while !happened() {
                wakers = self.condition.wait(wakers).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            true
        }

        pub(crate) async fn until(
            &self,
            _: impl Fn() -> Option<std::time::Instant>,
            happened: impl Fn() -> bool,
        ) -> bool {
            std::future::poll_fn(|cx| {
                let mut wakers = self.wakers.lock();
                if happened() {
                    return Poll::Ready(());
                }
                wakers.push(cx.waker().clone());
                Poll::Pending
            })
            .await;
            true
        }
    }
}

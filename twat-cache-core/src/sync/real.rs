//! The real primitives.

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

/// Only the model checker makes mistakes.
pub(crate) const fn is_mutant(_: &str) -> bool {
    false
}

/// A condition variable for threads and tasks.
pub(crate) struct Signal(Event);

impl Signal {
    pub(crate) const fn new() -> Self {
        Self(Event::new())
    }

    /// Wakes all waiters. They check their conditions and deadlines again.
    pub(crate) fn notify_all(&self) {
        self.0.notify(usize::MAX);
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn waiting(&self) -> usize {
        self.0.total_listeners()
    }

    /// Blocks the thread until `condition` is true or the deadline has passed. Returns the condition.
    ///
    /// Code that makes the condition true calls [`notify_all`](Self::notify_all) afterwards. Each notification also
    /// reads `deadline` again.
    pub(crate) fn block_until(&self, deadline: impl Fn() -> Option<Instant>, condition: impl Fn() -> bool) -> bool {
        while !condition() {
            let listener = self.0.listen();
            // The notification may have come before `listen`, and would not be repeated.
            if condition() {
                return true;
            }
            match deadline() {
                None => listener.wait(),
                Some(deadline) if listener.wait_deadline(deadline).is_none() => return condition(),
                Some(_) => {}
            }
        }
        true
    }

    /// As [`block_until`](Self::block_until), without blocking the thread.
    pub(crate) async fn until(&self, deadline: impl Fn() -> Option<Instant>, condition: impl Fn() -> bool) -> bool {
        while !condition() {
            let mut listener = self.0.listen();
            if condition() {
                return true;
            }
            let time = deadline().map_or(MAX_TIME, |deadline| deadline.saturating_duration_since(Instant::now()));
            let mut timer = Timer::new(time);
            let is_notified = poll_fn(|cx| match Pin::new(&mut listener).poll(cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => Pin::new(&mut timer).poll(cx).map(|()| false),
            });
            if !is_notified.await {
                return condition();
            }
        }
        true
    }
}

/// The longest time of a timer, about one year, because timers cannot express every duration.
const MAX_TIME: Duration = Duration::from_secs(1 << 25);

/// A future that is ready after some time, on any executor.
pub(crate) struct Timer(Delay);

impl Timer {
    pub(crate) fn new(time: Duration) -> Self {
        Self(Delay::new(time.min(MAX_TIME)))
    }

    /// Returns whether timers work. They need one thread, and panic without it. A forked process lacks its parent's
    /// thread.
    pub(crate) fn is_available() -> bool {
        let (this, owner) = (std::process::id(), OWNER.load(atomic::Ordering::Relaxed));
        if owner == 0 && std::thread::Builder::new().spawn(|| ()).is_ok() {
            OWNER.store(this, atomic::Ordering::Relaxed);
            return true;
        }
        owner == this
    }
}

/// The process whose timers work; 0 if no process has started them, and `u32::MAX` if their thread has ended.
static OWNER: atomic::AtomicU32 = atomic::AtomicU32::new(0);

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // This panics if the thread of the timers did not start, or ended because a waker panicked on it.
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(cx)));
        polled.unwrap_or_else(|_| {
            OWNER.store(u32::MAX, atomic::Ordering::Relaxed);
            Poll::Ready(())
        })
    }
}

//! The primitives of this system.

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

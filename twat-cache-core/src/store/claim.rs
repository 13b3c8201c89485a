//! The order among processes that want to compute the same result.

use std::fmt;
use std::thread;
use std::time::Duration;

use crate::sync::{Driver, Timer};

/// A lease: the right to compute a result that other processes may want to compute as well.
///
/// A store that several processes share gives a key's lease to one process at a time, see
/// [`KeyedStore::claim`](crate::KeyedStore::claim). Dropping the claim releases the lease.
#[must_use = "dropping the claim releases the lease"]
pub struct Claim(State);

enum State {
    Free,
    Held {
        #[expect(dead_code, reason = "its `Drop` releases the lease")]
        guard: Box<dyn Send>,
        /// The store has looked, and has no result.
        is_missing: bool,
    },
    Waiting(Attempt),
}

/// The pause between two attempts: it starts at the minimum and doubles up to the maximum.
const MIN_PAUSE: Duration = Duration::from_micros(500);
const MAX_PAUSE: Duration = Duration::from_millis(20);

/// Tries to get the lease; `None` if it is still taken.
type Attempt = Box<dyn FnMut() -> Option<Claim> + Send>;

impl Claim {
    /// A claim without a lease: every process may compute.
    pub fn free() -> Self {
        Self(State::Free)
    }

    /// A lease that this process holds. Dropping `guard` releases it.
    pub fn held(guard: impl Send + 'static) -> Self {
        Self(State::Held { guard: Box::new(guard), is_missing: false })
    }

    /// Like [`held`](Self::held), by a store that has found no result when it gave the lease. So nobody looks again.
    pub fn held_missing(guard: impl Send + 'static) -> Self {
        Self(State::Held { guard: Box::new(guard), is_missing: true })
    }

    /// A lease that another process holds.
    ///
    /// The waiter calls `attempt` at once, and then after pauses of 0.5 to 20 ms, on any thread, until it returns a
    /// claim. A free claim ends the wait without the lease. `attempt` must not block. The waiter polls because no
    /// system offers a wait for a file lock with a timeout.
    pub fn waiting(attempt: impl FnMut() -> Option<Claim> + Send + 'static) -> Self {
        Self(State::Waiting(Box::new(attempt)))
    }

    /// Returns whether there is no lease.
    pub(crate) fn is_free(&self) -> bool {
        matches!(self.0, State::Free)
    }

    /// Returns whether the store has no result, and others do not make one.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self.0, State::Held { is_missing: true, .. })
    }

    /// Returns whether another process holds the lease.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.0, State::Waiting(_))
    }

    /// Waits until the lease is granted. With [`Driver::Thread`] this blocks, and the future is ready at its first
    /// poll.
    pub(crate) async fn granted(self, driver: Driver) -> Self {
        let State::Waiting(mut attempt) = self.0 else { return self };
        let mut pause = MIN_PAUSE;
        loop {
            if let Some(claim) = attempt() {
                return claim;
            }
            match driver {
                Driver::Thread => thread::sleep(pause),
                Driver::Task if Timer::is_available() => Timer::new(pause).await,
                Driver::Task => return Self::free(),
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Free => "Claim(free)",
            State::Held { .. } => "Claim(held)",
            State::Waiting(_) => "Claim(waiting)",
        })
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;
    use crate::sync::ready;

    struct Guard(mpsc::Sender<()>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    /// Returns a claim that is granted at the third attempt. Its guard reports its drop to `dropped`.
    fn granted_third(dropped: mpsc::Sender<()>) -> Claim {
        let attempts = AtomicUsize::new(0);
        let mut guard = Some(Guard(dropped));
        Claim::waiting(move || {
            let guard = (attempts.fetch_add(1, Ordering::SeqCst) == 2).then(|| guard.take())?;
            guard.map(Claim::held)
        })
    }

    #[test]
    fn threads_and_tasks_wait_until_the_lease_is_granted() {
        let (send, dropped) = mpsc::channel();
        let claim = ready(granted_third(send.clone()).granted(Driver::Thread));
        assert!(matches!(claim.0, State::Held { .. }) && dropped.try_recv().is_err());
        drop(claim);
        dropped.recv().unwrap();
        let claims = [0; 10].map(|_| granted_third(send.clone()).granted(Driver::Task));
        let claims = claims.map(futures_lite::future::block_on);
        assert!(dropped.try_recv().is_err());
        drop(claims);
        (0..10).for_each(|_| dropped.recv().unwrap());
    }

    #[test]
    fn a_task_that_is_dropped_while_it_waits_releases_its_guard() {
        let (send, dropped) = mpsc::channel();
        {
            let mut waiting = pin!(granted_third(send).granted(Driver::Task));
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        dropped.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}

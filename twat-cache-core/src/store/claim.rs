//! Which process computes.

use std::fmt;
use std::thread;
use std::time::Duration;

use crate::sync::{Driver, Timer};

/// The right to compute a result that other processes may want to compute as well.
///
/// A store that is shared by processes gives one of them the right at a time, see
/// [`KeyedStore::claim`](crate::KeyedStore::claim). It is given back when this is dropped.
#[must_use = "the right is given back when the claim is dropped"]
pub struct Claim(State);

enum State {
    /// There is nobody else, or no waiting for them.
    Free,
    /// Everybody else waits until this is dropped.
    Held(#[expect(dead_code, reason = "it is kept for its `Drop`")] Box<dyn Send>),
    Waiting(Attempt),
}

/// Tries to get the right; `None` is to be tried again.
type Attempt = Box<dyn FnMut() -> Option<Claim> + Send>;

impl Claim {
    /// There is nobody to ask: everybody computes for themselves.
    pub fn free() -> Self {
        Self(State::Free)
    }

    /// The right is ours until `guard` is dropped.
    pub fn held(guard: impl Send + 'static) -> Self {
        Self(State::Held(Box::new(guard)))
    }

    /// Another process has the right. `attempt` is called every few milliseconds, from any thread, until it gives a claim:
    /// one that is held, or one that is free when the wait has to end. It must not block.
    ///
    /// Asking again and again is all there is: no system lets us wait for a file's lock and give up after a while.
    pub fn waiting(attempt: impl FnMut() -> Option<Claim> + Send + 'static) -> Self {
        Self(State::Waiting(Box::new(attempt)))
    }

    /// Whether other processes take part at all.
    pub(crate) fn is_free(&self) -> bool {
        matches!(self.0, State::Free)
    }

    /// Whether another process has the right at present.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.0, State::Waiting(_))
    }

    /// Waits for the right. Of a thread, the future is ready when it is first polled.
    pub(crate) async fn granted(self, driver: Driver) -> Self {
        let State::Waiting(mut attempt) = self.0 else { return self };
        let mut pause = SHORTEST;
        loop {
            if let Some(claim) = attempt() {
                return claim;
            }
            match driver {
                Driver::Thread => thread::sleep(pause),
                Driver::Task if Timer::is_available() => Timer::new(pause).await,
                Driver::Task => return Self::free(),
            }
            pause = (pause * 2).min(LONGEST);
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Free => "Claim(free)",
            State::Held(_) => "Claim(held)",
            State::Waiting(_) => "Claim(waiting)",
        })
    }
}

const SHORTEST: Duration = Duration::from_micros(500);
const LONGEST: Duration = Duration::from_millis(20);

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;
    use crate::sync::at_once;

    struct Guard(mpsc::Sender<()>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    /// Granted at the third attempt; the guard says when it is dropped.
    fn third(dropped: mpsc::Sender<()>) -> Claim {
        let asked = AtomicUsize::new(0);
        let mut guard = Some(Guard(dropped));
        Claim::waiting(move || {
            let claim = (asked.fetch_add(1, Ordering::SeqCst) == 2).then(|| guard.take())?;
            claim.map(Claim::held)
        })
    }

    #[test]
    fn threads_and_tasks_wait_until_it_is_granted() {
        let (send, dropped) = mpsc::channel();
        let claim = at_once(third(send.clone()).granted(Driver::Thread)).unwrap();
        assert!(matches!(claim.0, State::Held(_)) && dropped.try_recv().is_err());
        drop(claim);
        dropped.recv().unwrap();
        let claims = [0; 10].map(|_| third(send.clone()).granted(Driver::Task));
        let claims = claims.map(futures_lite::future::block_on);
        assert!(dropped.try_recv().is_err());
        drop(claims);
        (0..10).for_each(|_| dropped.recv().unwrap());
    }

    #[test]
    fn what_a_dropped_task_has_waited_for_is_given_back() {
        let (send, dropped) = mpsc::channel();
        {
            let mut waiting = pin!(third(send).granted(Driver::Task));
            assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        dropped.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}

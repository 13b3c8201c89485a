//! Leading tasks that are not polled.
//!
//! A task can start a call and then do something else, without dropping the call's future. Examples are a `select!`
//! branch on a borrowed future, a stream that buffers futures while its consumer awaits, and a leaked future. If that
//! call leads, the other callers wait for a computation that makes no progress. So waiters check the leader's pulse.
//! They abandon the flight of a leader that was woken and then not polled for [`LIMIT`].

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Flight;
use super::patience::now;

/// The longest time between a wake and the poll that follows it. If a busy executor takes longer, the function runs
/// twice.
pub(super) const LIMIT: Duration = Duration::from_millis(500);

/// Records when a leading task is woken and polled.
pub(super) struct Pulse {
    /// The waker of the task that polls the leader. A wake of the computation calls it.
    outer: Mutex<Option<Waker>>,
    /// The time of the first wake after the last poll, by [`now`]; 0 if there was none.
    woken: AtomicU64,
    /// Whether the leader is being polled. A poll is not a stall, even if it takes long.
    is_polling: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { outer: Mutex::new(None), woken: AtomicU64::new(0), is_polling: AtomicBool::new(false) }
    }

    /// Records that the leader is being polled, until the guard is dropped.
    pub(super) fn poll(&self, outer: &Waker) -> Polling<'_> {
        let mut current = self.outer.lock();
        let replaced = match &*current {
            Some(waker) if waker.will_wake(outer) => None,
            _ => current.replace(outer.clone()),
        };
        // Dropping a waker runs the executor's code, which may wake this flight and need the lock.
        drop(current);
        drop(replaced);
        self.woken.store(0, Ordering::SeqCst);
        self.is_polling.store(true, Ordering::SeqCst);
        Polling(self)
    }

    pub(super) fn is_stalled(&self) -> bool {
        let woken = self.woken.load(Ordering::SeqCst);
        let since_wake = Duration::from_nanos(now().saturating_sub(woken));
        woken != 0 && !self.is_polling.load(Ordering::SeqCst) && since_wake >= LIMIT
    }
}

pub(super) struct Polling<'a>(&'a Pulse);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        // After a wake during the poll, the time until the next poll counts from now.
        if self.0.woken.load(Ordering::SeqCst) != 0 {
            self.0.woken.store(now(), Ordering::SeqCst);
        }
        self.0.is_polling.store(false, Ordering::SeqCst);
    }
}

/// A flight is the waker of its leader's computation.
impl Wake for Flight {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(pulse) = &self.pulse else { return };
        // Only the first wake counts. Later wakes must not extend the limit.
        let _ = pulse.woken.compare_exchange(0, now(), Ordering::SeqCst, Ordering::SeqCst);
        let outer = pulse.outer.lock().clone();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

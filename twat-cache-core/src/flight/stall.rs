//! Leading tasks that nobody drives.
//!
//! A task can start a call, and then turn to something else without dropping it: a branch of `select!` on a borrowed
//! future, a stream that buffers futures while its consumer awaits, a future that is forgotten. If it was leading,
//! everybody else would wait for a computation that does not go on. So those who wait look at its pulse: a leader that
//! was woken, and not polled for [`LIMIT`], is given up.

use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Flight;

/// How long a runnable leader may go unpolled. An executor that is busier than this computes twice, that is all.
pub(super) const LIMIT: Duration = Duration::from_millis(500);

/// A leading task's sign of life, and its waker.
pub(super) struct Pulse {
    /// Who polls the leader, and is passed on what wakes its computation.
    outer: Mutex<Option<Waker>>,
    /// When the computation asked to be polled, in milliseconds of [`now`]; 0 if it has been polled since.
    asked: AtomicU64,
    /// A poll is under way: no stall, however long it takes.
    polling: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { outer: Mutex::new(None), asked: AtomicU64::new(0), polling: AtomicBool::new(false) }
    }

    /// Notes that the leader is polled, until the guard is dropped.
    pub(super) fn poll(&self, outer: &Waker) -> Polled<'_> {
        let mut held = self.outer.lock();
        let replaced = match &*held {
            Some(waker) if waker.will_wake(outer) => None,
            _ => held.replace(outer.clone()),
        };
        // Dropping a waker runs an executor's code, which must not find us locked.
        drop(held);
        drop(replaced);
        self.asked.store(0, Ordering::SeqCst);
        self.polling.store(true, Ordering::SeqCst);
        Polled(self)
    }

    pub(super) fn is_stalled(&self) -> bool {
        let asked = self.asked.load(Ordering::SeqCst);
        asked != 0
            && !self.polling.load(Ordering::SeqCst)
            && u128::from(now().saturating_sub(asked)) >= LIMIT.as_millis()
    }
}

pub(super) struct Polled<'a>(&'a Pulse);

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        // Woken during the poll: from now on it waits for the next.
        if self.0.asked.load(Ordering::SeqCst) != 0 {
            self.0.asked.store(now(), Ordering::SeqCst);
        }
        self.0.polling.store(false, Ordering::SeqCst);
    }
}

/// What the leader's computation gets as its waker.
impl Wake for Flight {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Some(pulse) = &self.pulse else { return };
        // The first wake counts, the others do not prolong it.
        let _ = pulse.asked.compare_exchange(0, now(), Ordering::SeqCst, Ordering::SeqCst);
        let outer = pulse.outer.lock().clone();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

/// Milliseconds since the first flight of a task; never 0.
fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_add(1)
}

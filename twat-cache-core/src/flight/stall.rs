//! Flights that tasks should no longer wait for.
//!
//! A task can start a call, and then turn to something else without dropping it: a branch of `select!` on a borrowed
//! future, a stream that buffers futures while its consumer awaits, a future that is forgotten. If it was leading,
//! everybody else would wait for a computation that nobody drives. Without a cache each would have computed, so here
//! they must in the end: a leader that has been woken and not polled for [`PATIENCE`] is given up.
//!
//! No waker tells us that something did *not* happen, so one thread watches. It exists only while tasks wait, and
//! ends flights whose time is up, too; threads that wait have a clock of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::patience::Patience;
use super::{Flight, GIVEN_UP};

/// How long a runnable leader may go unpolled. An executor that is busier than this computes twice, that is all.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the watchdog looks.
const TICK: Duration = Duration::from_millis(100);

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

    fn is_stalled(&self) -> bool {
        let asked = self.asked.load(Ordering::SeqCst);
        asked != 0
            && !self.polling.load(Ordering::SeqCst)
            && u128::from(now().saturating_sub(asked)) > PATIENCE.as_millis()
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

/// Milliseconds on the watchdog's clock; never 0.
fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_add(1)
}

struct Watchdog {
    flights: Vec<Weak<Flight>>,
    awake: bool,
}

static WATCHDOG: parking_lot::Mutex<Watchdog> = parking_lot::Mutex::new(Watchdog { flights: Vec::new(), awake: false });

/// Has an eye on a flight that a task is about to wait for.
pub(super) fn watch(flight: &Arc<Flight>, patience: &Patience) {
    // The model has no time; what is given up there is given up by `outdate`.
    if cfg!(shuttle) {
        return;
    }
    let mut watchdog = WATCHDOG.lock();
    if flight.deadline.set(patience.deadline(flight.predecessors)).is_ok() {
        watchdog.flights.push(Arc::downgrade(flight));
    }
    if !watchdog.awake {
        let thread = thread::Builder::new().name("twat-cache-watch".into()).spawn(patrol);
        // Without a thread to spare, the next task that waits tries again.
        watchdog.awake = thread.is_ok();
    }
}

fn patrol() {
    loop {
        // Not a synchronisation: the tick of a clock.
        thread::sleep(TICK);
        let (hopeless, done) = inspect(&mut WATCHDOG.lock());
        for flight in hopeless {
            // It runs the wakers of those who wait. One that panics must not take the watchdog with it.
            let ended = catch_unwind(AssertUnwindSafe(|| flight.end(GIVEN_UP)));
            drop(ended);
        }
        if done {
            return;
        }
    }
}

/// Takes those flights off the list that are over, or should be; says whether none is left.
fn inspect(watchdog: &mut Watchdog) -> (Vec<Arc<Flight>>, bool) {
    let mut hopeless = Vec::new();
    let now = Instant::now();
    watchdog.flights.retain(|flight| {
        let Some(flight) = flight.upgrade().filter(|flight| flight.is_flying()) else {
            return false;
        };
        let is_late = flight.deadline.get().is_some_and(|deadline| deadline.is_some_and(|deadline| deadline <= now));
        let is_hopeless = is_late || flight.pulse.as_ref().is_some_and(Pulse::is_stalled);
        if is_hopeless {
            hopeless.push(flight);
        }
        !is_hopeless
    });
    watchdog.awake = !watchdog.flights.is_empty();
    (hopeless, !watchdog.awake)
}

//! Leaders that are woken and not polled.
//!
//! A task can start a call, and then turn to something else without dropping it: a branch of `select!` on a borrowed
//! future, a stream that buffers futures while its consumer awaits, a future that is forgotten. If it was leading,
//! everybody else would wait for a computation that nobody drives. Without a cache each would have computed, so here
//! they must in the end: a leader that has been woken and not polled for [`PATIENCE`] is given up.
//!
//! No waker tells us that something did *not* happen, so one thread watches. It exists only while tasks wait for tasks.

use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Flight;

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
    watched: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            outer: Mutex::new(None),
            asked: AtomicU64::new(0),
            polling: AtomicBool::new(false),
            watched: AtomicBool::new(false),
        }
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

/// Has an eye on a flight that somebody is about to wait for.
pub(super) fn watch(flight: &Arc<Flight>) {
    let Some(pulse) = &flight.pulse else { return };
    // The model has no time; what a stall leads to, it reaches through `outdate`.
    if cfg!(shuttle) || pulse.watched.swap(true, Ordering::SeqCst) {
        return;
    }
    let mut watchdog = WATCHDOG.lock();
    watchdog.flights.push(Arc::downgrade(flight));
    if !watchdog.awake {
        let thread = thread::Builder::new().name("twat-cache-watch".into()).spawn(patrol);
        // Without a thread to spare, the next one to wait tries again; this flight stays on the list.
        watchdog.awake = thread.is_ok();
    }
}

fn patrol() {
    loop {
        // Not a synchronisation: the tick of a clock.
        thread::sleep(TICK);
        let (stalled, done) = inspect(&mut WATCHDOG.lock());
        for flight in stalled {
            log::debug!("a computation was started and then neglected by its task; others go on without it");
            flight.end();
        }
        if done {
            return;
        }
    }
}

/// Takes the stalled flights off the list, and those that are over; says whether none is left.
fn inspect(watchdog: &mut Watchdog) -> (Vec<Arc<Flight>>, bool) {
    let mut stalled = Vec::new();
    watchdog.flights.retain(|flight| {
        let Some(flight) = flight.upgrade().filter(|flight| !flight.is_over()) else {
            return false;
        };
        let is_stalled = flight.pulse.as_ref().is_some_and(Pulse::is_stalled);
        if is_stalled {
            stalled.push(flight);
        }
        !is_stalled
    });
    watchdog.awake = !watchdog.flights.is_empty();
    (stalled, !watchdog.awake)
}

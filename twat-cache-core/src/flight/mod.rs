//! Single-flight: one computation per key at a time.
//!
//! Who finds nothing in the store [joins](Flights::join) the flight of its key. The first becomes its *leader* and
//! computes; the others wait until it has *landed*, and find its value in the store. A flight is known by the digest
//! of its key: should two keys ever share one, the second waits in vain and computes, so no digest is ever trusted
//! with a value.
//!
//! What can go wrong, and what happens then:
//!
//! - the leader fails, panics or is cancelled: it lands all the same ([`Lead`] is a guard), the others find nothing and
//!   compute by themselves, all at once;
//! - a computation asks for its own key: the [stack](stack) knows, and it computes directly;
//! - two computations wait for each other: the [wait graph](waits) knows, and the second computes directly;
//! - a thread meets a leader that is a task: it must not wait, for the task may need this very thread;
//! - a leading task is woken and never polled again: the [watchdog](stall) sends the others on.

mod stack;
mod stall;
mod waits;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use crate::epochs::{Epochs, Moment};
use crate::key::{KeyHash, Namespace};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, Signal};

use stall::Pulse;
use waits::Edge;

/// What drives a computation, or waits for one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    Thread,
    Task,
}

/// The flights of one memo.
pub(crate) struct Flights {
    namespace: Namespace,
    table: Mutex<HashMap<KeyHash, Arc<Flight>>>,
    epochs: Epochs,
}

/// One computation under way.
struct Flight {
    id: u64,
    /// No use in waiting any longer: it landed, or was given up.
    over: AtomicBool,
    signal: Signal,
    /// How a leading task fares; a leading thread has none.
    pulse: Option<Pulse>,
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self { namespace: Namespace::process(), table: Mutex::default(), epochs: Epochs::new() }
    }

    pub(crate) fn digest<K: std::hash::Hash + ?Sized>(&self, key: &K) -> KeyHash {
        self.namespace.digest(key)
    }

    /// Says what a caller that missed is to do.
    pub(crate) fn join(&self, digest: KeyHash, caller: Driver) -> Turn<'_> {
        let flight = {
            let mut table = self.table.lock();
            match table.entry(digest) {
                Entry::Occupied(entry) if !entry.get().is_over() => entry.get().clone(),
                // What is over and still here was given up.
                entry => {
                    let flight = Arc::new(Flight::new(caller));
                    entry.insert_entry(flight.clone());
                    return Turn::Lead(Lead { flights: self, digest, flight });
                }
            }
        };
        if stack::contains(flight.id) || (caller == Driver::Thread && flight.pulse.is_some()) {
            return Turn::Alone;
        }
        match waits::enter(flight.id) {
            Some(edge) => Turn::Wait(Wait { flight, _edge: edge }),
            None => Turn::Alone,
        }
    }

    /// The moment that a computation begins, for [`is_current`](Self::is_current) when it has ended.
    pub(crate) fn begin(&self, digest: KeyHash) -> Moment {
        self.epochs.now(digest)
    }

    /// Whether nothing has outdated a computation since it began.
    pub(crate) fn is_current(&self, begun: Moment) -> bool {
        self.epochs.is_current(begun)
    }

    /// Declares what is being computed for this key now out of date: it will not be stored, and nobody waits for it.
    pub(crate) fn outdate(&self, digest: KeyHash) {
        self.epochs.advance(digest);
        let flight = self.table.lock().remove(&digest);
        if let Some(flight) = flight {
            flight.end();
        }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn waiting(&self) -> usize {
        self.table.lock().values().map(|flight| flight.signal.waiting()).sum()
    }

    /// Declares everything that is being computed now out of date.
    pub(crate) fn outdate_all(&self) {
        self.epochs.advance_all();
        let flights = std::mem::take(&mut *self.table.lock());
        for flight in flights.values() {
            flight.end();
        }
    }
}

impl Flight {
    fn new(driver: Driver) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            over: AtomicBool::new(false),
            signal: Signal::new(),
            pulse: (driver == Driver::Task).then(Pulse::new),
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Lets everybody go who waits.
    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.signal.raise();
    }
}

/// What to do about a miss. Held until the result is stored.
pub(crate) enum Turn<'a> {
    /// Compute; others wait for it.
    Lead(Lead<'a>),
    /// Wait, look again, and compute if there is nothing.
    Wait(Wait),
    /// Compute without waiting for, or holding up, anybody.
    Alone,
}

impl Turn<'_> {
    /// The same turn without the wait, for those who compute in any case.
    pub(crate) fn at_once(self) -> Self {
        if let Turn::Wait(_) = self { Turn::Alone } else { self }
    }

    /// Waits if somebody else is computing. Afterwards it is no longer a `Wait`.
    pub(crate) fn block(self) -> Self {
        let Turn::Wait(Wait { flight, .. }) = &self else {
            return self;
        };
        flight.signal.block_until(|| flight.is_over());
        Turn::Alone
    }

    /// As [`block`](Self::block), for tasks.
    pub(crate) async fn until(self) -> Self {
        let Turn::Wait(Wait { flight, .. }) = &self else {
            return self;
        };
        stall::watch(flight);
        flight.signal.until(|| flight.is_over()).await;
        Turn::Alone
    }

    /// Computes on this thread.
    pub(crate) fn run<T>(&self, compute: impl FnOnce() -> T) -> T {
        let _running = self.leading().map(|flight| stack::enter(flight.id));
        compute()
    }

    /// Computes as part of this task.
    pub(crate) async fn drive<T>(&self, compute: impl Future<Output = T>) -> T {
        let Some(flight) = self.leading() else {
            return compute.await;
        };
        let Some(pulse) = &flight.pulse else {
            return compute.await;
        };
        let waker = Waker::from(flight.clone());
        let mut compute = pin!(compute);
        // The computation runs on whatever thread polls it, for as long as the poll lasts.
        std::future::poll_fn(|cx| {
            let _running = stack::enter(flight.id);
            let _polled = pulse.poll(cx.waker());
            compute.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await
    }

    fn leading(&self) -> Option<&Arc<Flight>> {
        match self {
            Turn::Lead(lead) => Some(&lead.flight),
            Turn::Wait(_) | Turn::Alone => None,
        }
    }
}

/// A leader's place in the table. It lands when this is dropped, however that comes about.
pub(crate) struct Lead<'a> {
    flights: &'a Flights,
    digest: KeyHash,
    flight: Arc<Flight>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        // Out of the table first: who comes now looks into the store again, and leads if it finds nothing.
        let mut table = self.flights.table.lock();
        if table.get(&self.digest).is_some_and(|flight| flight.id == self.flight.id) {
            table.remove(&self.digest);
        }
        drop(table);
        self.flight.end();
    }
}

/// A place among those who wait for a flight.
pub(crate) struct Wait {
    flight: Arc<Flight>,
    /// In the wait graph for as long as we wait.
    _edge: Edge,
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_never_waits_for_a_task_but_a_task_for_a_thread() {
        let flights = Flights::new();
        let digest = flights.digest("key");
        let led_by_task = flights.join(digest, Driver::Task);
        assert!(matches!(led_by_task, Turn::Lead(_)));
        assert!(matches!(flights.join(digest, Driver::Thread), Turn::Alone));
        assert!(matches!(flights.join(digest, Driver::Task), Turn::Wait(_)));
        drop(led_by_task);
        let led_by_thread = flights.join(digest, Driver::Thread);
        assert!(matches!(led_by_thread, Turn::Lead(_)));
        assert!(matches!(flights.join(digest, Driver::Task), Turn::Wait(_)));
        assert!(matches!(flights.join(digest, Driver::Thread), Turn::Wait(_)));
        drop(led_by_thread);
        assert!(flights.table.lock().is_empty(), "a flight that has landed leaves nothing behind");
    }

    #[test]
    fn what_is_outdated_is_neither_current_nor_waited_for() {
        let flights = Flights::new();
        let digest = flights.digest("key");
        let leading = flights.join(digest, Driver::Thread);
        let begun = flights.begin(digest);
        assert!(flights.is_current(begun));
        flights.outdate(digest);
        assert!(!flights.is_current(begun));
        let successor = flights.join(digest, Driver::Thread);
        assert!(matches!(successor, Turn::Lead(_)));
        // The old leader lands without taking the new one out of the table.
        drop(leading);
        assert!(matches!(flights.join(digest, Driver::Thread), Turn::Wait(_)));
    }
}

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
//! - a leading task is woken and never polled again: the [watchdog](stall) gives it up;
//! - the leader needs something that a waiter holds, and nobody knows: a lock, or a thread of a pool. Then the flight
//!   is given up after a while, see [`Patience`].
//!
//! After a flight that was given up, those who waited join anew: one leads, the others wait for it.

mod patience;
mod progress;
mod stack;
mod stall;
mod waits;

use std::collections::hash_map::Entry;
use std::future::Future;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::key::{ByDigest, KeyHash, Namespace};
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::{Mutex, Signal};

use patience::Patience;
pub(crate) use progress::Computation;
use progress::InProgress;
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
    table: Mutex<ByDigest<Arc<Flight>>>,
    computations: InProgress,
    patience: Patience,
}

/// One computation under way.
struct Flight {
    id: u64,
    state: AtomicU8,
    signal: Signal,
    /// How many flights for the same key were given up just before.
    predecessors: u32,
    /// When the watchdog gives it up.
    deadline: OnceLock<Option<Instant>>,
    /// How a leading task fares; a leading thread has none.
    pulse: Option<Pulse>,
}

const FLYING: u8 = 0;
const LANDED: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Flights {
    pub(crate) fn new() -> Self {
        Self {
            namespace: Namespace::process(),
            table: Mutex::default(),
            computations: InProgress::default(),
            patience: Patience::default(),
        }
    }

    pub(crate) fn digest<K: Hash + ?Sized>(&self, key: &K) -> KeyHash {
        self.namespace.digest(key)
    }

    /// Says what a caller that missed is to do.
    pub(crate) fn join(&self, digest: KeyHash, caller: Driver) -> Turn<'_> {
        let flight = {
            let mut table = self.table.lock();
            match table.entry(digest) {
                Entry::Occupied(entry) if entry.get().is_flying() => entry.get().clone(),
                entry => {
                    let predecessors =
                        if let Entry::Occupied(entry) = &entry { entry.get().predecessors + 1 } else { 0 };
                    let flight = Arc::new(Flight::new(caller, predecessors));
                    entry.insert_entry(flight.clone());
                    return Turn::Lead(Lead { flights: self, digest, flight });
                }
            }
        };
        if stack::contains(flight.id) || (caller == Driver::Thread && flight.pulse.is_some()) {
            return Turn::Alone;
        }
        match waits::enter(flight.id) {
            Some(edge) => Turn::Wait(Wait { flight, patience: &self.patience, _edge: edge }),
            None => Turn::Alone,
        }
    }

    /// Notes that a computation begins.
    pub(crate) fn begin(&self, digest: KeyHash) -> Computation<'_> {
        self.computations.begin(digest, &self.patience)
    }

    /// Declares what is being computed for this key now out of date: it will not be stored, and nobody waits for it.
    ///
    /// When this returns, none that was already being stored is still under way. Who waited goes on when the guard is
    /// dropped, which should be when the store has nothing old either.
    pub(crate) fn outdate(&self, digest: KeyHash) -> Outdated {
        let flight = self.table.lock().remove(&digest);
        self.computations.outdate(digest);
        Outdated(flight.into_iter().collect())
    }

    /// Declares everything that is being computed now out of date.
    pub(crate) fn outdate_all(&self) -> Outdated {
        let flights = std::mem::take(&mut *self.table.lock());
        self.computations.outdate_all();
        Outdated(flights.into_values().collect())
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn waiting(&self) -> usize {
        self.table.lock().values().map(|flight| flight.signal.waiting()).sum()
    }
}

/// Flights that nobody can join any more, with those who still wait for them.
#[must_use]
pub(crate) struct Outdated(Vec<Arc<Flight>>);

impl Drop for Outdated {
    fn drop(&mut self) {
        for flight in &self.0 {
            flight.end(GIVEN_UP);
        }
    }
}

impl Flight {
    fn new(driver: Driver, predecessors: u32) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            state: AtomicU8::new(FLYING),
            signal: Signal::new(),
            predecessors,
            deadline: OnceLock::new(),
            pulse: (driver == Driver::Task).then(Pulse::new),
        }
    }

    fn is_flying(&self) -> bool {
        self.state.load(Ordering::SeqCst) == FLYING
    }

    /// Lets everybody go who waits. Only the first reason counts.
    fn end(&self, state: u8) {
        let _ = self.state.compare_exchange(FLYING, state, Ordering::SeqCst, Ordering::SeqCst);
        self.signal.raise();
    }

    /// What those do who have waited for it.
    fn aftermath<'a>(&self) -> Waited<'a> {
        if self.state.load(Ordering::SeqCst) == LANDED { Waited::Over(Turn::Alone) } else { Waited::Again }
    }
}

/// What to do about a miss. Held until the result is stored.
pub(crate) enum Turn<'a> {
    /// Compute; others wait for it.
    Lead(Lead<'a>),
    /// Wait first.
    Wait(Wait<'a>),
    /// Compute without waiting for, or holding up, anybody.
    Alone,
}

/// What to do after a wait.
pub(crate) enum Waited<'a> {
    /// Look again, and compute if there is nothing.
    Over(Turn<'a>),
    /// Join again: what was waited for has been given up.
    Again,
}

impl<'a> Turn<'a> {
    pub(crate) fn is_wait(&self) -> bool {
        matches!(self, Turn::Wait(_))
    }

    /// The same turn without the wait, for those who compute in any case.
    pub(crate) fn at_once(self) -> Self {
        if let Turn::Wait(_) = self { Turn::Alone } else { self }
    }

    /// Waits if somebody else is computing.
    pub(crate) fn block(self) -> Waited<'a> {
        let Turn::Wait(Wait { flight, patience, .. }) = &self else {
            return Waited::Over(self);
        };
        if !flight.signal.block_until(patience.deadline(flight.predecessors), || !flight.is_flying()) {
            flight.end(GIVEN_UP);
        }
        flight.aftermath()
    }

    /// As [`block`](Self::block), for tasks.
    pub(crate) async fn until(self) -> Waited<'a> {
        let Turn::Wait(Wait { flight, patience, .. }) = &self else {
            return Waited::Over(self);
        };
        stall::watch(flight, patience);
        flight.signal.until(|| !flight.is_flying()).await;
        flight.aftermath()
    }

    /// Marks this thread as the one that computes, until the guard is dropped: whatever code runs then, the store's
    /// included, must not wait for this flight.
    pub(crate) fn enter(&self) -> Option<stack::Running> {
        self.leading().map(|flight| stack::enter(flight.id))
    }

    /// Does something at once as part of a task's computation; see [`enter`](Self::enter).
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let _leading = self.enter();
        work()
    }

    /// Computes as part of this task.
    pub(crate) async fn drive<T>(&self, compute: impl Future<Output = T>) -> T {
        let leading = self.leading().and_then(|flight| Some((flight, flight.pulse.as_ref()?)));
        let Some((flight, pulse)) = leading else {
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

    /// How long a leader may wait for other processes; `None` if we do not lead, and wait for nobody. Asked for where the
    /// computation runs: one within another may hold up those who hold it up, as with [`Patience`].
    pub(crate) fn claim_patience(&self) -> Option<Duration> {
        let Turn::Lead(lead) = self else { return None };
        Some(lead.flights.patience.among_processes(stack::snapshot().len() > 1))
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
        // Who waits has it from the table, and nobody else will. If only we have it, there is nobody to tell, which
        // would cost an allocation.
        if Arc::strong_count(&self.flight) > 1 {
            self.flight.end(LANDED);
        }
    }
}

/// A place among those who wait for a flight.
pub(crate) struct Wait<'a> {
    flight: Arc<Flight>,
    patience: &'a Patience,
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
    fn a_result_is_not_waited_with_for_ever_while_another_is_stored() {
        let flights = Flights::new();
        let digest = flights.digest("key");
        let [storing, other] = [flights.begin(digest), flights.begin(digest)];
        storing.keep(|| {
            // As by a value's `Clone` that waits for them.
            std::thread::scope(|scope| {
                scope.spawn(|| assert!(other.keep(|| ()).is_none(), "it is given up"));
                scope.spawn(|| drop(flights.outdate(digest)));
            });
        });
        assert!(flights.begin(digest).keep(|| ()).is_some());
    }

    #[test]
    fn what_is_outdated_is_neither_kept_nor_waited_for() {
        let flights = Flights::new();
        let digest = flights.digest("key");
        let leading = flights.join(digest, Driver::Thread);
        let old = flights.begin(digest);
        let neighbour = flights.begin(flights.digest("other key"));
        drop(flights.outdate(digest));
        assert!(old.keep(|| ()).is_none());
        assert!(neighbour.keep(|| ()).is_some(), "other keys are not touched");
        let successor = flights.join(digest, Driver::Thread);
        assert!(matches!(successor, Turn::Lead(_)));
        assert!(flights.begin(digest).keep(|| ()).is_some());
        // The old leader lands without taking the new one out of the table.
        drop(leading);
        assert!(matches!(flights.join(digest, Driver::Thread), Turn::Wait(_)));
        drop((old, neighbour, successor));
        assert!(flights.computations.is_empty());
    }
}

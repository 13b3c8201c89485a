//! Single-flight: one computation per key at a time.
//!
//! A caller that finds nothing in the store [joins](Flights::join) the flight of its key. The first one becomes its
//! *leader* and computes; the others wait until it has ended, and find its value in the store. A flight is known by the
//! digest of its key: should two keys ever share one, the second waits in vain and computes, so no digest is ever trusted
//! with a value.
//!
//! What can go wrong, and what happens then:
//!
//! - the leader fails: its error is shared with the waiters where it can be, otherwise each of them computes at once;
//! - the leader panics: each waiter computes at once;
//! - the leader is cancelled, or its key is forgotten: the waiters join again, so that one of them leads;
//! - a computation asks for its own key: the [stack](stack) knows, and it computes directly;
//! - two computations wait for each other: the [wait graph](waits) knows, and the second computes directly;
//! - a thread meets a leader that is a task: it must not wait, for the task may need this very thread;
//! - a leading task is woken and never polled again: its [pulse](stall) tells, and the flight is given up;
//! - the leader needs something that a waiter holds, and nobody knows: a lock, or a thread of a pool. Then the flight is
//!   given up when a waiter's [patience](Patience) ends.
//!
//! After a flight that was given up, its waiters join again.

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
use crate::sharing::{Shared, Sharing};
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::{Mutex, Signal, Timer};
use crate::{Claim, Error};

use patience::{Patience, in_vain};
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
    /// What the leader's error was, for those who can share it.
    error: OnceLock<Shared>,
    /// How a leading task fares; a leading thread has none.
    pulse: Option<Pulse>,
}

const FLYING: u8 = 0;
/// The value is in the store, or the error is there to be shared; or else each waiter computes.
const ENDED: u8 = 1;
/// Waiters join again.
const GIVEN_UP: u8 = 2;

impl Flights {
    pub(crate) fn new(patience: Option<Duration>) -> Self {
        Self {
            namespace: Namespace::process(),
            table: Mutex::default(),
            computations: InProgress::default(),
            patience: Patience::new(patience),
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
                    let flight = Arc::new(Flight::new(caller));
                    entry.insert_entry(flight.clone());
                    return Turn::Lead(Lead { flights: self, digest, flight, is_computing: false, taken: None });
                }
            }
        };
        let must_not_wait = match caller {
            Driver::Thread => flight.pulse.is_some(),
            Driver::Task => !Timer::is_available(),
        };
        if must_not_wait || stack::contains(flight.id) {
            return Turn::Alone;
        }
        match waits::enter(flight.id) {
            Some(edge) => Turn::Wait(Wait { flights: self, flight, begun: Instant::now(), _edge: edge }),
            None => Turn::Alone,
        }
    }

    /// Notes that a computation begins.
    pub(crate) fn begin(&self, digest: KeyHash) -> Computation<'_> {
        self.computations.begin(digest)
    }

    /// Declares what is being computed for this key now outdated: it will not be stored, and nobody waits for it.
    ///
    /// None that was already being stored is still under way after that, or it is an error. The waiters go on when the
    /// guard is dropped, which should be when the store has nothing old either.
    pub(crate) fn outdate(&self, digest: KeyHash) -> (Outdated, Result<(), Error>) {
        let flight = self.table.lock().remove(&digest);
        let outdated = self.computations.outdate(digest);
        (Outdated(flight.into_iter().collect()), outdated)
    }

    /// Declares everything that is being computed now outdated.
    pub(crate) fn outdate_all(&self) -> (Outdated, Result<(), Error>) {
        let flights = std::mem::take(&mut *self.table.lock());
        let outdated = self.computations.outdate_all();
        (Outdated(flights.into_values().collect()), outdated)
    }

    /// Counts a wait that nobody has ended but the waiter, and lets all others look at their deadlines again: there is less
    /// patience now, and what they wait altogether is bounded.
    fn waited_in_vain(&self) {
        self.patience.note_in_vain();
        let others: Vec<_> = self.table.lock().values().cloned().collect();
        for flight in others {
            flight.signal.raise();
        }
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
    fn new(driver: Driver) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            state: AtomicU8::new(FLYING),
            signal: Signal::new(),
            error: OnceLock::new(),
            pulse: (driver == Driver::Task).then(Pulse::new),
        }
    }

    fn is_flying(&self) -> bool {
        self.state.load(Ordering::SeqCst) == FLYING
    }

    /// Lets all waiters go. Only the first reason counts; says whether this was it.
    fn end(&self, state: u8) -> bool {
        let first = self.state.compare_exchange(FLYING, state, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.signal.raise();
        first
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
pub(crate) enum Waited<'a, E> {
    /// Look again, and compute if there is nothing.
    Over(Turn<'a>),
    /// Fail as the leader did.
    Failed(E),
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
    pub(crate) fn block<E>(self, sharing: Sharing<E>) -> Waited<'a, E> {
        let Turn::Wait(wait) = &self else { return Waited::Over(self) };
        while !wait.flight.signal.block_until(|| wait.deadline(), || !wait.flight.is_flying()) {
            wait.give_up_if_due();
        }
        wait.aftermath(sharing)
    }

    /// As [`block`](Self::block), for tasks.
    pub(crate) async fn until<E>(self, sharing: Sharing<E>) -> Waited<'a, E> {
        let Turn::Wait(wait) = &self else { return Waited::Over(self) };
        while !wait.flight.signal.until(|| wait.deadline(), || !wait.flight.is_flying()).await {
            wait.give_up_if_due();
        }
        wait.aftermath(sharing)
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

    /// Waits for something as part of this task's computation.
    pub(crate) async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let value = self.run_async(work).await;
        if let Turn::Lead(lead) = self {
            lead.taken = None;
        }
        value
    }

    /// Computes as part of this task.
    pub(crate) async fn run_async<T>(&mut self, compute: impl Future<Output = T>) -> T {
        let Turn::Lead(Lead { flight, is_computing, taken, .. }) = self else { return compute.await };
        let Some(pulse) = flight.pulse.as_ref() else { return compute.await };
        let waker = Waker::from(flight.clone());
        let begun = Instant::now();
        let mut was_held_up = false;
        let mut compute = pin!(compute);
        *is_computing = true;
        // The computation runs on whatever thread polls it, for as long as the poll lasts.
        let value = std::future::poll_fn(|cx| {
            let _running = stack::enter(flight.id);
            let _polled = pulse.poll(cx.waker());
            let before = in_vain();
            let polled = compute.as_mut().poll(&mut Context::from_waker(&waker));
            was_held_up |= before != in_vain();
            polled
        })
        .await;
        (*is_computing, *taken) = (false, (!was_held_up).then(|| begun.elapsed()));
        value
    }

    /// Computes on this thread, which has been [entered](Self::enter).
    #[inline]
    pub(crate) fn run<T>(&mut self, compute: impl FnOnce() -> T) -> T {
        let Turn::Lead(lead) = self else { return compute() };
        let (begun, before) = (Instant::now(), in_vain());
        let value = compute();
        lead.taken = (before == in_vain()).then(|| begun.elapsed());
        value
    }

    /// Leaves the error of the computation to those who wait for it.
    #[cold]
    pub(crate) fn share<E>(&self, error: &E, sharing: Sharing<E>) {
        if let Turn::Lead(lead) = self
            && let Some(error) = sharing.put(error)
        {
            let _ = lead.flight.error.set(error);
        }
    }

    /// How long a leader may wait for other processes; `None` if we do not lead, and wait for nobody.
    pub(crate) fn claim_patience(&self) -> Option<Duration> {
        let Turn::Lead(lead) = self else { return None };
        Some(lead.flights.patience.current())
    }

    /// Notes what came of waiting for other processes.
    pub(crate) fn note_claim(&self, granted: &Claim) {
        let Turn::Lead(lead) = self else { return };
        if granted.is_free() {
            patience::held_up();
            lead.flights.waited_in_vain();
        } else {
            lead.flights.patience.note_worth_it();
        }
    }

    fn leading(&self) -> Option<&Arc<Flight>> {
        match self {
            Turn::Lead(lead) => Some(&lead.flight),
            Turn::Wait(_) | Turn::Alone => None,
        }
    }
}

/// A leader's place in the table. Its flight ends when this is dropped, however that comes about.
pub(crate) struct Lead<'a> {
    flights: &'a Flights,
    digest: KeyHash,
    flight: Arc<Flight>,
    /// A task's computation is under way: dropped now, it is cancelled.
    is_computing: bool,
    /// How long the computation took, if it has ended and nothing held it up.
    taken: Option<Duration>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        // Out of the table first: a caller that comes now looks into the store again, and leads if it finds nothing.
        let mut table = self.flights.table.lock();
        if table.get(&self.digest).is_some_and(|flight| flight.id == self.flight.id) {
            table.remove(&self.digest);
        }
        drop(table);
        // The waiters have it from the table, and nobody else will. If only we have it, there is nobody to tell, which
        // would cost an allocation.
        let has_waiters = Arc::strong_count(&self.flight) > 1;
        // One waiter leads next after a cancellation. A panic each of them is to meet by itself.
        let is_cancelled = self.is_computing && !std::thread::panicking();
        let state = if is_cancelled { GIVEN_UP } else { ENDED };
        let by_itself = if has_waiters { self.flight.end(state) } else { self.flight.is_flying() } && !is_cancelled;
        if by_itself && let Some(taken) = self.taken {
            self.flights.patience.learn(taken);
        }
        if by_itself && has_waiters {
            self.flights.patience.note_worth_it();
        }
    }
}

/// A place among those who wait for a flight.
pub(crate) struct Wait<'a> {
    flights: &'a Flights,
    flight: Arc<Flight>,
    begun: Instant,
    /// In the wait graph for as long as we wait.
    _edge: Edge,
}

impl<'a> Wait<'a> {
    /// When to look again whether to go on waiting.
    fn deadline(&self) -> Option<Instant> {
        let deadline = self.flights.patience.deadline(self.begun);
        if self.flight.pulse.is_none() {
            return deadline;
        }
        let glance = Instant::now().checked_add(stall::LIMIT / 2);
        deadline.into_iter().chain(glance).min()
    }

    fn give_up_if_due(&self) {
        let is_over = self.flights.patience.deadline(self.begun).is_some_and(|deadline| deadline <= Instant::now());
        let is_due = is_over || self.flight.pulse.as_ref().is_some_and(Pulse::is_stalled);
        if is_due && self.flight.end(GIVEN_UP) {
            self.flights.waited_in_vain();
        }
    }

    /// What those do who have waited.
    fn aftermath<E>(&self, sharing: Sharing<E>) -> Waited<'a, E> {
        if self.flight.state.load(Ordering::SeqCst) != ENDED {
            patience::held_up();
            return Waited::Again;
        }
        let error = self.flight.error.get().and_then(|error| sharing.take(error));
        error.map_or(Waited::Over(Turn::Alone), Waited::Failed)
    }
}

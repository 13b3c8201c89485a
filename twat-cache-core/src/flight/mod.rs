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
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::error::guard;
use crate::key::{ByDigest, KeyHash, Namespace};
use crate::sharing::{Shared, Sharing};
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::sync::{Mutex, Signal, Timer};
use crate::{Args, Error, Process};

use patience::{Patience, Timing};
use progress::InProgress;
pub(crate) use progress::{Computation, forked};
pub(crate) use stack::Running;
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
    process: Process,
    namespace: Namespace,
    table: Mutex<ByDigest<Arc<Flight>>>,
    computations: InProgress,
    patience: Patience,
}

/// One computation under way. What its leader needs while it computes is here, and not on the stack: functions recur.
struct Flight {
    id: u64,
    digest: KeyHash,
    state: AtomicU8,
    timing: Timing,
    signal: Signal,
    /// Whether anybody may wait for it.
    has_waiters: AtomicBool,
    /// What the leader's error was, and of which arguments, for those who can share it: a type may hash arguments alike that
    /// are not equal.
    error: OnceLock<(Shared, Shared)>,
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
            process: Process::this(),
            namespace: Namespace::process(),
            table: Mutex::default(),
            computations: InProgress::new(),
            patience: Patience::new(patience),
        }
    }

    pub(crate) fn digest<K: Args + ?Sized>(&self, key: &K) -> KeyHash {
        self.namespace.digest_of(key)
    }

    /// Says what a caller that missed is to do. It has waited since it `begun` to, if at all.
    pub(crate) fn join(&self, digest: KeyHash, caller: Driver, begun: Option<Instant>) -> Joined<'_> {
        let alone = Joined::Turn(Turn(None));
        let flight = {
            let Some(mut table) = self.process.lock(&self.table) else { return alone };
            match table.entry(digest) {
                Entry::Occupied(entry) if entry.get().is_flying() => {
                    // While it is in the table: its leader looks at this after it has taken it out.
                    entry.get().has_waiters.store(true, Ordering::SeqCst);
                    entry.get().clone()
                }
                entry => {
                    let flight = Arc::new(Flight::new(digest, caller));
                    entry.insert_entry(flight.clone());
                    return Joined::Turn(Turn(Some(Lead { flights: self, flight })));
                }
            }
        };
        let must_not_wait = match caller {
            Driver::Thread => flight.pulse.is_some(),
            Driver::Task => !Timer::is_available(),
        };
        // In a forked process nobody goes on with what its parent has begun.
        if must_not_wait || stack::contains(flight.id) || self.process.is_forked() {
            return alone;
        }
        match waits::enter(flight.id) {
            Some(edge) => {
                let begun = begun.unwrap_or_else(Instant::now);
                Joined::Wait(Wait { flights: self, flight, begun, _edge: edge })
            }
            None => alone,
        }
    }

    /// Notes that a computation begins; `None` in a forked process, where it cannot be noted and its result not be kept.
    pub(crate) fn begin(&self, digest: KeyHash) -> Option<Computation<'_>> {
        self.computations.begin(digest)
    }

    /// Declares what is being computed for this key now outdated: it will not be stored, and nobody waits for it.
    ///
    /// None that was already being stored is still under way after that, or it is an error. The waiters go on when the
    /// guard is dropped, which should be when the store has nothing old either.
    pub(crate) fn outdate(&self, digest: KeyHash) -> (Outdated, Result<(), Error>) {
        let flight = self.process.lock(&self.table).and_then(|mut table| table.remove(&digest));
        let outdated = self.computations.outdate(digest);
        (Outdated { process: self.process, flights: flight.into_iter().collect() }, outdated)
    }

    /// Declares everything that is being computed now outdated.
    pub(crate) fn outdate_all(&self) -> (Outdated, Result<(), Error>) {
        let flights = self.process.lock(&self.table).map(|mut table| std::mem::take(&mut *table)).unwrap_or_default();
        let outdated = self.computations.outdate_all();
        (Outdated { process: self.process, flights: flights.into_values().collect() }, outdated)
    }

    /// Counts a wait that nobody has ended but the waiter, and lets all others look at their deadlines again: there is less
    /// patience now, and what they wait altogether is bounded.
    fn waited_in_vain(&self) {
        if !self.patience.note_in_vain() {
            return;
        }
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
pub(crate) struct Outdated {
    process: Process,
    flights: Vec<Arc<Flight>>,
}

impl Drop for Outdated {
    fn drop(&mut self) {
        // Those who wait for what a forked process has of its parent are there.
        if self.flights.is_empty() || self.process.is_forked() {
            return;
        }
        for flight in &self.flights {
            flight.end(GIVEN_UP);
        }
    }
}

impl Flight {
    fn new(digest: KeyHash, driver: Driver) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            digest,
            state: AtomicU8::new(FLYING),
            timing: Timing::default(),
            signal: Signal::new(),
            has_waiters: AtomicBool::new(false),
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

/// What to do about a miss.
pub(crate) enum Joined<'a> {
    Turn(Turn<'a>),
    /// Wait first.
    Wait(Wait<'a>),
}

/// What to do after a wait.
pub(crate) enum Waited<'a, E> {
    /// Look again, and compute if there is nothing.
    Over(Turn<'a>),
    /// Fail as the leader did.
    Failed(E),
    /// Join again: what was waited for has been given up. If it was not for want of patience, the wait goes on since then.
    Again(Option<Instant>),
}

impl<'a> Joined<'a> {
    pub(crate) fn is_wait(&self) -> bool {
        matches!(self, Joined::Wait(_))
    }

    /// The turn of a caller that computes in any case.
    pub(crate) fn at_once(self) -> Turn<'a> {
        if let Joined::Turn(turn) = self { turn } else { Turn(None) }
    }

    /// Waits if somebody else is computing.
    pub(crate) fn block<K: Args + ?Sized, E>(self, key: &K, sharing: Sharing<E>) -> Waited<'a, E> {
        let wait = match self {
            Joined::Turn(turn) => return Waited::Over(turn),
            Joined::Wait(wait) => wait,
        };
        while !wait.flight.signal.block_until(|| wait.deadline(), || !wait.flight.is_flying()) {
            wait.give_up_if_due();
        }
        wait.aftermath(key, sharing)
    }

    /// As [`block`](Self::block), for tasks.
    pub(crate) async fn until<K: Args + ?Sized, E>(self, key: &K, sharing: Sharing<E>) -> Waited<'a, E> {
        let wait = match self {
            Joined::Turn(turn) => return Waited::Over(turn),
            Joined::Wait(wait) => wait,
        };
        while !wait.flight.signal.until(|| wait.deadline(), || !wait.flight.is_flying()).await {
            if !Timer::is_available() {
                return Waited::Over(Turn(None));
            }
            wait.give_up_if_due();
        }
        wait.aftermath(key, sharing)
    }
}

/// A caller's turn to compute: as the leader for whom others wait, or without holding up anybody. Held until the result is
/// stored.
pub(crate) struct Turn<'a>(Option<Lead<'a>>);

impl Turn<'_> {
    /// Marks this thread as the one that computes, until the guard is dropped: whatever code runs then, the store's
    /// included, must not wait for this flight.
    pub(crate) fn enter(&self) -> Option<Running> {
        self.leading().map(|flight| stack::enter(flight.id))
    }

    /// Does something at once as part of a task's computation; see [`enter`](Self::enter).
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let _leading = self.enter();
        work()
    }

    /// Computes, or waits for other processes, as part of this task.
    pub(crate) async fn drive<T>(&self, compute: impl Future<Output = T>) -> T {
        let leading = self.leading().and_then(|flight| Some((flight, flight.pulse.as_ref()?)));
        let Some((flight, pulse)) = leading else { return compute.await };
        let waker = Waker::from(flight.clone());
        let mut compute = pin!(compute);
        flight.timing.begin();
        // The computation runs on whatever thread polls it, for as long as the poll lasts.
        let value = std::future::poll_fn(|cx| {
            let _running = stack::enter(flight.id);
            let _polled = pulse.poll(cx.waker());
            compute.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await;
        flight.timing.end();
        value
    }

    /// Computes on this thread, which has been [entered](Self::enter).
    #[inline]
    pub(crate) fn run<T>(&self, compute: impl FnOnce() -> T) -> T {
        let Some(flight) = self.leading() else { return compute() };
        flight.timing.begin();
        let value = compute();
        flight.timing.end();
        value
    }

    /// Leaves the error of the computation to those who wait for it.
    #[cold]
    pub(crate) fn share<K: Args + ?Sized, E>(&self, key: &K, error: &E, sharing: Sharing<E>) {
        if let Some(flight) = self.leading()
            && let Some(error) = sharing.put(error)
            && let Ok(key) = guard("copy the arguments", || Ok(Arc::new(key.to_key())))
        {
            let _ = flight.error.set((error, key));
        }
    }

    /// How long a leader may wait for other processes; `None` if we do not lead, and wait for nobody.
    pub(crate) fn claim_patience(&self) -> Option<Duration> {
        self.0.as_ref().map(|lead| lead.flights.patience.current())
    }

    /// Notes whether waiting for other processes was worth it.
    pub(crate) fn note_claim(&self, is_there: bool) {
        let Some(lead) = &self.0 else { return };
        lead.flight.timing.forget();
        if is_there {
            lead.flights.patience.note_worth_it();
        } else {
            patience::held_up();
            lead.flights.waited_in_vain();
        }
    }

    fn leading(&self) -> Option<&Arc<Flight>> {
        self.0.as_ref().map(|lead| &lead.flight)
    }
}

/// A leader's place in the table. Its flight ends when this is dropped, however that comes about.
pub(crate) struct Lead<'a> {
    flights: &'a Flights,
    flight: Arc<Flight>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        // Out of the table first: a caller that comes now looks into the store again, and leads if it finds nothing.
        let Some(mut table) = self.flights.process.lock(&self.flights.table) else { return };
        if table.get(&self.flight.digest).is_some_and(|flight| flight.id == self.flight.id) {
            table.remove(&self.flight.digest);
        }
        drop(table);
        // To tell nobody would cost an allocation.
        let has_waiters = self.flight.has_waiters.load(Ordering::SeqCst);
        // Those who wait for what a forked process was made within are in its parent.
        if has_waiters && self.flights.process.is_forked() {
            return;
        }
        // One waiter leads next after a cancellation. A panic each of them is to meet by itself.
        let is_cancelled = self.flight.pulse.is_some() && self.flight.timing.is_running() && !std::thread::panicking();
        let state = if is_cancelled { GIVEN_UP } else { ENDED };
        let by_itself = if has_waiters { self.flight.end(state) } else { self.flight.is_flying() } && !is_cancelled;
        if by_itself && let Some(taken) = self.flight.timing.taken() {
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

    fn is_over(&self) -> bool {
        self.flights.patience.deadline(self.begun).is_some_and(|deadline| deadline <= Instant::now())
    }

    fn give_up_if_due(&self) {
        let is_due = self.is_over() || self.flight.pulse.as_ref().is_some_and(Pulse::is_stalled);
        if is_due && self.flight.end(GIVEN_UP) {
            self.flights.waited_in_vain();
        }
    }

    /// What those do who have waited.
    fn aftermath<K: Args + ?Sized, E>(&self, key: &K, sharing: Sharing<E>) -> Waited<'a, E> {
        if self.flight.state.load(Ordering::SeqCst) != ENDED {
            patience::held_up();
            return Waited::Again((!self.is_over()).then_some(self.begun));
        }
        let is_ours = |of: &Shared| {
            let matches = || Ok(of.downcast_ref().is_some_and(|of| key.matches(of)));
            guard("compare arguments", matches).unwrap_or(false)
        };
        let error = self.flight.error.get().filter(|(_, of)| is_ours(of)).and_then(|(error, _)| sharing.take(error));
        error.map_or(Waited::Over(Turn(None)), Waited::Failed)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn leads(joined: &Joined<'_>) -> bool {
        matches!(joined, Joined::Turn(Turn(Some(_))))
    }

    #[test]
    fn a_thread_never_waits_for_a_task_but_a_task_for_a_thread() {
        let flights = Flights::new(None);
        let digest = flights.digest("key");
        let led_by_task = flights.join(digest, Driver::Task, None);
        assert!(leads(&led_by_task));
        assert!(matches!(flights.join(digest, Driver::Thread, None), Joined::Turn(Turn(None))));
        assert!(flights.join(digest, Driver::Task, None).is_wait());
        drop(led_by_task);
        let led_by_thread = flights.join(digest, Driver::Thread, None);
        assert!(leads(&led_by_thread));
        assert!(flights.join(digest, Driver::Task, None).is_wait());
        assert!(flights.join(digest, Driver::Thread, None).is_wait());
        drop(led_by_thread);
        assert!(flights.table.lock().is_empty(), "a flight that has ended leaves nothing behind");
    }

    fn keep(computation: &Computation<'_>, is_refresh: bool) -> Option<&'static str> {
        computation.keep(is_refresh, || "stored", || "removed").unwrap()
    }

    #[test]
    fn a_wait_for_a_result_that_is_being_stored_has_an_end() {
        let flights = Flights::new(None);
        let digest = flights.digest("key");
        let [storing, other] = [(); 2].map(|()| flights.begin(digest).unwrap());
        let store = || {
            // As by a value's `Clone` that waits for them.
            std::thread::scope(|scope| {
                scope.spawn(|| assert!(other.keep(true, || (), || ()).is_err()));
                scope.spawn(|| assert!(flights.outdate(digest).1.is_err(), "it may still be stored"));
            });
        };
        storing.keep(false, store, || ()).unwrap();
        assert_eq!(keep(&flights.begin(digest).unwrap(), false), Some("stored"));
    }

    #[test]
    fn what_is_outdated_is_neither_kept_nor_waited_for() {
        let flights = Flights::new(None);
        let digest = flights.digest("key");
        let leading = flights.join(digest, Driver::Thread, None);
        let [old, refresh] = [(); 2].map(|()| flights.begin(digest).unwrap());
        let neighbour = flights.begin(flights.digest("other key")).unwrap();
        drop(flights.outdate(digest));
        assert_eq!(keep(&old, false), None);
        assert_eq!(keep(&refresh, true), Some("removed"), "what is there may be older");
        assert_eq!(keep(&neighbour, false), Some("stored"), "other keys are not touched");
        let successor = flights.join(digest, Driver::Thread, None);
        assert!(leads(&successor));
        assert_eq!(keep(&flights.begin(digest).unwrap(), false), Some("stored"));
        // The old leader's end does not take the new one out of the table.
        drop(leading);
        assert!(flights.join(digest, Driver::Thread, None).is_wait());
        drop((old, refresh, neighbour, successor));
        assert!(flights.computations.is_empty());
    }

    #[test]
    fn of_overlapping_computations_the_refresh_that_began_last_stays() {
        let flights = Flights::new(None);
        let digest = flights.digest("key");
        let [call, first, second] = [(); 3].map(|()| flights.begin(digest).unwrap());
        assert_eq!(keep(&second, true), Some("stored"));
        assert_eq!(keep(&first, true), None);
        assert_eq!(keep(&call, false), None);
        let [refresh, call] = [(); 2].map(|()| flights.begin(digest).unwrap());
        assert_eq!(keep(&call, false), Some("stored"));
        assert_eq!(keep(&refresh, true), None);
    }

    #[test]
    fn nothing_is_learnt_from_a_computation_that_was_given_up_or_held_up() {
        let flights = Flights::new(None);
        let digest = flights.digest("key");
        let run = |compute: &dyn Fn()| {
            let Joined::Turn(turn) = flights.join(digest, Driver::Thread, None) else { panic!("somebody else leads") };
            turn.run(compute);
        };
        run(&|| drop(flights.outdate(digest)));
        run(&patience::held_up);
        assert_eq!(flights.patience.current(), Duration::from_secs(10), "as long as nothing is known");
        run(&|| ());
        assert_eq!(flights.patience.current(), Duration::from_secs(2));
    }
}

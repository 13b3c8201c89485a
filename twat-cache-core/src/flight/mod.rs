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
mod sharing;
mod stack;
mod stall;
#[cfg(all(test, not(shuttle)))]
mod tests;
mod turn;
mod waits;

use std::collections::hash_map::Entry;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::store::ByDigest;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::sync::{Driver, Mutex, Signal, Timer};
use crate::{Args, Error, KeyHash, Namespace, Process};

use patience::{Patience, Timing};
pub(crate) use progress::Computation;
use progress::InProgress;
use sharing::Shared;
pub use sharing::Sharing;
use stall::Pulse;
pub(crate) use turn::{Joined, Turn, Waited};
use turn::{Lead, Wait};

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
        let alone = Joined::Turn(Turn::alone());
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

//! Single-flight: one computation per key at a time.
//!
//! A caller that misses [joins](Flights::join) the flight of its key. The first caller becomes the *leader* and
//! computes. The others wait until the leader ends, and then find the value in the store. The digest of the key
//! identifies a flight. If two keys share a digest, the waiter finds no value and computes. So a digest never decides
//! which value a caller gets.
//!
//! These cases end a wait, or prevent it:
//!
//! - The leader fails. The waiters get its error if it can be shared. Otherwise each waiter computes at once.
//! - The leader panics. Each waiter computes at once.
//! - The leader is cancelled, or its key is forgotten. The waiters join again, so that one of them leads.
//! - A computation asks for its own key. The [stack] shows this, and the computation computes the key directly.
//! - Two computations would wait for each other. The [wait graph](waits) shows this, and the second one computes
//!   directly.
//! - A thread finds a leader that is a task. It does not wait, because the task may need this thread.
//! - A leading task is woken and never polled again. Its [pulse](stall) shows this, and the flight is abandoned.
//! - The leader needs a lock or a pool thread that a waiter holds. Nothing shows this, so the flight is abandoned when
//!   a waiter's [patience](Patience) ends.
//!
//! The waiters of an abandoned flight join again.

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

/// One computation and its waiters. It is on the heap, because functions recur and need their stack.
struct Flight {
    id: u64,
    digest: KeyHash,
    state: AtomicU8,
    timing: Timing,
    signal: Signal,
    /// Whether another caller may wait for this flight.
    has_waiters: AtomicBool,
    /// The leader's error and its arguments. The waiters compare the arguments, because different arguments may share a
    /// digest.
    error: OnceLock<(Shared, Shared)>,
    /// Shows whether a leading task makes progress; `None` if the leader is a thread.
    pulse: Option<Pulse>,
}

/// The states of a flight: it begins as pending, and ends as done or abandoned.
const PENDING: u8 = 0;
/// The value is in the store, or the error can be shared, or each waiter computes.
const DONE: u8 = 1;
/// The waiters join again.
const ABANDONED: u8 = 2;

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

    /// Decides whether a caller that missed leads, waits or computes alone.
    ///
    /// `waiting_since` is the start of an earlier wait that this one continues.
    pub(crate) fn join(&self, digest: KeyHash, caller: Driver, waiting_since: Option<Instant>) -> Joined<'_> {
        let alone = Joined::Turn(Turn::alone());
        let flight = {
            let Some(mut table) = self.process.lock(&self.table) else { return alone };
            match table.entry(digest) {
                Entry::Occupied(entry) if entry.get().is_pending() => {
                    // Set under the table's lock. The leader reads it after it has removed the flight from the table.
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
        // A forked process lacks the thread that computes.
        if must_not_wait || stack::contains(flight.id) || self.process.is_forked() {
            return alone;
        }
        match waits::enter(flight.id) {
            Some(edge) => {
                let since = waiting_since.unwrap_or_else(Instant::now);
                Joined::Wait(Wait { flights: self, flight, since, _edge: edge })
            }
            None => alone,
        }
    }

    /// Records that a computation begins. Returns `None` in a forked process that cannot record it; the result is then
    /// not stored.
    pub(crate) fn begin(&self, digest: KeyHash) -> Option<Computation<'_>> {
        self.computations.begin(digest)
    }

    /// Invalidates the computations of this key that are under way: their results are not stored, and no caller joins
    /// their flight any more.
    ///
    /// After this returns `Ok`, no such result is being stored. The waiters continue when the guard is dropped. The
    /// caller drops it after it has removed the entry from the store.
    pub(crate) fn invalidate(&self, digest: KeyHash) -> (Invalidated, Result<(), Error>) {
        let flight = self.process.lock(&self.table).and_then(|mut table| table.remove(&digest));
        let result = self.computations.invalidate(digest);
        (Invalidated { process: self.process, flights: flight.into_iter().collect() }, result)
    }

    /// As [`invalidate`](Self::invalidate), for all keys.
    pub(crate) fn invalidate_all(&self) -> (Invalidated, Result<(), Error>) {
        let flights = self.process.lock(&self.table).map(|mut table| std::mem::take(&mut *table)).unwrap_or_default();
        let result = self.computations.invalidate_all();
        (Invalidated { process: self.process, flights: flights.into_values().collect() }, result)
    }

    /// Records a failed wait, and lets all waiters check their deadlines again: the patience is shorter now, and the
    /// total time of failed waits is bounded.
    fn record_failed_wait(&self) {
        if !self.patience.record_failed_wait() {
            return;
        }
        let flights: Vec<_> = self.table.lock().values().cloned().collect();
        for flight in flights {
            flight.signal.notify_all();
        }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn waiting(&self) -> usize {
        self.table.lock().values().map(|flight| flight.signal.waiting()).sum()
    }
}

/// Flights that no caller can join any more. Dropping it wakes their waiters.
#[must_use]
pub(crate) struct Invalidated {
    process: Process,
    flights: Vec<Arc<Flight>>,
}

impl Drop for Invalidated {
    fn drop(&mut self) {
        // In a forked process the waiters are the parent's.
        if self.flights.is_empty() || self.process.is_forked() {
            return;
        }
        for flight in &self.flights {
            flight.end(ABANDONED);
        }
    }
}

impl Flight {
    fn new(digest: KeyHash, driver: Driver) -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            digest,
            state: AtomicU8::new(PENDING),
            timing: Timing::default(),
            signal: Signal::new(),
            has_waiters: AtomicBool::new(false),
            error: OnceLock::new(),
            pulse: (driver == Driver::Task).then(Pulse::new),
        }
    }

    fn is_pending(&self) -> bool {
        self.state.load(Ordering::SeqCst) == PENDING
    }

    /// Ends the flight and wakes all waiters. Only the first call sets the state. Returns whether this call did.
    fn end(&self, state: u8) -> bool {
        let is_first = self.state.compare_exchange(PENDING, state, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.signal.notify_all();
        is_first
    }
}

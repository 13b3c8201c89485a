//! What a caller does after it has joined a flight: it leads, waits or computes alone.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::sharing::{Shared, Sharing};
use crate::Args;
use crate::store::guard;
use crate::sync::atomic::Ordering;
use crate::sync::{Driver, Timer};

use super::stack::{self, OnStack};
use super::stall::{self, Pulse};
use super::waits::Edge;
use super::{ABANDONED, DONE, Flight, Flights, patience};

/// What a caller does after a miss.
pub(crate) enum Joined<'a> {
    Turn(Turn<'a>),
    Wait(Wait<'a>),
}

/// What a caller does after a wait.
pub(crate) enum Waited<'a, E> {
    /// Look into the store again, and compute after a miss.
    Turn(Turn<'a>),
    /// Return the leader's error.
    Failed(E),
    /// Join again, because the flight was abandoned. The next wait continues this one, from its start, if the patience
    /// has not ended.
    Rejoin(Option<Instant>),
}

impl<'a> Joined<'a> {
    pub(crate) fn is_wait(&self) -> bool {
        matches!(self, Joined::Wait(_))
    }

    /// The turn of a caller that computes without a wait.
    pub(crate) fn without_wait(self) -> Turn<'a> {
        if let Joined::Turn(turn) = self { turn } else { Turn::alone() }
    }

    /// Waits if another caller is computing. With [`Driver::Thread`] this blocks, and the future is ready at its first
    /// poll.
    pub(crate) async fn wait<K: Args + ?Sized, E>(self, driver: Driver, key: &K, sharing: Sharing<E>) -> Waited<'a, E> {
        let wait = match self {
            Joined::Turn(turn) => return Waited::Turn(turn),
            Joined::Wait(wait) => wait,
        };
        loop {
            let (signal, deadline, has_ended) =
                (&wait.flight.signal, || wait.next_check(), || !wait.flight.is_pending());
            let has_ended = match driver {
                Driver::Thread => signal.block_until(deadline, has_ended),
                Driver::Task => signal.until(deadline, has_ended).await,
            };
            if has_ended {
                return wait.outcome(key, sharing);
            }
            if driver == Driver::Task && !Timer::is_available() {
                return Waited::Turn(Turn::alone());
            }
            wait.abandon_if_due();
        }
    }
}

/// A caller's turn to compute, as a leader or alone. The caller holds it until the result is stored.
pub(crate) struct Turn<'a>(pub(super) Option<Lead<'a>>);

impl Turn<'_> {
    /// A turn without a flight. No other caller waits for it.
    pub(crate) const fn alone() -> Self {
        Self(None)
    }

    /// Puts the flight on this thread's stack until the guard is dropped. Code that runs meanwhile, including the
    /// store's, does not wait for this flight.
    pub(crate) fn enter(&self) -> Option<OnStack> {
        self.leading().map(|flight| stack::enter(flight.id))
    }

    /// Runs `work` with the flight on this thread's stack, see [`enter`](Self::enter).
    pub(crate) fn run_entered<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        work()
    }

    /// Runs a task's computation, or its wait for other processes.
    pub(crate) async fn drive<T>(&self, compute: impl Future<Output = T>) -> T {
        let timing = self.leading().filter(|flight| flight.pulse.is_some()).map(|flight| &flight.timing);
        timing.inspect(|timing| timing.begin());
        let value = self.watch(compute).await;
        timing.inspect(|timing| timing.end());
        value
    }

    /// Awaits a part of a leading task's work. Its waiters learn if the task is not polled any more.
    pub(crate) async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let Some(flight) = self.leading() else { return work.await };
        let Some(pulse) = &flight.pulse else { return work.await };
        let waker = Waker::from(flight.clone());
        let mut work = pin!(work);
        // Each poll may be on another thread. The work is on that thread's stack during the poll.
        std::future::poll_fn(|cx| {
            let _entered = stack::enter(flight.id);
            let _polling = pulse.poll(cx.waker());
            work.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await
    }

    /// Runs a thread's computation. The caller has called [`enter`](Self::enter).
    #[inline]
    pub(crate) fn run<T>(&self, compute: impl FnOnce() -> T) -> T {
        let Some(flight) = self.leading() else { return compute() };
        flight.timing.begin();
        let value = compute();
        flight.timing.end();
        value
    }

    /// Shares the error of the computation with its waiters.
    #[cold]
    pub(crate) fn share_error<K: Args + ?Sized, E>(&self, key: &K, error: &E, sharing: Sharing<E>) {
        if let Some(flight) = self.leading()
            && let Some(error) = sharing.share(error)
            && let Ok(key) = guard("copy the arguments", || Ok(Arc::new(key.to_key())))
        {
            let _ = flight.error.set((error, key));
        }
    }

    /// The longest wait of a leader for other processes; `None` if this turn does not lead, and must not wait.
    pub(crate) fn claim_patience(&self) -> Option<Duration> {
        self.0.as_ref().map(|lead| lead.flights.patience.current())
    }

    /// Records whether a wait for other processes has given a result.
    pub(crate) fn record_claim(&self, is_successful: bool) {
        let Some(lead) = &self.0 else { return };
        lead.flight.timing.discard();
        if is_successful {
            lead.flights.patience.record_successful_wait();
        } else {
            patience::count_failed_wait();
            lead.flights.record_failed_wait();
        }
    }

    fn leading(&self) -> Option<&Arc<Flight>> {
        self.0.as_ref().map(|lead| &lead.flight)
    }
}

/// A leader's flight. Dropping this ends the flight: on return, error, panic and cancellation.
pub(crate) struct Lead<'a> {
    pub(super) flights: &'a Flights,
    pub(super) flight: Arc<Flight>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        // The flight leaves the table before it ends, so that a caller that misses from now on leads.
        let Some(mut table) = self.flights.process.lock(&self.flights.table) else { return };
        if table.get(&self.flight.digest).is_some_and(|flight| flight.id == self.flight.id) {
            table.remove(&self.flight.digest);
        }
        drop(table);
        // Without waiters there is no notification, because it would allocate.
        let has_waiters = self.flight.has_waiters.load(Ordering::SeqCst);
        // In a forked process the waiters are the parent's.
        if has_waiters && self.flights.process.is_forked() {
            return;
        }
        // After a cancellation, one waiter leads. After a panic, each waiter computes and gets its own panic.
        let is_cancelled = self.flight.pulse.is_some() && self.flight.timing.is_running() && !std::thread::panicking();
        let state = if is_cancelled { ABANDONED } else { DONE };
        let is_first = if has_waiters { self.flight.end(state) } else { self.flight.is_pending() };
        if !is_first || is_cancelled {
            return;
        }
        if let Some(duration) = self.flight.timing.duration() {
            self.flights.patience.record_duration(duration);
        }
        if has_waiters {
            self.flights.patience.record_successful_wait();
        }
    }
}

/// A wait for another caller's flight.
pub(crate) struct Wait<'a> {
    pub(super) flights: &'a Flights,
    pub(super) flight: Arc<Flight>,
    pub(super) since: Instant,
    /// The edge in the wait graph, for the duration of the wait.
    pub(super) _edge: Edge,
}

impl<'a> Wait<'a> {
    /// The time at which the waiter checks whether to abandon the flight.
    fn next_check(&self) -> Option<Instant> {
        let deadline = self.flights.patience.deadline(self.since);
        if self.flight.pulse.is_none() {
            return deadline;
        }
        let pulse_check = Instant::now().checked_add(stall::LIMIT / 2);
        deadline.into_iter().chain(pulse_check).min()
    }

    fn has_expired(&self) -> bool {
        self.flights.patience.deadline(self.since).is_some_and(|deadline| deadline <= Instant::now())
    }

    fn abandon_if_due(&self) {
        let is_due = self.has_expired() || self.flight.pulse.as_ref().is_some_and(Pulse::is_stalled);
        if is_due && self.flight.end(ABANDONED) {
            self.flights.record_failed_wait();
        }
    }

    /// Decides what the waiter does after the flight has ended.
    fn outcome<K: Args + ?Sized, E>(&self, key: &K, sharing: Sharing<E>) -> Waited<'a, E> {
        if self.flight.state.load(Ordering::SeqCst) != DONE {
            patience::count_failed_wait();
            return Waited::Rejoin((!self.has_expired()).then_some(self.since));
        }
        let is_same_key = |owned: &Shared| {
            let matches = || Ok(owned.downcast_ref().is_some_and(|owned| key.matches(owned)));
            guard("compare arguments", matches).unwrap_or(false)
        };
        let shared = self.flight.error.get().filter(|(_, owned)| is_same_key(owned));
        let error = shared.and_then(|(error, _)| sharing.take(error));
        error.map_or(Waited::Turn(Turn::alone()), Waited::Failed)
    }
}

//! What a caller does after it has joined a flight: it leads, or waits, or computes alone.

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

use super::stack::{self, Running};
use super::stall::{self, Pulse};
use super::waits::Edge;
use super::{ENDED, Flight, Flights, GIVEN_UP, patience};

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
        if let Joined::Turn(turn) = self { turn } else { Turn::alone() }
    }

    /// Waits if another caller is computing. Of a thread, the future is ready when it is first polled.
    pub(crate) async fn wait<K: Args + ?Sized, E>(self, driver: Driver, key: &K, sharing: Sharing<E>) -> Waited<'a, E> {
        let wait = match self {
            Joined::Turn(turn) => return Waited::Over(turn),
            Joined::Wait(wait) => wait,
        };
        loop {
            let (signal, deadline, is_over) = (&wait.flight.signal, || wait.deadline(), || !wait.flight.is_flying());
            let is_over = match driver {
                Driver::Thread => signal.block_until(deadline, is_over),
                Driver::Task => signal.until(deadline, is_over).await,
            };
            if is_over {
                return wait.aftermath(key, sharing);
            }
            if driver == Driver::Task && !Timer::is_available() {
                return Waited::Over(Turn::alone());
            }
            wait.give_up_if_due();
        }
    }
}

/// A caller's turn to compute: as the leader for whom others wait, or without holding up anybody. Held until the result is
/// stored.
pub(crate) struct Turn<'a>(pub(super) Option<Lead<'a>>);

impl Turn<'_> {
    /// No caller waits for this one.
    pub(crate) const fn alone() -> Self {
        Self(None)
    }

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
    pub(super) flights: &'a Flights,
    pub(super) flight: Arc<Flight>,
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
    pub(super) flights: &'a Flights,
    pub(super) flight: Arc<Flight>,
    pub(super) begun: Instant,
    /// In the wait graph for as long as we wait.
    pub(super) _edge: Edge,
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
        error.map_or(Waited::Over(Turn::alone()), Waited::Failed)
    }
}

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{ReentrantMutex, ReentrantMutexGuard};

use crate::key::KeyHash;

/// Locks by key, of which several keys share one, and a count of the changes under each.
///
/// Reentrant: a store runs its values' `Clone` and `Drop`, which are the user's code and may come back here.
pub(crate) struct Stripes([Stripe; 64]);

#[derive(Default)]
pub(crate) struct Stripe {
    lock: ReentrantMutex<()>,
    changes: AtomicU64,
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Stripe::default()))
    }

    pub(crate) fn of(&self, digest: KeyHash) -> &Stripe {
        let [first, ..] = digest.to_bytes();
        &self.0[usize::from(first) % self.0.len()]
    }

    pub(crate) fn all(&self) -> &[Stripe] {
        &self.0
    }
}

impl Stripe {
    /// Keeps everybody else from changing anything here until the guard is dropped.
    pub(crate) fn lock(&self) -> ReentrantMutexGuard<'_, ()> {
        self.lock.lock()
    }

    /// As [`lock`](Self::lock), and lets those know who have looked before.
    pub(crate) fn change(&self) -> ReentrantMutexGuard<'_, ()> {
        let guard = self.lock.lock();
        self.changes.fetch_add(1, Ordering::AcqRel);
        guard
    }

    /// How many changes there have been.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

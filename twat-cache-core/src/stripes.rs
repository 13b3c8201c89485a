use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{ReentrantMutex, ReentrantMutexGuard};

use crate::key::KeyHash;
use crate::sync::PATIENCE;
use crate::{Error, ErrorKind};

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
    /// Keeps everybody else from changing anything here until the guard is dropped; `None` if somebody is at it.
    pub(crate) fn try_lock(&self) -> Option<ReentrantMutexGuard<'_, ()>> {
        self.lock.try_lock()
    }

    /// Waits until nobody else is at it, and lets those know who have looked before. An error if that takes too long.
    pub(crate) fn change(&self) -> Result<ReentrantMutexGuard<'_, ()>, Error> {
        let busy =
            || Error::new(ErrorKind::Io, "change an entry").because("another thread has been at it for too long");
        let guard = self.lock.try_lock_for(PATIENCE).ok_or_else(busy)?;
        self.changes.fetch_add(1, Ordering::AcqRel);
        Ok(guard)
    }

    /// How many changes there have been.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_change_does_not_wait_for_ever_for_another() {
        let stripes = Stripes::new();
        let stripe = &stripes.all()[0];
        let changing = stripe.change().unwrap();
        let kind = std::thread::scope(|scope| scope.spawn(|| stripe.change().unwrap_err().kind()).join());
        assert_eq!(kind.unwrap(), ErrorKind::Io);
        // But on its own thread it does not stand in its own way.
        assert!(stripe.change().is_ok());
        drop(changing);
        std::thread::scope(|scope| scope.spawn(|| assert!(stripe.change().is_ok())).join()).unwrap();
    }
}

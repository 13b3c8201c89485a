//! Locks by key, of which several keys share one, and which computations under each are outdated.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use twat_cache_core::KeyHash;

/// A computation gets a number when it begins. A change of an entry raises the *barrier* of its stripe to a number of its
/// own, and what has a smaller one began before it.
pub(crate) struct Stripes {
    clock: AtomicU64,
    barriers: [Mutex<u64>; 256],
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self { clock: AtomicU64::new(0), barriers: std::array::from_fn(|_| Mutex::new(0)) }
    }

    /// A number that is larger than all before.
    pub(crate) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Lets nobody else look at this key's entry and then change it, until the guard is dropped.
    ///
    /// It is held while the engine reads and writes: what was read must still be so when it is written, or a value that
    /// was replaced or removed meanwhile would come back. The engine writes one at a time anyway, and reads need no
    /// stripe.
    pub(crate) fn lock(&self, digest: KeyHash) -> MutexGuard<'_, u64> {
        self.barriers[usize::from(digest.to_bytes()[0])].lock()
    }
}

//! The order in which computations begin and entries change, and a lock for each key.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use twat_cache_core::{Args, Namespace, Stamp, Ticket};

use crate::entry::Key;

/// A computation gets a number when it begins, and so does a change of an entry. The lower number is the earlier one.
///
/// Keys that share a stripe share a lock, and only the last change of a stripe is known. A result is also refused if its
/// computation began before a change of another key in the stripe. That costs one computation.
pub(crate) struct Changes {
    clock: AtomicU64,
    /// The last change of entries whose keys were not known, because the database was not open.
    floor: AtomicU64,
    stripes: Box<[Mutex<Change>]>,
    /// One for each stripe of arguments. It changes when one of their entries was removed or refreshed.
    generations: Box<[AtomicU64]>,
}

/// The last change in a stripe: a removal, or a refresh.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) key: Option<Key>,
    pub(crate) number: u64,
}

/// Of 48 bytes each. If `n` keys are removed or refreshed while a result is computed, it is refused in `n` of this many
/// cases.
const STRIPES: u16 = 1024;

impl Changes {
    pub(crate) fn new() -> Self {
        Self {
            clock: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            generations: (0..STRIPES).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// A ticket with a number that is larger than all before.
    pub(crate) fn begin(&self) -> Ticket {
        Ticket { number: self.clock.fetch_add(1, Ordering::AcqRel) + 1, is_refresh: false }
    }

    /// Refuses the results of all computations that have begun by now.
    pub(crate) fn refuse(&self) {
        self.floor.fetch_max(self.begin().number, Ordering::AcqRel);
    }

    /// Whether the result of a computation that began with this number is refused.
    pub(crate) fn is_refused(&self, number: u64) -> bool {
        number < self.floor.load(Ordering::Acquire)
    }

    /// Whether a result is outdated, as far as is known without its key.
    pub(crate) fn is_outdated(&self, key: Option<&Key>, number: u64) -> bool {
        self.is_refused(number) || key.is_some_and(|key| number < self.lock(key).number)
    }

    /// The stamp of what is stored for these arguments. The secret of the database need not be known for it.
    pub(crate) fn stamp<K: Args + ?Sized>(&self, key: &K) -> Stamp {
        let [first, second, ..] = Namespace::process().digest_of(key).to_bytes();
        let stripe = u16::from_le_bytes([first, second]) % STRIPES;
        Stamp { stripe: stripe.into(), generation: self.generations[usize::from(stripe)].load(Ordering::Acquire) }
    }

    #[inline]
    pub(crate) fn is_current(&self, stamp: Stamp) -> bool {
        let generation = &self.generations[stamp.stripe as usize % usize::from(STRIPES)];
        generation.load(Ordering::Acquire) == stamp.generation
    }

    /// Makes the stamps of these arguments invalid, after their entry was changed.
    pub(crate) fn outdate<K: Args + ?Sized>(&self, key: &K) {
        self.generations[self.stamp(key).stripe as usize].fetch_add(1, Ordering::AcqRel);
    }

    /// Makes all stamps invalid.
    pub(crate) fn outdate_all(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Locks the stripe of this key.
    ///
    /// The lock is held while an entry is read and then written. Otherwise a value that is replaced or removed between the
    /// two could come back. It delays nobody: the engine writes one entry at a time, and a lookup does not need the lock.
    pub(crate) fn lock(&self, key: &Key) -> MutexGuard<'_, Change> {
        let [first, second, ..] = *key;
        self.stripes[usize::from(u16::from_le_bytes([first, second]) % STRIPES)].lock()
    }
}

//! Which computations are under way, so that a result that is outdated by the time it is there is not stored.
//!
//! Exact, by key: a result that is dropped because of a neighbour would leave an older one in its place.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::key::{ByDigest, KeyHash};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, PATIENCE, ReentrantMutex};
use crate::{Error, ErrorKind};

/// The keys that something is being computed for, and how many times.
#[derive(Default)]
pub(super) struct InProgress(Mutex<ByDigest<(usize, Arc<Progress>)>>);

/// What the computations of one key share. They are numbered in the order in which they begin.
struct Progress {
    /// The number of the last one.
    begun: AtomicU64,
    /// Results up to this number are outdated.
    outdated: AtomicU64,
    /// The latest one that was stored. A call inside another for the same key begins later and is stored earlier: the outer
    /// one's result stays.
    stored: AtomicU64,
    /// Held while a result is stored. It must be: a thread that stopped between its check and its store would bring back
    /// what was forgotten meanwhile. Reentrant, because a store may run the user's code, which may use the memo.
    storing: ReentrantMutex<()>,
}

impl InProgress {
    pub(super) fn begin(&self, digest: KeyHash) -> Computation<'_> {
        let mut table = self.0.lock();
        let new = || Progress {
            begun: AtomicU64::new(0),
            outdated: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            storing: ReentrantMutex::new(()),
        };
        let (count, progress) = table.entry(digest).or_insert_with(|| (0, Arc::new(new())));
        *count += 1;
        let progress = progress.clone();
        let number = progress.begun.fetch_add(1, Ordering::SeqCst) + 1;
        Computation { table: self, digest, progress, number }
    }

    /// Outdates the computations of this key. Waits for one that is being stored.
    pub(super) fn outdate(&self, digest: KeyHash) -> Result<(), Error> {
        let progress = self.0.lock().get(&digest).map(|(_, progress)| progress.clone());
        progress.map_or(Ok(()), |progress| progress.outdate())
    }

    /// Outdates all computations.
    pub(super) fn outdate_all(&self) -> Result<(), Error> {
        let all: Vec<_> = self.0.lock().values().map(|(_, progress)| progress.clone()).collect();
        all.iter().map(|progress| progress.outdate()).fold(Ok(()), Result::and)
    }

    #[cfg(all(test, not(shuttle)))]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl Progress {
    fn outdate(&self) -> Result<(), Error> {
        let stored = self.storing.try_lock_for(PATIENCE);
        self.outdated.fetch_max(self.begun.load(Ordering::SeqCst), Ordering::SeqCst);
        stored.map(drop).ok_or_else(busy)
    }
}

fn busy() -> Error {
    Error::new(ErrorKind::Io, "wait for a result that is being stored").because("it takes too long")
}

/// A computation under way.
pub(crate) struct Computation<'a> {
    table: &'a InProgress,
    digest: KeyHash,
    progress: Arc<Progress>,
    number: u64,
}

impl Computation<'_> {
    /// Stores the result, unless it is outdated. That of a refresh outdates those of all computations that began earlier,
    /// and does not replace that of one that began later.
    ///
    /// An error if it cannot be known to be current, because another result is being stored for too long.
    pub(crate) fn keep<T>(&self, is_refresh: bool, store: impl FnOnce() -> T) -> Result<Option<T>, Error> {
        let _storing = self.progress.storing.try_lock_for(PATIENCE).ok_or_else(busy)?;
        let Progress { outdated, stored, .. } = &*self.progress;
        let latest = stored.fetch_max(self.number, Ordering::SeqCst);
        let is_outdated = if is_refresh {
            outdated.fetch_max(self.number, Ordering::SeqCst).max(latest) >= self.number
        } else {
            outdated.load(Ordering::SeqCst) >= self.number
        };
        Ok((!is_outdated).then(store))
    }
}

impl Drop for Computation<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.table.0.lock().entry(self.digest) {
            entry.get_mut().0 -= 1;
            if entry.get().0 == 0 {
                entry.remove();
            }
        }
    }
}

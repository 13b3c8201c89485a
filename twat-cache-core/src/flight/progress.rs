//! Which computations are under way, so that a result that is outdated by the time it is there is not stored.
//!
//! Exact, by key: a result that is dropped because of a neighbour would leave an older one in its place.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::store::{ByDigest, forked};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, PATIENCE, ReentrantMutex, ReentrantMutexGuard, is_mutant};
use crate::{Error, ErrorKind, KeyHash, Process};

/// The keys that something is being computed for, and how many times.
pub(super) struct InProgress {
    process: Process,
    table: Mutex<ByDigest<(usize, Arc<Progress>)>>,
}

/// What the computations of one key share. They are numbered in the order in which they begin.
struct Progress {
    digest: KeyHash,
    /// The number of the last one.
    begun: AtomicU64,
    /// All up to this one began before the key was last forgotten.
    forgotten: AtomicU64,
    /// The latest refresh that was stored, or is being stored.
    refreshed: AtomicU64,
    /// The latest of all that was stored, or is being stored. A call inside another for the same key begins later and is
    /// stored earlier, and the outer one's result stays.
    stored: AtomicU64,
    /// Held while a result is stored. It must be: a thread that stopped between its check and its store would bring back
    /// what was forgotten meanwhile. Reentrant, because a store may run the user's code, which may use the memo.
    storing: ReentrantMutex<()>,
    /// Somebody has waited for that lock in vain. Until it is free, nobody else does.
    is_stuck: AtomicBool,
}

impl InProgress {
    pub(super) fn new() -> Self {
        Self { process: Process::this(), table: Mutex::default() }
    }

    pub(super) fn begin(&self, digest: KeyHash) -> Option<Computation<'_>> {
        let mut table = self.process.lock(&self.table)?;
        let new = || Progress {
            digest,
            begun: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            refreshed: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            storing: ReentrantMutex::new(()),
            is_stuck: AtomicBool::new(false),
        };
        let (count, progress) = table.entry(digest).or_insert_with(|| (0, Arc::new(new())));
        *count += 1;
        let progress = progress.clone();
        let number = progress.begun.fetch_add(1, Ordering::SeqCst) + 1;
        Some(Computation { table: self, progress, number })
    }

    /// Outdates the computations of this key. Waits for one that is being stored.
    pub(super) fn outdate(&self, digest: KeyHash) -> Result<(), Error> {
        let table = self.process.lock(&self.table).ok_or_else(forked)?;
        let progress = table.get(&digest).map(|(_, progress)| progress.clone());
        drop(table);
        progress.map_or(Ok(()), |progress| progress.outdate(self.process))
    }

    /// Outdates all computations.
    pub(super) fn outdate_all(&self) -> Result<(), Error> {
        let table = self.process.lock(&self.table).ok_or_else(forked)?;
        let all: Vec<_> = table.values().map(|(_, progress)| progress.clone()).collect();
        drop(table);
        all.iter().map(|progress| progress.outdate(self.process)).fold(Ok(()), Result::and)
    }

    #[cfg(all(test, not(shuttle)))]
    pub(super) fn is_empty(&self) -> bool {
        self.table.lock().is_empty()
    }
}

impl Progress {
    fn outdate(&self, process: Process) -> Result<(), Error> {
        let stored = self.wait(process);
        self.forgotten.fetch_max(self.begun.load(Ordering::SeqCst), Ordering::SeqCst);
        stored.map(drop)
    }

    /// Waits for a result that is being stored; not in a forked process, where the thread that stores it is missing.
    fn wait(&self, process: Process) -> Result<ReentrantMutexGuard<'_, ()>, Error> {
        let storing = self.storing.try_lock();
        let wait = || {
            if self.is_stuck.load(Ordering::SeqCst) || process.is_forked() {
                return None;
            }
            let waited = self.storing.try_lock_for(PATIENCE);
            self.is_stuck.store(waited.is_none(), Ordering::SeqCst);
            waited
        };
        storing.or_else(wait).ok_or_else(busy)
    }
}

fn busy() -> Error {
    Error::new(ErrorKind::Io, "wait for a result that is being stored").because("it takes too long")
}

/// A computation under way.
pub(crate) struct Computation<'a> {
    table: &'a InProgress,
    progress: Arc<Progress>,
    number: u64,
}

impl Computation<'_> {
    /// Lets the result be stored, unless the key was forgotten or refreshed by a computation that began later. A refresh
    /// does not replace what any computation has stored that began later.
    ///
    /// If the key was forgotten during a refresh, what is there is removed: the one that forgets may not have come so far, and
    /// nobody may find anything older after the refresh has returned.
    ///
    /// An error if it cannot be known whether it is current, because another result is being stored for too long.
    pub(crate) fn keep<T>(
        &self,
        is_refresh: bool,
        store: impl FnOnce() -> T,
        remove: impl FnOnce() -> T,
    ) -> Result<Option<T>, Error> {
        let _storing = match self.progress.storing.try_lock() {
            Some(storing) => storing,
            // Another result is being stored, which is as good.
            None if !is_refresh => return Ok(None),
            None => self.progress.wait(self.table.process)?,
        };
        let Progress { forgotten, refreshed, stored, .. } = &*self.progress;
        let [forgotten, replaced, latest] = [forgotten, refreshed, stored].map(|number| number.load(Ordering::SeqCst));
        let is_forgotten = forgotten >= self.number;
        let is_replaced = if is_refresh {
            latest > forgotten.max(self.number) || latest > 0 && is_mutant("lets the refresh win that ends first")
        } else {
            replaced > self.number
        };
        if is_replaced || is_forgotten && (!is_refresh || is_mutant("lets an outdated refresh leave what is there")) {
            return Ok(None);
        }
        if is_forgotten {
            return Ok(Some(remove()));
        }
        stored.fetch_max(self.number, Ordering::SeqCst);
        if is_refresh {
            refreshed.store(self.number, Ordering::SeqCst);
        }
        let done = store();
        self.progress.is_stuck.store(false, Ordering::SeqCst);
        // What the store runs may have changed the key, as may have one that did not get the lock.
        let Progress { forgotten, refreshed, .. } = &*self.progress;
        if forgotten.load(Ordering::SeqCst) >= self.number || refreshed.load(Ordering::SeqCst) > self.number {
            return Ok(Some(remove()));
        }
        Ok(Some(done))
    }
}

impl Drop for Computation<'_> {
    fn drop(&mut self) {
        let Some(mut table) = self.table.process.lock(&self.table.table) else { return };
        if let Entry::Occupied(mut entry) = table.entry(self.progress.digest) {
            entry.get_mut().0 -= 1;
            if entry.get().0 == 0 {
                entry.remove();
            }
        }
    }
}

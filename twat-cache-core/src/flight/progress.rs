//! Which computations are under way, so that those that are outdated can be kept from being stored.
//!
//! Exact, by key: a result that is dropped because of a neighbour would leave an older one in its place.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Instant;

use crate::key::{ByDigest, KeyHash};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, PATIENCE, ReentrantMutex};

use super::patience::Patience;

/// The keys that something is being computed for, and how many times.
#[derive(Default)]
pub(super) struct InProgress(Mutex<ByDigest<(usize, Arc<Progress>)>>);

/// What the computations of one key share.
struct Progress {
    /// Those that began in an earlier epoch are out of date.
    epoch: AtomicU64,
    /// Held while a result is stored. It must be: a thread that stopped between its check and its store would bring back
    /// what was forgotten meanwhile. Reentrant, because a store may run the user's code, which may use the memo.
    storing: ReentrantMutex<()>,
}

impl InProgress {
    pub(super) fn begin<'a>(&'a self, digest: KeyHash, patience: &'a Patience) -> Computation<'a> {
        let progress = {
            let mut table = self.0.lock();
            let new = || (0, Arc::new(Progress { epoch: AtomicU64::new(0), storing: ReentrantMutex::new(()) }));
            let (count, progress) = table.entry(digest).or_insert_with(new);
            *count += 1;
            progress.clone()
        };
        let epoch = progress.epoch.load(Ordering::SeqCst);
        Computation { table: self, patience, digest, progress, epoch, begun: Instant::now() }
    }

    /// Outdates the computations of this key. Waits for one that is being stored.
    pub(super) fn outdate(&self, digest: KeyHash) {
        let progress = self.0.lock().get(&digest).map(|(_, progress)| progress.clone());
        if let Some(progress) = progress {
            progress.outdate();
        }
    }

    /// Outdates all computations.
    pub(super) fn outdate_all(&self) {
        let all: Vec<_> = self.0.lock().values().map(|(_, progress)| progress.clone()).collect();
        for progress in &all {
            progress.outdate();
        }
    }

    #[cfg(all(test, not(shuttle)))]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl Progress {
    fn outdate(&self) {
        let _stored = self.storing.try_lock_for(PATIENCE);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

/// A computation under way.
pub(crate) struct Computation<'a> {
    table: &'a InProgress,
    patience: &'a Patience,
    digest: KeyHash,
    progress: Arc<Progress>,
    epoch: u64,
    begun: Instant,
}

impl Computation<'_> {
    /// Stores the result, unless it is out of date.
    pub(crate) fn keep<T>(&self, store: impl FnOnce() -> T) -> Option<T> {
        self.keep_with(0, store)
    }

    /// As [`keep`](Self::keep), and outdates all others that are under way: none of them may replace this one.
    pub(crate) fn keep_as_newest<T>(&self, store: impl FnOnce() -> T) -> Option<T> {
        self.keep_with(1, store)
    }

    fn keep_with<T>(&self, advance: u64, store: impl FnOnce() -> T) -> Option<T> {
        self.patience.learn(self.begun);
        // Without the lock it cannot be known to be up to date, and the caller has it in any case.
        let _storing = self.progress.storing.try_lock_for(PATIENCE)?;
        let next = self.epoch + advance;
        let current = self.progress.epoch.compare_exchange(self.epoch, next, Ordering::SeqCst, Ordering::SeqCst);
        current.is_ok().then(store)
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

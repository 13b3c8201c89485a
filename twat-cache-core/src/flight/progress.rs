//! The computations that are under way, so that an outdated result is not stored.
//!
//! This is exact for each key. If a change to one key discarded the result of another key, an older value of that other
//! key would stay in the store.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::store::{ByDigest, forked};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, PATIENCE, ReentrantMutex, ReentrantMutexGuard, is_mutant};
use crate::{Answer, Error, ErrorKind, KeyHash, Process};

/// The keys that are being computed, each with the number of its computations.
pub(super) struct InProgress {
    process: Process,
    table: Mutex<ByDigest<(usize, Arc<Progress>)>>,
}

/// The state that the computations of one key share. They are numbered in the order in which they begin.
struct Progress {
    digest: KeyHash,
    /// The last computation that began.
    last: AtomicU64,
    /// The last computation that began before the key was invalidated.
    invalidated: AtomicU64,
    /// The latest refresh that was stored, or is being stored.
    refreshed: AtomicU64,
    /// The computation that was stored last. A call inside another call for the same key begins later and is stored
    /// earlier. The outer call's result stays.
    stored: AtomicU64,
    /// Held from the check until the result is stored. Otherwise a thread that pauses between the two would store a
    /// result that was invalidated meanwhile. Reentrant, because a store may run the user's code, and that code may use
    /// the memo.
    store_lock: ReentrantMutex<()>,
    /// A wait for that lock has timed out. Until the lock is free, no other caller waits for it.
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
            last: AtomicU64::new(0),
            invalidated: AtomicU64::new(0),
            refreshed: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            store_lock: ReentrantMutex::new(()),
            is_stuck: AtomicBool::new(false),
        };
        let (count, progress) = table.entry(digest).or_insert_with(|| (0, Arc::new(new())));
        *count += 1;
        let progress = progress.clone();
        let number = progress.last.fetch_add(1, Ordering::SeqCst) + 1;
        Some(Computation { table: self, progress, number })
    }

    /// Invalidates the computations of this key, after a wait for a result that is being stored.
    pub(super) fn invalidate(&self, digest: KeyHash) -> Result<(), Error> {
        let table = self.process.lock(&self.table).ok_or_else(forked)?;
        let progress = table.get(&digest).map(|(_, progress)| progress.clone());
        drop(table);
        progress.map_or(Ok(()), |progress| progress.invalidate(self.process))
    }

    /// Invalidates all computations.
    pub(super) fn invalidate_all(&self) -> Result<(), Error> {
        let table = self.process.lock(&self.table).ok_or_else(forked)?;
        let all: Vec<_> = table.values().map(|(_, progress)| progress.clone()).collect();
        drop(table);
        all.iter().map(|progress| progress.invalidate(self.process)).fold(Ok(()), Result::and)
    }

    #[cfg(all(test, not(shuttle)))]
    pub(super) fn is_empty(&self) -> bool {
        self.table.lock().is_empty()
    }
}

impl Progress {
    fn invalidate(&self, process: Process) -> Result<(), Error> {
        let locked = self.lock(process);
        self.invalidated.fetch_max(self.last.load(Ordering::SeqCst), Ordering::SeqCst);
        locked.map(drop)
    }

    /// Waits for a result that is being stored. It does not wait in a forked process, which lacks the thread that
    /// stores.
    fn lock(&self, process: Process) -> Result<ReentrantMutexGuard<'_, ()>, Error> {
        let wait = || {
            if self.is_stuck.load(Ordering::SeqCst) || process.is_forked() {
                return None;
            }
            let locked = self.store_lock.try_lock_for(PATIENCE);
            self.is_stuck.store(locked.is_none(), Ordering::SeqCst);
            locked
        };
        self.store_lock.try_lock().or_else(wait).ok_or_else(|| {
            Error::new(ErrorKind::Io, "wait for a result that is being stored").because("it takes too long")
        })
    }
}

/// A computation that is under way.
pub(crate) struct Computation<'a> {
    table: &'a InProgress,
    progress: Arc<Progress>,
    number: u64,
}

impl Computation<'_> {
    /// Calls `store` if the result is current. The answer is whether the store has it.
    ///
    /// The result is not current if the key was invalidated after the computation began, or if a refresh that began later was
    /// stored. A refresh is not current either if the result of any later computation was stored.
    ///
    /// Calls `remove` if the key was invalidated during a refresh: after the refresh returns, no caller may find an
    /// older value, and the caller that invalidates may not have removed it yet. If the store `is_shared`, it also calls
    /// `remove` instead of leaving the result of a later call: another process may have replaced that by an older one. After
    /// an error of `store`, `remove` gets and returns that error.
    ///
    /// Returns an error if a refresh waits too long for another result that is being stored.
    pub(crate) async fn store_if_current<'s>(
        &self,
        is_refresh: bool,
        is_shared: bool,
        store: impl FnOnce() -> Answer<'s, bool>,
        remove: impl Fn(Option<Error>) -> Answer<'s, ()>,
    ) -> Result<(), Error> {
        match self.store_now(is_refresh, is_shared, store, &remove)? {
            Step::Done(answer) => answer.await,
            // A lock would block the thread of the task. A store that answers later orders results by its tickets.
            Step::Storing(answer) => {
                let stored = answer.await;
                self.finish(stored, remove).await
            }
        }
    }

    /// What can be done at once, under the lock.
    fn store_now<'s>(
        &self,
        is_refresh: bool,
        is_shared: bool,
        store: impl FnOnce() -> Answer<'s, bool>,
        remove: &impl Fn(Option<Error>) -> Answer<'s, ()>,
    ) -> Result<Step<'s>, Error> {
        let Progress { invalidated, refreshed, stored, store_lock, .. } = &*self.progress;
        let nothing = || Ok(Step::Done(Answer::Now(Ok(()))));
        let _locked = match store_lock.try_lock() {
            Some(locked) => locked,
            // Another result of the same key is being stored. It is just as valid.
            None if !is_refresh => return nothing(),
            None => self.progress.lock(self.table.process)?,
        };
        let is_replaced = if is_refresh {
            let latest = stored.load(Ordering::SeqCst);
            latest > invalidated.load(Ordering::SeqCst).max(self.number)
                || latest > 0 && is_mutant("lets the refresh win that ends first")
        } else {
            self.is_refreshed()
        };
        if is_replaced {
            let removes = is_shared && is_refresh && !self.is_refreshed();
            return if removes { Ok(Step::Done(remove(None))) } else { nothing() };
        }
        if self.is_invalidated() {
            let removes = is_refresh && !is_mutant("lets an outdated refresh keep an older value");
            return if removes { Ok(Step::Done(remove(None))) } else { nothing() };
        }
        if is_refresh {
            refreshed.store(self.number, Ordering::SeqCst);
        }
        Ok(match store() {
            Answer::Now(stored) => Step::Done(self.finish(stored, remove)),
            later @ Answer::Later(_) => Step::Storing(later),
        })
    }

    /// Notes that the store has answered, and removes what is not current any more.
    fn finish<'s>(
        &self,
        stored: Result<bool, Error>,
        remove: impl Fn(Option<Error>) -> Answer<'s, ()>,
    ) -> Answer<'s, ()> {
        // If it is not stored, an earlier refresh must still replace what is there.
        if matches!(stored, Ok(true)) {
            self.progress.stored.store(self.number, Ordering::SeqCst);
        }
        self.progress.is_stuck.store(false, Ordering::SeqCst);
        match stored {
            Err(error) => remove(Some(error)),
            // The user's code in the store may have changed the key, and so may a caller whose wait for the lock timed out.
            Ok(_) if (self.is_invalidated() || self.is_refreshed()) && !is_mutant(KEEPS_FORGOTTEN) => remove(None),
            Ok(_) => Answer::Now(Ok(())),
        }
    }

    fn is_invalidated(&self) -> bool {
        self.progress.invalidated.load(Ordering::SeqCst) >= self.number
    }

    fn is_refreshed(&self) -> bool {
        self.progress.refreshed.load(Ordering::SeqCst) > self.number
    }
}

const KEEPS_FORGOTTEN: &str = "keeps what was forgotten while it was stored";

/// How far a result has come.
enum Step<'s> {
    Done(Answer<'s, ()>),
    Storing(Answer<'s, bool>),
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

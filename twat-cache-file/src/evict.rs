//! Entries that are removed to make room: the least recently used ones above the limit, and expired ones.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use parking_lot::Mutex;
use twat_cache_core::among::lock::FileLock;
use twat_cache_core::among::meta::Meta;
use twat_cache_core::among::system;

use crate::counts::{Counts, UNKNOWN};
use crate::entry::{self, Header};

/// The entries that a process may remove next.
#[derive(Debug, Default)]
pub(crate) struct Evictor {
    /// From the last time that all entries were listed, the least recently used one first. Newer entries were used later. The
    /// lock is held during eviction, I/O included, and nobody waits for it.
    candidates: Mutex<VecDeque<Candidate>>,
    /// The entries that are next to be checked for their deadline, and the part of the directory that is listed after them.
    unchecked: Mutex<Vec<PathBuf>>,
    part: AtomicU8,
    /// How many entries this store has evicted.
    evicted: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    used: u64,
}

/// How many candidates are remembered at most.
const MOST: usize = 1 << 16;
/// How many entries are checked for each one that is stored with a deadline. A part without entries counts as one.
const CHECKS: usize = 5;

impl Evictor {
    /// One that adds to this number.
    pub(crate) fn counting(evicted: Arc<AtomicU64>) -> Self {
        Self { evicted, ..Self::default() }
    }

    /// Evicts the least recently used entries until the others take 9/10 of the limit, unless another thread or process is
    /// evicting. The entry at `newest` has just been stored, and stays.
    ///
    /// Listing all entries takes time proportional to their number. They are listed again when all candidates were evicted or
    /// used.
    #[cold]
    pub(crate) fn make_room(&self, cache: &Path, meta: &Meta, limit: u64, newest: &Path) {
        // Others that store an entry meanwhile do not evict, so this one evicts for them.
        for _ in 0..4 {
            match self.evict(cache, meta, limit, newest) {
                Ok(true) if meta.held().is_ok_and(|held| held > limit) => {}
                Ok(_) => return,
                // The next entry that is stored is the next attempt.
                Err(error) => {
                    return log::debug!(target: "twat_cache", "cannot evict entries in {}: {error}", cache.display());
                }
            }
        }
    }

    /// Returns false if another thread or process is evicting.
    fn evict(&self, cache: &Path, meta: &Meta, limit: u64, newest: &Path) -> io::Result<bool> {
        let lock = FileLock::try_take(&cache.join("lock/room"))?;
        // The process that holds the lock may be stopped. If two evict at once, they may evict too much.
        let held = meta.held()?;
        if lock.is_none() && (held / 2 <= limit || held >= UNKNOWN) {
            return Ok(false);
        }
        let Some(mut candidates) = self.candidates.try_lock() else { return Ok(false) };
        if !self.evict_from(&mut candidates, meta, limit, newest)? {
            *candidates = list(cache, meta)?;
            self.evict_from(&mut candidates, meta, limit, newest)?;
        }
        Ok(true)
    }

    /// Evicts candidates that were not used since they were listed; returns whether that is enough.
    fn evict_from(
        &self,
        candidates: &mut VecDeque<Candidate>,
        meta: &Meta,
        limit: u64,
        newest: &Path,
    ) -> io::Result<bool> {
        if meta.held()? > limit {
            while meta.held()? > limit / 10 * 9
                && let Some(Candidate { path, used }) = candidates.pop_front()
            {
                if path != newest && system::stat_of(&path).is_ok_and(|found| found.modified == used) {
                    // If it cannot be removed, the next one is.
                    let is_removed = entry::remove(&path, meta).unwrap_or(false);
                    self.evicted.fetch_add(u64::from(is_removed), Ordering::Relaxed);
                }
            }
            // Processes whose tables have one of them look it up again.
            meta.outdate_all()?;
        }
        Ok(meta.held()? <= limit)
    }

    /// Checks some entries, and removes those whose deadline is before `now`.
    pub(crate) fn remove_expired(&self, cache: &Path, meta: &Meta, now: u64) -> io::Result<()> {
        let Some(mut unchecked) = self.unchecked.try_lock() else { return Ok(()) };
        for _ in 0..CHECKS {
            if unchecked.is_empty() {
                let part = self.part.fetch_add(1, Ordering::Relaxed);
                *unchecked = entry::in_part(&cache.join(format!("{part:02x}")))?;
            }
            let Some(path) = unchecked.pop() else { continue };
            if Header::read(&path).is_some_and(|header| header.deadline != 0 && header.deadline <= now) {
                entry::remove(&path, meta)?;
                meta.outdate_all()?;
            }
        }
        Ok(())
    }
}

/// All entries, the least recently used one first. Corrects the count of their bytes.
fn list(cache: &Path, meta: &Meta) -> io::Result<VecDeque<Candidate>> {
    let before = meta.counts()?;
    // An entry is counted before it gets its name.
    let temporary = system::list(&cache.join("tmp"))?;
    let lens = temporary.iter().filter_map(|path| system::stat_of(path).ok());
    let being_stored = lens.fold(0_u64, |sum, file| sum.saturating_add(file.len));
    let mut candidates = Vec::new();
    let mut there = 0_u64;
    for part in entry::parts(cache)? {
        // The entries of a part that cannot be listed stay. Others are evicted instead.
        for path in entry::in_part(&part).unwrap_or_default() {
            // Another process may have removed it.
            let Ok(found) = system::stat_of(&path) else { continue };
            if found.is_own_file() {
                there = there.saturating_add(found.len);
                candidates.push(Candidate { path, used: found.modified });
            }
        }
    }
    // An entry that was stored or removed meanwhile may be among them or not. Only a count that must be wrong is corrected.
    meta.correct(before, there, there.saturating_add(being_stored));
    candidates.sort_unstable_by_key(|candidate| candidate.used);
    candidates.truncate(MOST);
    Ok(candidates.into())
}

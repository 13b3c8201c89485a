//! Entries that are removed to make room: those that were cleared, the least recently used ones above the limit, and expired
//! ones.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;
use twat_cache_core::KeyHash;
use twat_cache_core::among::lock::FileLock;
use twat_cache_core::among::system;

use crate::counts::Counts;
use crate::entry::Header;
use crate::files::{Files, Walk, key_of};

/// Removes entries of a cache, mostly in the background.
#[derive(Debug)]
pub(crate) struct Evictor {
    files: Arc<Files>,
    /// What is evicted next, from the last time that all entries were listed: what was cleared, and then the least recently used
    /// ones. Newer entries were used later. The lock is held while they are listed.
    candidates: Mutex<VecDeque<Candidate>>,
    /// The entries that are next to be checked for their deadline.
    unchecked: Mutex<Walk>,
    /// How many entries this store has evicted.
    evicted: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Candidate {
    dir: Arc<Path>,
    key: KeyHash,
    /// When it was last used.
    used: u64,
    is_cleared: bool,
}

/// How many candidates are remembered at most.
const MOST: usize = 1 << 16;
/// How many entries are checked for each one that is stored with a deadline.
const CHECKS: usize = 5;

impl Evictor {
    /// One that adds to this number.
    pub(crate) fn new(files: Arc<Files>, evicted: Arc<AtomicU64>) -> Self {
        Self { files, candidates: Mutex::default(), unchecked: Mutex::default(), evicted }
    }

    /// Evicts entries after one was stored, and there are too many. The entry at `newest` has just been stored, and stays.
    ///
    /// A thread evicts in the background, until a tenth of the limit is free. If there is more than a tenth too much, that thread
    /// is too slow, and the caller evicts as well. So the caller waits for nobody, except while another thread of its process
    /// lists all entries. That takes time proportional to their number. They are listed again when all candidates were evicted
    /// or used.
    #[cold]
    pub(crate) fn make_room(self: &Arc<Self>, limit: u64, newest: &Path) {
        let is_far_above = |held| held > limit.saturating_add(limit / 10);
        if self.files.meta.held().is_ok_and(is_far_above) {
            self.log(self.evict(limit, limit, newest));
        }
        if self.files.meta.held().is_ok_and(|held| held > limit) {
            self.start(limit, newest);
        }
    }

    /// Removes what was cleared, if anything was.
    pub(crate) fn tidy(self: &Arc<Self>, limit: u64) {
        // They were listed before. Of the next list, what was cleared comes first.
        self.candidates.try_lock().iter_mut().for_each(|candidates| candidates.clear());
        if self.files.cleared().is_ok_and(|cleared| !cleared.is_empty()) {
            self.start(limit, Path::new(""));
        }
    }

    /// Removes what was cleared, and evicts entries above the limit. A thread does it in the background, unless another thread or
    /// process is doing it.
    fn start(self: &Arc<Self>, limit: u64, newest: &Path) {
        let Some(lock) = self.lock() else { return };
        let (evictor, path) = (self.clone(), newest.to_owned());
        let thread = thread::Builder::new().name(String::from("twat-cache-file"));
        // The thread is not waited for: when the program ends, the next one goes on.
        let started = thread.spawn(move || evictor.work(lock, limit, &path));
        if let (Err(_), Some(lock)) = (started, self.lock()) {
            self.work(lock, limit, newest);
        }
    }

    /// The right to remove entries in the background.
    fn lock(&self) -> Option<FileLock> {
        let lock = FileLock::try_take(&self.files.path.join("lock/room"));
        lock.inspect_err(|error| self.log(Err(io::Error::from(error.kind())))).ok().flatten()
    }

    fn work(&self, lock: FileLock, limit: u64, newest: &Path) {
        let mut lock = Some(lock);
        for _ in 0..4 {
            self.log(self.try_tidy(limit, newest));
            drop(lock);
            // Others that have cleared or stored meanwhile have found the lock taken, so this one goes on for them. If the
            // directory is gone, its lock must not be made again.
            let is_done = self.files.meta.held().is_ok_and(|held| held <= limit)
                && self.files.cleared().is_ok_and(|cleared| cleared.is_empty());
            if is_done || !self.files.meta.is_in_use() {
                return;
            }
            lock = self.lock();
            if lock.is_none() {
                return;
            }
        }
    }

    fn try_tidy(&self, limit: u64, newest: &Path) -> io::Result<()> {
        for cleared in self.files.cleared()? {
            self.log(self.files.remove_cleared(&cleared));
        }
        self.evict(limit, limit / 10 * 9, newest)
    }

    /// If there are more bytes than the limit, evicts entries until there are this many.
    fn evict(&self, limit: u64, until: u64, newest: &Path) -> io::Result<()> {
        let Files { meta, .. } = &*self.files;
        if meta.held()? <= limit {
            return Ok(());
        }
        let (mut may_list, mut is_begun) = (true, false);
        loop {
            let mut candidates = self.candidates.lock();
            if meta.held()? <= until {
                return Ok(());
            }
            if candidates.is_empty() && mem::take(&mut may_list) {
                *candidates = self.list()?;
                // Now the count is right, and may have been too high.
                if !is_begun && meta.held()? <= limit {
                    return Ok(());
                }
            }
            let next = candidates.pop_front();
            drop(candidates);
            let Some(Candidate { dir, key, used, is_cleared }) = next else { return Ok(()) };
            is_begun = true;
            let path = dir.join(key.to_string());
            if is_cleared {
                let _ = self.files.remove(&path);
            } else if path != newest && system::stat_of(&path).is_ok_and(|found| found.modified == used) {
                // If it cannot be removed, the next one is.
                let is_removed = self.files.remove(&path).unwrap_or(false);
                self.evicted.fetch_add(u64::from(is_removed), Ordering::Relaxed);
                // Processes whose tables have it look it up again.
                meta.outdate_state(key)?;
            }
        }
    }

    /// All entries: what was cleared, and then the least recently used one first. Corrects the count of their bytes.
    fn list(&self) -> io::Result<VecDeque<Candidate>> {
        let Files { path: cache, meta, .. } = &*self.files;
        for _ in 0..4 {
            let before = meta.counts()?;
            // An entry is counted before it gets its name.
            let temporary = system::list(&cache.join("tmp"))?;
            let lens = temporary.iter().filter_map(|path| system::stat_of(path).ok());
            let being_stored = lens.fold(0_u64, |sum, file| sum.saturating_add(self.files.space(file.len)));
            let cleared = self.files.cleared()?;
            let (mut candidates, there) = self.find(&cleared)?;
            // If a directory was cleared meanwhile, its entries were found twice or not at all.
            if self.files.cleared()? == cleared {
                // An entry that was stored or removed meanwhile may be among them or not. Only a count that must be wrong is
                // corrected.
                meta.correct(before, there, there.saturating_add(being_stored));
                candidates.sort_unstable_by_key(|candidate| (!candidate.is_cleared, candidate.used));
                candidates.truncate(MOST);
                return Ok(candidates.into());
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// All entries, and how much space they take.
    fn find(&self, cleared: &[PathBuf]) -> io::Result<(Vec<Candidate>, u64)> {
        let (mut candidates, mut there) = (Vec::new(), 0_u64);
        let dirs = self.files.dirs()?;
        for (dir, is_cleared) in cleared.iter().map(|dir| (dir, true)).chain(dirs.iter().map(|dir| (dir, false))) {
            let of_dir: Arc<Path> = dir.as_path().into();
            // The entries of a directory that cannot be listed stay. Others are evicted instead.
            for path in Walk::of(vec![dir.clone()]).flatten() {
                let Some(key) = key_of(&path) else { continue };
                // Another process may have removed it.
                let Ok(found) = system::stat_of(&path) else { continue };
                if found.is_own_file() {
                    there = there.saturating_add(self.files.space(found.len));
                    candidates.push(Candidate { dir: of_dir.clone(), key, used: found.modified, is_cleared });
                }
            }
        }
        Ok((candidates, there))
    }

    /// Checks some entries, and removes those whose deadline is before `now`.
    pub(crate) fn remove_expired(&self, now: u64) -> io::Result<()> {
        let Some(mut unchecked) = self.unchecked.try_lock() else { return Ok(()) };
        for _ in 0..CHECKS {
            let Some(path) = unchecked.next().transpose()? else {
                *unchecked = Walk::of(self.files.dirs()?);
                continue;
            };
            let is_over = |header: Header| header.deadline != 0 && header.deadline <= now;
            if let Some(key) = key_of(&path).filter(|_| Header::read(&path).is_some_and(is_over)) {
                self.files.remove(&path)?;
                self.files.meta.outdate_state(key)?;
            }
        }
        Ok(())
    }

    /// Notes an error. The next entry that is stored is the next attempt.
    fn log(&self, result: io::Result<()>) {
        if let Err(error) = result {
            log::debug!(target: "twat_cache", "cannot evict entries in {}: {error}", self.files.path.display());
        }
    }
}

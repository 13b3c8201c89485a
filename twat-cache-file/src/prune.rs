//! Room for new entries: what was used least recently goes.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::entry;
use crate::meta::Meta;
use crate::place::{entries, parts, remove_entry};
use crate::system;

/// Who makes room in a cache, and what it knows of the order in which entries were used.
///
/// All entries are looked at once in a while: each time as much has been stored as there may be, or others have stored more
/// than a little. In between, those go that were the least recently used then, and have not been used since.
#[derive(Debug, Default)]
pub(crate) struct Pruner {
    /// How much, and how many, this process has stored since all entries were looked at, and how much all had by then.
    written: AtomicU64,
    entries: AtomicU64,
    written_before: AtomicU64,
    has_looked: AtomicBool,
    /// Locked by who makes room, I/O included. Nobody waits for it: there is enough for one to do.
    queue: Mutex<Queue>,
    /// What this process has stored since the last look.
    stored: Mutex<Vec<Candidate>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The least recently used first.
    candidates: VecDeque<Candidate>,
}

/// A file that could go.
#[derive(Debug)]
struct Candidate {
    used: u64,
    bytes: u64,
    path: PathBuf,
}

/// More than this are not kept in mind.
const MOST: usize = 1 << 16;
/// To look at all entries is work for at least so many stores: there may be 256 directories of one entry each.
const ROUND: u64 = 256;

impl Pruner {
    /// Notes an entry that has been stored.
    pub(crate) fn note(&self, path: PathBuf, bytes: u64, used: u64) {
        self.written.fetch_add(bytes, Ordering::Relaxed);
        self.entries.fetch_add(1, Ordering::Relaxed);
        let mut stored = self.stored.lock();
        // Before the first look, they need not be known: it finds them.
        if stored.len() < MOST && self.has_looked.load(Ordering::Relaxed) {
            stored.push(Candidate { used, bytes, path });
        }
    }

    /// Whether so much has been stored that all should be counted again: counts can get lost.
    pub(crate) fn is_look_due(&self, limit: u64) -> bool {
        self.written.load(Ordering::Relaxed) > limit && self.entries.load(Ordering::Relaxed) >= ROUND
    }

    /// Removes entries of a cache until the rest is within 9/10 of its limit. What is at `keep` has just been written, and
    /// stays. The caller has the lock that sees to it that only one process does so at a time.
    ///
    /// To look at all entries takes time proportional to their number, and is done once for as many that are stored.
    pub(crate) fn make_room(&self, dir: &Path, meta: &Meta, limit: u64, keep: &Path) -> io::Result<()> {
        let Some(mut queue) = self.queue.try_lock() else { return Ok(()) };
        let mut stored = std::mem::take(&mut *self.stored.lock());
        // What others have stored since is not known here, and would outlive all that is.
        let by_all = meta.written().wrapping_sub(self.written_before.load(Ordering::Relaxed));
        let by_others = by_all.saturating_sub(self.written.load(Ordering::Relaxed));
        let mut is_complete = false;
        if !self.has_looked.load(Ordering::Relaxed) || self.is_look_due(limit) || by_others > limit / 10 {
            self.look_at_all(&mut queue, dir, meta)?;
            is_complete = true;
        } else {
            stored.sort_by_key(|candidate| candidate.used);
            queue.candidates.extend(stored);
        }
        while meta.held()? > limit {
            let is_enough = queue.remove_until(meta, limit / 10 * 9, keep);
            // Who has one of them at hand is to look for it again.
            meta.outdate()?;
            if is_enough || is_complete {
                break;
            }
            // What is there was stored by others.
            self.look_at_all(&mut queue, dir, meta)?;
            is_complete = true;
        }
        queue.candidates.truncate(MOST);
        Ok(())
    }

    fn look_at_all(&self, queue: &mut Queue, dir: &Path, meta: &Meta) -> io::Result<()> {
        self.has_looked.store(true, Ordering::Relaxed);
        self.written.store(0, Ordering::Relaxed);
        self.entries.store(0, Ordering::Relaxed);
        self.written_before.store(meta.written(), Ordering::Relaxed);
        queue.look_at_all(dir, meta)
    }
}

impl Queue {
    fn look_at_all(&mut self, dir: &Path, meta: &Meta) -> io::Result<()> {
        let counted = meta.held()?;
        // What is counted before it gets its name is here until then.
        let tmp = dir.join("tmp");
        let lens = entries(&tmp)?.flatten().filter_map(|file| system::stat_of(&file.path()).ok());
        let being_stored = lens.fold(0_u64, |sum, file| sum.saturating_add(file.len));
        let mut found = Vec::new();
        for part in parts(dir)? {
            // What cannot be looked at cannot be removed either, and the rest has to make up for it.
            let Ok(entries) = entries(&part) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                // It may be gone by now.
                let Ok(stat) = system::stat_of(&path) else { continue };
                if stat.is_own_file() && path.file_name().is_some_and(|name| entry::is_name(&name.to_string_lossy())) {
                    found.push(Candidate { used: stat.modified, bytes: stat.len, path });
                }
            }
        }
        let there = found.iter().fold(0_u64, |sum, candidate| sum.saturating_add(candidate.bytes));
        // What was stored or removed meanwhile may have been found or not. Only what must be wrong is put right.
        meta.correct(counted, there, there.saturating_add(being_stored));
        found.sort_unstable_by_key(|candidate| candidate.used);
        self.candidates = found.into();
        Ok(())
    }

    /// Says whether that was enough.
    fn remove_until(&mut self, meta: &Meta, target: u64, keep: &Path) -> bool {
        // Those that have been used since go to the end, and are not asked again.
        for _ in 0..self.candidates.len() {
            match meta.held() {
                Ok(held) if held > target => {}
                // Nothing is removed for a count that cannot be read.
                _ => return true,
            }
            let Some(mut candidate) = self.candidates.pop_front() else { break };
            let Ok(stat) = system::stat_of(&candidate.path) else { continue };
            if stat.modified != candidate.used || candidate.path == keep {
                (candidate.used, candidate.bytes) = (stat.modified, stat.len);
                self.candidates.push_back(candidate);
                continue;
            }
            // One that cannot be removed is left out.
            let _ = remove_entry(&candidate.path, meta);
        }
        meta.held().is_ok_and(|held| held <= target)
    }
}

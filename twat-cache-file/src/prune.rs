//! Room for new entries: what was used least recently goes.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::meta::Meta;
use crate::place::{entries, parts};
use crate::system;

/// Who makes room in a cache, and what it knows of the order in which entries were used.
///
/// All entries are looked at once in a while: each time as much has been removed as there may be. In between, those go that
/// were the least recently used then, and have not been used since.
#[derive(Debug, Default)]
pub(crate) struct Pruner {
    /// Locked by who makes room, I/O included. Nobody waits for it: there is enough for one to do.
    queue: Mutex<Queue>,
    /// What this process has stored since the last look.
    stored: Mutex<Vec<Candidate>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The least recently used first.
    candidates: VecDeque<Candidate>,
    /// How much, and how many, have been removed since all were looked at; `None` before the first time.
    removed: Option<(u64, u64)>,
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
/// To look at all entries is work for at least so many removals: there may be 256 directories of one entry each.
const ROUND: u64 = 256;

impl Pruner {
    /// Notes an entry that has been stored.
    pub(crate) fn note(&self, path: PathBuf, bytes: u64, used: u64) {
        let mut stored = self.stored.lock();
        if stored.len() < MOST {
            stored.push(Candidate { used, bytes, path });
        }
    }

    /// Removes entries of a cache until the rest is within 9/10 of its limit. What is at `keep` has just been written, and
    /// stays. The caller has the lock that sees to it that only one process does so at a time.
    ///
    /// To look at all entries takes time proportional to their number, and is done once for as many that are stored.
    pub(crate) fn make_room(&self, dir: &Path, meta: &Meta, limit: u64, keep: &Path) -> io::Result<()> {
        let Some(mut queue) = self.queue.try_lock() else { return Ok(()) };
        let mut stored = std::mem::take(&mut *self.stored.lock());
        let has_turned = |(bytes, entries): (u64, u64)| bytes >= limit && entries >= ROUND;
        let mut is_complete = false;
        if queue.removed.is_none_or(has_turned) {
            queue.look_at_all(dir, meta)?;
            is_complete = true;
        } else {
            stored.sort_by_key(|candidate| candidate.used);
            queue.candidates.extend(stored);
        }
        let target = limit / 10 * 9;
        while meta.held() > limit || (is_complete && meta.held() > target) {
            if queue.remove_until(meta, target, keep)? || is_complete {
                break;
            }
            // What is there was stored by others.
            queue.look_at_all(dir, meta)?;
            is_complete = true;
        }
        queue.candidates.truncate(MOST);
        // Who has one of them at hand is to look for it again.
        meta.outdate();
        Ok(())
    }
}

impl Queue {
    fn look_at_all(&mut self, dir: &Path, meta: &Meta) -> io::Result<()> {
        let counted = meta.held();
        let mut found = Vec::new();
        for part in parts(dir)? {
            for path in entries(&part)?.map(|entry| entry.path()) {
                // It may be gone by now.
                let Ok(stat) = system::stat_of(&path) else { continue };
                if !stat.is_dir {
                    found.push(Candidate { used: stat.modified, bytes: stat.len, path });
                }
            }
        }
        let there: u64 = found.iter().map(|candidate| candidate.bytes).sum();
        // What others have added or removed since stays counted.
        if there > counted {
            meta.add(there - counted);
        } else {
            meta.subtract(counted - there);
        }
        found.sort_unstable_by_key(|candidate| candidate.used);
        self.candidates = found.into();
        self.removed = Some((0, 0));
        Ok(())
    }

    /// Says whether that was enough.
    fn remove_until(&mut self, meta: &Meta, target: u64, keep: &Path) -> io::Result<bool> {
        // Those that have been used since go to the end, and are not asked again.
        for _ in 0..self.candidates.len() {
            if meta.held() <= target {
                return Ok(true);
            }
            let Some(mut candidate) = self.candidates.pop_front() else { break };
            let Ok(stat) = system::stat_of(&candidate.path) else { continue };
            if stat.modified != candidate.used || candidate.path == keep {
                (candidate.used, candidate.bytes) = (stat.modified, stat.len);
                self.candidates.push_back(candidate);
                continue;
            }
            if system::remove(&candidate.path)? {
                meta.subtract(stat.len);
                let (bytes, entries) = self.removed.unwrap_or_default();
                self.removed = Some((bytes.saturating_add(stat.len), entries + 1));
            }
        }
        Ok(meta.held() <= target)
    }
}

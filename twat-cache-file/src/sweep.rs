//! Expired entries leave the disk: each that is stored with a deadline looks after some of those that are there.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use twat_cache_core::Expiry;
use twat_cache_core::KeyHash;

use crate::entry;
use crate::place::{Place, entries, remove_entry};

/// Where the sweep has come to.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// What this process has stored, in that order, which is that of deadlines.
    stored: Mutex<VecDeque<(u64, KeyHash)>>,
    /// Where to look next for what others have stored: one of the 256 directories.
    next: AtomicU64,
    /// Entries that were looked at beyond what was due.
    ahead: AtomicU64,
}

/// More than this are not kept in mind.
const MOST: usize = 1 << 16;
/// How many entries are due with each that is stored.
const DUE: u64 = 8;

impl Sweep {
    /// Notes an entry that has been stored, and looks at some others.
    pub(crate) fn go_on(&self, place: &Place, expiry: &Expiry, digest: KeyHash, deadline: u64) {
        let now = expiry.clock.since_1970();
        let mut expired = Vec::new();
        {
            let mut stored = self.stored.lock();
            while expired.len() < 8 && stored.front().is_some_and(|(deadline, _)| *deadline <= now) {
                expired.extend(stored.pop_front().map(|(_, digest)| digest));
            }
            if stored.len() < MOST {
                stored.push_back((deadline, digest));
            }
        }
        for digest in expired {
            // It may have been stored again since.
            log_error(place, sweep(place, &place.path_of(digest), now));
        }
        // Whole directories are looked at, and then none for as long as it takes.
        let less = |ahead: u64| ahead.checked_sub(DUE);
        if self.ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            return;
        }
        let part = self.next.fetch_add(1, Ordering::Relaxed) % 256;
        // To open a directory is as much work as to look at some entries.
        let mut seen = DUE;
        let swept = entries(&place.dir.join(format!("{part:02x}"))).and_then(|mut entries| {
            entries.try_for_each(|entry| {
                seen += 1;
                sweep(place, &entry?.path(), now)
            })
        });
        log_error(place, swept);
        self.ahead.fetch_add(seen, Ordering::Relaxed);
    }
}

/// There is nothing to be done about it here, and the next one may do better.
fn log_error(place: &Place, swept: io::Result<()>) {
    if let Err(error) = swept {
        log::debug!(target: "twat_cache", "cannot sweep {}: {error}", place.dir.display());
    }
}

/// Removes an entry if it has expired.
fn sweep(place: &Place, path: &Path, now: u64) -> io::Result<()> {
    if entry::header_in(path).is_some_and(|header| header.deadline != 0 && header.deadline <= now) {
        remove_entry(path, &place.meta)?;
        place.meta.outdate()?;
    }
    Ok(())
}

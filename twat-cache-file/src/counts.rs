//! How many bytes the entries of a cache have, counted by all processes together.

use std::io;

use twat_cache_core::Clock;
use twat_cache_core::among::meta::Meta;

/// More bytes than any cache has: the number of bytes is not known, and has to be counted.
pub(crate) const UNKNOWN: u64 = 1 << 62;

/// What a new `meta` has: how many bytes all entries have together, how many were ever written, and a time in nanoseconds
/// since 1970. An entry that was used since then was used recently.
pub(crate) const NEW: [u64; 4] = [UNKNOWN, 0, 0, 0];

const COUNTS: usize = 0;
const RECENT: usize = 2;

/// The counts of a cache, in its `meta`.
pub(crate) trait Counts {
    /// An entry that was last used before this time is marked when it is used again.
    fn recent(&self) -> u64;

    /// How many bytes all entries have together, and how many were ever written.
    fn counts(&self) -> io::Result<[u64; 2]>;

    /// How many bytes all entries have together.
    fn held(&self) -> io::Result<u64>;

    /// Counts an entry before it is stored, and returns how many bytes there are then. Each time `part` bytes were written,
    /// entries that were last used before are not recent any more.
    fn add(&self, bytes: u64, part: u64) -> u64;

    /// Returns how many bytes there are then.
    fn subtract(&self, bytes: u64) -> u64;

    /// Corrects the count. The counts were `before` when somebody began to look, and found that at least and at most this many
    /// bytes are there. What was added or subtracted meanwhile may have been found or not, so only a count that must be wrong
    /// is changed.
    fn correct(&self, before: [u64; 2], least: u64, most: u64);
}

impl Counts for Meta {
    #[inline]
    fn recent(&self) -> u64 {
        self.own(RECENT).unwrap_or(0)
    }

    fn counts(&self) -> io::Result<[u64; 2]> {
        self.own_pair(COUNTS)
    }

    fn held(&self) -> io::Result<u64> {
        self.counts().map(|[held, _]| held)
    }

    fn add(&self, bytes: u64, part: u64) -> u64 {
        let part = part.max(1);
        let mut is_due = false;
        let held = change(self, |[held, written]| {
            let now = written.wrapping_add(bytes);
            is_due = written / part != now / part;
            [held.saturating_add(bytes), now]
        });
        if is_due {
            // If this fails, an entry is marked once more or once less.
            let _ = self.set_own(RECENT, Clock::system().since_1970());
        }
        held
    }

    fn subtract(&self, bytes: u64) -> u64 {
        change(self, |[held, written]| [held.saturating_sub(bytes), written])
    }

    fn correct(&self, before: [u64; 2], least: u64, most: u64) {
        change(self, |[held, written]| {
            let added = written.wrapping_sub(before[1]);
            let missing = least.saturating_sub(before[0].saturating_add(added));
            let excess = held.saturating_sub(added).saturating_sub(most);
            [held.saturating_add(missing).saturating_sub(excess), written]
        });
    }
}

/// Changes both counts, and returns the first. A change that fails is found when all entries are counted.
fn change(meta: &Meta, to: impl FnOnce([u64; 2]) -> [u64; 2]) -> u64 {
    meta.change_own(COUNTS, to).map_or(0, |[held, _]| held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_corrected_if_it_must_be_wrong_whatever_happens_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let meta = Meta::open(dir.path(), "meta", None, NEW).unwrap().0;
        let held = || meta.held().unwrap();
        // Nothing is known at first.
        let before = meta.counts().unwrap();
        meta.add(5, 1);
        meta.correct(before, 100, 100);
        assert_eq!(held(), 105, "what was added may not have been found");
        for wrong in [50, 150] {
            change(&meta, |[_, written]| [wrong, written]);
            meta.correct(meta.counts().unwrap(), 100, 100);
            assert_eq!(held(), 100);
        }
        // Entries may be found before they are removed, and before or after they are added.
        let before = meta.counts().unwrap();
        meta.add(30, 1);
        meta.subtract(40);
        for found in [60, 90, 130] {
            meta.correct(before, found, found);
            assert_eq!(held(), 90, "{found}");
        }
        meta.correct(before, 140, 140);
        assert_eq!(held(), 100, "there were ten more at first");
        meta.correct(before, 50, 50);
        assert_eq!(held(), 80, "there were too few at first");
    }
}

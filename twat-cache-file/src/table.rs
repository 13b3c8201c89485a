//! Entries that are kept open, so that they are validated once and found again as fast as in memory.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use rkyv::Archive;
use twat_cache_core::KeyHash;

use crate::system::{self, Stat};
use crate::view::View;

/// An entry at hand.
pub(crate) struct Open<V: Archive> {
    pub(crate) view: View<V>,
    pub(crate) deadline: u64,
    /// The file, of a large entry. It is held, so no other can have the same identity.
    pub(crate) file: Option<File>,
    pub(crate) stat: Stat,
    /// The generation in which it was last found to be there.
    pub(crate) generation: AtomicU64,
    /// When it was last used, as far as the file's time says.
    pub(crate) used: AtomicU64,
    checked: AtomicU64,
}

/// How long a file that was just looked at counts as unchanged, in nanoseconds: less than it takes to change it.
const AT_ONCE: u64 = 5_000;

/// Nanoseconds on a clock of this process.
#[inline]
pub(crate) fn moment() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// When something was last checked that need not be checked at every turn.
#[derive(Debug, Default)]
pub(crate) struct Checked(AtomicU64);

impl Checked {
    /// Whether it is time for a look, which the caller then takes.
    #[inline]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        let due = now.wrapping_sub(self.0.load(Ordering::Relaxed)) > AT_ONCE;
        if due {
            self.0.store(now, Ordering::Relaxed);
        }
        due
    }

    /// It was not as it should be: whoever comes next is to look, too.
    pub(crate) fn make_due(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl<V: Archive> Open<V> {
    pub(crate) fn new(view: View<V>, deadline: u64, file: Option<File>, stat: Stat, generation: u64) -> Self {
        let (generation, used, checked) = (generation.into(), stat.modified.into(), moment().into());
        Self { view, deadline, file, stat, generation, used, checked }
    }

    /// Whether what is mapped can still be looked at. A copy always can.
    #[inline]
    pub(crate) fn is_whole(&self, now: u64) -> bool {
        if !self.view.is_mapped() || now.wrapping_sub(self.checked.load(Ordering::Relaxed)) <= AT_ONCE {
            return true;
        }
        self.checked.store(now, Ordering::Relaxed);
        self.look()
    }

    /// Looks at the file: it must be as long as it was, nobody else's to change, and still have its name.
    #[cold]
    pub(crate) fn look(&self) -> bool {
        let is_same = |file: Stat| {
            file.len == self.stat.len && file.links > 0 && file.mode == self.stat.mode && file.owner == self.stat.owner
        };
        self.file.as_ref().is_some_and(|file| system::stat(file).is_ok_and(is_same))
    }
}

impl<V: Archive> Open<V> {
    /// Whether it is what is on disk at this path. A small copy has no file to tell by, and is read again.
    pub(crate) fn is_still_at(&self, path: &Path) -> bool {
        let is_it = || system::stat_of(path).is_ok_and(|found| found.identity == self.stat.identity);
        self.file.is_some() && self.look() && is_it()
    }
}

/// Bytes of the table that an entry counts for.
#[derive(Clone)]
struct Weight;

/// A mapped entry takes no memory of its own, but a file handle and a place in the address space.
const MAPPED: u64 = 512 << 10;
/// Of copies, or half a thousandth of that many maps.
const CAPACITY: u64 = 64 << 20;

impl<V: Archive> Weighter<KeyHash, Arc<Open<V>>> for Weight {
    fn weight(&self, _: &KeyHash, open: &Arc<Open<V>>) -> u64 {
        // Besides the value: the header, and what the table itself needs.
        if open.view.is_mapped() { MAPPED } else { open.view.as_bytes().len() as u64 + 256 }
    }
}

/// The entries at hand: up to 64 MiB of copies, or 128 maps, those that are used most.
pub(crate) struct Table<V: Archive>(Cache<KeyHash, Arc<Open<V>>, Weight>);

impl<V: Archive> Table<V> {
    pub(crate) fn new() -> Self {
        let options = OptionsBuilder::new().weight_capacity(CAPACITY).estimated_items_capacity(4096).shards(4).build();
        let options = options.unwrap_or_else(|_| unreachable!("both capacities are given"));
        Self(Cache::with_options(
            options,
            Weight,
            quick_cache::DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        ))
    }

    #[inline]
    pub(crate) fn get(&self, digest: KeyHash) -> Option<Arc<Open<V>>> {
        self.0.get(&digest)
    }

    pub(crate) fn insert(&self, digest: KeyHash, open: Arc<Open<V>>) {
        self.0.insert(digest, open);
    }

    pub(crate) fn remove(&self, digest: KeyHash) {
        self.0.remove(&digest);
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

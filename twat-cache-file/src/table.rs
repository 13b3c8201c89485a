//! Entries that are kept open, so that they are validated once and found again as fast as in memory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use rkyv::Archive;
use twat_cache_core::KeyHash;

use crate::entry::{self, Header};
use crate::system::{self, Stat};
use crate::view::View;

/// An entry at hand.
pub(crate) struct Open<V: Archive> {
    pub(crate) view: View<V>,
    pub(crate) header: Header,
    /// The file, of a mapped entry, as long as there are not too many.
    file: Option<Handle>,
    stat: Stat,
    /// The generation in which it was last found to be there.
    pub(crate) generation: AtomicU64,
    /// When it was last used, as far as the file's time says.
    pub(crate) used: AtomicU64,
    looked: LastLook,
}

/// How long a file that was just looked at counts as unchanged, in nanoseconds: about as long as it takes to open and
/// change it.
pub(crate) const AT_ONCE: u64 = 5_000;

/// Nanoseconds on a clock of this process.
#[inline]
pub(crate) fn moment() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// When something was last checked that need not be checked at every turn.
#[derive(Debug, Default)]
pub(crate) struct LastLook(AtomicU64);

impl LastLook {
    /// Whether it is time for a look, which the caller then takes.
    #[inline]
    pub(crate) fn is_due(&self, now: u64, interval: u64) -> bool {
        let due = now.wrapping_sub(self.0.load(Ordering::Relaxed)) > interval;
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
    pub(crate) fn new(view: View<V>, header: Header, file: Option<File>, stat: Stat, generation: u64) -> Self {
        let file = file.and_then(Handle::new);
        let (generation, used, looked) = (generation.into(), stat.modified.into(), LastLook(moment().into()));
        Self { view, header, file, stat, generation, used, looked }
    }

    /// Whether what is mapped can still be looked at. A copy always can.
    #[inline]
    pub(crate) fn is_whole(&self, now: u64, path: impl FnOnce() -> PathBuf) -> bool {
        !self.view.is_mapped() || !self.looked.is_due(now, AT_ONCE) || self.look(path)
    }

    /// Looks at the file: it must be as long as it was, nobody else's to change, and still have its name.
    #[cold]
    pub(crate) fn look(&self, path: impl FnOnce() -> PathBuf) -> bool {
        let found = self.file.as_ref().map_or_else(|| system::stat_of(&path()), |handle| system::stat(&handle.0));
        found.is_ok_and(|file| self.is_same(&file) && file.links > 0)
    }

    fn is_same(&self, file: &Stat) -> bool {
        let is_as_it_was = file.identity == self.stat.identity && file.len == self.stat.len;
        is_as_it_was && file.mode == self.stat.mode && file.owner == self.stat.owner
    }

    /// Whether it is what is on disk at this path.
    ///
    /// A mapping keeps its file from being another's. But the one that a copy was made of may be gone, and its successor have
    /// the same number and time; what is in it has another checksum.
    pub(crate) fn is_still_at(&self, path: &Path) -> bool {
        if self.view.is_mapped() {
            return system::stat_of(path).is_ok_and(|found| self.is_same(&found));
        }
        entry::header_in(path) == Some(self.header)
    }
}

/// An open file, of which there are not too many in this process.
struct Handle(File);

static HANDLES: AtomicU64 = AtomicU64::new(0);

impl Handle {
    /// `None` if there are too many.
    fn new(file: File) -> Option<Self> {
        static MOST: LazyLock<u64> = LazyLock::new(|| (system::most_handles() / 8).min(128));
        if HANDLES.fetch_add(1, Ordering::Relaxed) < *MOST {
            return Some(Self(file));
        }
        HANDLES.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        HANDLES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes of the table that an entry counts for.
#[derive(Clone)]
struct Weight;

/// A mapped entry takes no memory of its own, but a place in the address space and in the kernel's list of them.
const MAPPED: u64 = 512 << 10;
/// Of copies, or 128 maps.
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
        // One shard, so that one copy may take all of it.
        let options = OptionsBuilder::new().weight_capacity(CAPACITY).estimated_items_capacity(4096).shards(1).build();
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

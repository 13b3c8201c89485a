//! Entries that are open. They are validated once, and a hit on them is as fast as in memory.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use twat_cache_core::KeyHash;
use twat_cache_core::among::last_check::{AT_ONCE, LastCheck};
use twat_cache_core::among::system::{self, Stat};

use crate::entry::Header;
use crate::read::Loaded;

/// The open entries of a store: at most 64 MiB of copies or 128 maps, those that are used most.
pub(crate) type Table<E> = Cache<KeyHash, Arc<Open<E>>, Weight>;

pub(crate) fn new<E>() -> Table<E> {
    // One shard, so that one copy may take all of it.
    let options = OptionsBuilder::new().weight_capacity(CAPACITY).estimated_items_capacity(4096).shards(1).build();
    let options = options.unwrap_or_else(|_| unreachable!("both capacities are given"));
    Cache::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

/// How many bytes of the table an entry counts for.
#[derive(Clone)]
pub(crate) struct Weight;

const CAPACITY: u64 = 64 << 20;
/// A mapped entry takes no memory, but room in the address space and in the kernel's list of maps.
const MAPPED: u64 = CAPACITY / 128;

impl<E> Weighter<KeyHash, Arc<Open<E>>> for Weight {
    fn weight(&self, _: &KeyHash, open: &Arc<Open<E>>) -> u64 {
        // Besides the value, the header and what the table itself needs.
        if open.is_mapped { MAPPED } else { open.header.length + 256 }
    }
}

/// Each file of an open entry has a clone of this, so that they can be counted.
static OPEN: LazyLock<Arc<()>> = LazyLock::new(Arc::default);
/// How many there may be, so that some are left for the program.
static MOST_OPEN: LazyLock<usize> = LazyLock::new(|| (system::most_handles() / 8).min(128));

/// An open entry.
pub(crate) struct Open<E> {
    pub(crate) entry: E,
    pub(crate) header: Header,
    is_mapped: bool,
    /// The file of a mapped entry, unless too many are open.
    file: Option<(File, Arc<()>)>,
    stat: Stat,
    /// The generation of its stripe when it was last looked up.
    pub(crate) generation: AtomicU64,
    /// When it was last used, as its file says.
    pub(crate) used: AtomicU64,
    checked: LastCheck,
}

impl<E> Open<E> {
    pub(crate) fn new((entry, header, file, stat): Loaded<E>, generation: u64) -> Self {
        let is_mapped = file.is_some();
        let file = file.filter(|_| Arc::strong_count(&OPEN) <= *MOST_OPEN).map(|file| (file, OPEN.clone()));
        let (generation, used, checked) = (generation.into(), stat.modified.into(), LastCheck::default());
        Self { entry, header, is_mapped, file, stat, generation, used, checked }
    }

    /// Whether the entry can be read. A copy always can.
    #[inline]
    pub(crate) fn is_whole(&self, now: u64, path: impl FnOnce() -> PathBuf) -> bool {
        !self.is_mapped || self.checked.passes(now, AT_ONCE, || self.check(path))
    }

    /// Whether the file of a mapped entry has its length and a name, and nobody else can change it.
    #[cold]
    pub(crate) fn check(&self, path: impl FnOnce() -> PathBuf) -> bool {
        let found = self.file.as_ref().map_or_else(|| system::stat_of(&path()), |(file, _)| system::stat(file));
        found.is_ok_and(|file| self.is_same(&file) && file.links > 0)
    }

    /// Whether the file has not changed since.
    pub(crate) fn is_same(&self, file: &Stat) -> bool {
        let is_unchanged = file.identity == self.stat.identity && file.len == self.stat.len;
        is_unchanged && file.mode == self.stat.mode && file.owner == self.stat.owner
    }

    /// Whether it is the entry at this path.
    ///
    /// While a file is mapped, no other file gets its number. But the file that a copy was made of may be gone, and its
    /// successor may have the same number and time. Its content has another checksum.
    pub(crate) fn is_still_at(&self, path: &Path) -> bool {
        if self.is_mapped {
            return system::stat_of(path).is_ok_and(|found| self.is_same(&found));
        }
        Header::read(path) == Some(self.header)
    }
}

//! The wrappers, as one type.

use std::path::Path;

use twat_cache::disk::DiskStore;
use twat_cache::store::KeyedStore;
use twat_cache::{Backend, Error, Memo, bcache, fcache, mcache, ucache};

/// The wrappers under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Disk,
    File,
    Unified,
    UnifiedFiles,
}

pub(crate) type Function = Box<dyn Fn(&u64) -> Vec<u64> + Send + Sync>;

const NAME: &str = "numbers";
/// What the wrappers have by default.
pub(crate) const ROOM: u64 = 1 << 30;

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Memory, Self::Disk, Self::File, Self::Unified, Self::UnifiedFiles];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "mcache",
            Self::Disk => "bcache",
            Self::File => "fcache",
            Self::Unified => "ucache",
            Self::UnifiedFiles => "ucache, files",
        }
    }

    /// Whether its results are in a database, which one process at a time can use.
    pub(crate) fn has_database(self) -> bool {
        matches!(self, Self::Disk | Self::Unified)
    }

    pub(crate) fn open(self, dir: &Path, max_bytes: u64, function: Function) -> Box<dyn Wrapper> {
        match self {
            Self::Memory => Box::new(Cached {
                // It is limited by entries: some of 4 KB.
                memo: mcache().max_entries(usize::try_from(max_bytes >> 12).unwrap()).wrap(function),
                is_kept: |store, key| store.get(key).is_ok_and(|found| found.is_some()),
                each_entry: |_, _| (),
            }),
            Self::Disk => Box::new(Cached {
                memo: bcache(NAME).dir(dir).max_bytes(max_bytes).wrap(function),
                is_kept: |store, key| store.primary().get(key).is_ok_and(|found| found.is_some()),
                each_entry: |store, change| change_entries(store.primary(), change),
            }),
            Self::File => Box::new(Cached {
                memo: fcache(NAME).dir(dir).max_bytes(max_bytes).wrap(function),
                is_kept: |store, key| store.primary().get(key).is_ok_and(|found| found.is_some()),
                each_entry: |_, _| (),
            }),
            Self::Unified | Self::UnifiedFiles => Box::new(Cached {
                memo: ucache(NAME).dir(dir).max_bytes(max_bytes).backend(self.backend()).wrap(function),
                is_kept: |store, key| {
                    let on_disk = store.disk().and_then(|disk| disk.get(key).ok().flatten());
                    let in_files = || store.file().and_then(|file| file.get(key).ok().flatten());
                    on_disk.or_else(in_files).is_some()
                },
                each_entry: |store, change| {
                    if let Some(disk) = store.disk() {
                        change_entries(disk, change);
                    }
                },
            }),
        }
    }

    fn backend(self) -> Backend {
        if self == Self::UnifiedFiles { Backend::File } else { Backend::Auto }
    }

    /// Whether its backend can be opened now.
    pub(crate) fn can_open(self, dir: &Path) -> bool {
        match self {
            Self::Memory => true,
            Self::Disk => bcache(NAME).dir(dir).open::<Vec<u64>>().is_ok(),
            Self::File => fcache(NAME).dir(dir).open::<Vec<u64>>().is_ok(),
            Self::Unified | Self::UnifiedFiles => {
                let best = if self == Self::Unified { Backend::Disk } else { Backend::File };
                let opened = ucache(NAME).dir(dir).backend(self.backend()).open::<u64, Vec<u64>>();
                opened.is_ok_and(|store| store.backend() == best)
            }
        }
    }
}

/// Changes the bytes of an entry in the database.
type Change = fn(&mut [u8]);

/// A wrapped function, whatever it is wrapped in.
pub(crate) trait Wrapper: Send + Sync {
    fn call(&self, key: u64) -> Vec<u64>;
    fn refresh(&self, key: u64) -> Vec<u64>;
    fn peek(&self, key: u64) -> Result<Option<Vec<u64>>, Error>;
    fn forget(&self, key: u64) -> Result<bool, Error>;
    fn clear(&self) -> Result<(), Error>;
    /// Whether the next process will find the entry. For a wrapper that has only memory: whether it is in memory.
    fn is_kept(&self, key: u64) -> bool;
    /// Changes what is in the database, behind the wrapper's back.
    fn change_entries(&self, change: Change);
}

struct Cached<S> {
    memo: Memo<S, Function>,
    is_kept: fn(&S, &u64) -> bool,
    each_entry: fn(&S, Change),
}

impl<S: KeyedStore<u64, Value = Vec<u64>>> Wrapper for Cached<S> {
    fn call(&self, key: u64) -> Vec<u64> {
        self.memo.call(&key)
    }

    fn refresh(&self, key: u64) -> Vec<u64> {
        self.memo.refresh(&key)
    }

    fn peek(&self, key: u64) -> Result<Option<Vec<u64>>, Error> {
        self.memo.peek(&key)
    }

    fn forget(&self, key: u64) -> Result<bool, Error> {
        self.memo.forget(&key)
    }

    fn clear(&self) -> Result<(), Error> {
        self.memo.clear()
    }

    fn is_kept(&self, key: u64) -> bool {
        (self.is_kept)(self.memo.store(), &key)
    }

    fn change_entries(&self, change: Change) {
        (self.each_entry)(self.memo.store(), change);
    }
}

/// Entries have keys of 24 bytes; what is kept beside them has others. Afterwards they are in a table, and not in the
/// journal alone.
fn change_entries(store: &DiskStore<Vec<u64>>, change: Change) {
    let keyspace = store.keyspace().unwrap();
    for entry in keyspace.iter().map(|entry| entry.into_inner().unwrap()).collect::<Vec<_>>() {
        let (key, mut bytes) = (entry.0, entry.1.to_vec());
        if key.len() == 24 {
            change(&mut bytes);
            keyspace.insert(key, bytes).unwrap();
        }
    }
    keyspace.rotate_memtable_and_wait().unwrap();
}

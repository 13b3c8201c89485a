//! The wrappers, as one type.

use std::path::Path;
use std::time::Duration;

use twat_cache::disk::DiskStore;
use twat_cache::shared::SharedStore;
use twat_cache::shared::rusqlite::Connection;
use twat_cache::store::KeyedStore;
use twat_cache::{Backend, Clock, Error, Memo, bcache, fcache, mcache, scache, ucache};

/// The wrappers under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Disk,
    Shared,
    File,
    Unified,
    UnifiedDisk,
    UnifiedFiles,
}

pub(crate) type Function = Box<dyn Fn(&u64) -> Vec<u64> + Send + Sync>;

/// How much a wrapper stores, and for how long.
#[derive(Clone)]
pub(crate) struct Limits {
    pub(crate) max_bytes: u64,
    pub(crate) ttl: Duration,
    pub(crate) clock: Clock,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: ROOM, ttl: Duration::MAX, clock: Clock::default() }
    }
}

const NAME: &str = "numbers";
/// What the wrappers have by default.
pub(crate) const ROOM: u64 = 1 << 30;

impl Kind {
    pub(crate) const ALL: [Self; 7] =
        [Self::Memory, Self::Disk, Self::Shared, Self::File, Self::Unified, Self::UnifiedDisk, Self::UnifiedFiles];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "mcache",
            Self::Disk => "bcache",
            Self::Shared => "scache",
            Self::File => "fcache",
            Self::Unified => "ucache",
            Self::UnifiedDisk => "ucache, database",
            Self::UnifiedFiles => "ucache, files",
        }
    }

    /// Whether its results are in a database that one process at a time can use.
    pub(crate) fn is_of_one_process(self) -> bool {
        matches!(self, Self::Disk | Self::UnifiedDisk)
    }

    /// Whether its results are in a database that processes share.
    pub(crate) fn is_in_shared_database(self) -> bool {
        matches!(self, Self::Shared | Self::Unified)
    }

    pub(crate) fn has_database(self) -> bool {
        self.is_of_one_process() || self.is_in_shared_database()
    }

    /// Whether it reads this file as memory, without a look at its length.
    pub(crate) fn maps(self, path: &Path) -> bool {
        let is_checked = !matches!(self, Self::Unified | Self::UnifiedFiles);
        path.ends_with("entries-1.db-shm") || !is_checked && (path.ends_with("meta") || path.ends_with("meta-1"))
    }

    /// Whether a database in this directory was taken for damaged, and replaced.
    pub(crate) fn has_replaced(dir: &Path) -> bool {
        ["bcache.corrupt", "scache/2"].iter().any(|place| dir.join(place).exists())
    }

    pub(crate) fn open(self, dir: &Path, limits: Limits, function: Function) -> Box<dyn Wrapper> {
        let Limits { max_bytes, ttl, clock } = limits;
        match self {
            Self::Memory => Box::new(Cached {
                // It is limited by entries: some of 4 KB.
                memo: mcache()
                    .max_entries(usize::try_from(max_bytes >> 12).unwrap())
                    .ttl(ttl)
                    .clock(clock)
                    .wrap(function),
                is_kept: |store, key| store.get(key).is_ok_and(|found| found.is_some()),
                each_entry: |_, _| (),
            }),
            Self::Disk => Box::new(Cached {
                memo: bcache(NAME).dir(dir).max_bytes(max_bytes).ttl(ttl).clock(clock).wrap(function),
                is_kept: |store, key| is_in(store.primary(), *key),
                each_entry: |store, change| change_on_disk(store.primary(), change),
            }),
            Self::Shared => Box::new(Cached {
                memo: scache(NAME).dir(dir).max_bytes(max_bytes).ttl(ttl).clock(clock).wrap(function),
                is_kept: |store, key| is_in(store.primary(), *key),
                each_entry: |store, change| change_in_shared(store.primary(), change),
            }),
            Self::File => Box::new(Cached {
                memo: fcache(NAME).dir(dir).max_bytes(max_bytes).ttl(ttl).clock(clock).wrap(function),
                is_kept: |store, key| is_in(store.primary(), *key),
                each_entry: |_, _| (),
            }),
            Self::Unified | Self::UnifiedDisk | Self::UnifiedFiles => Box::new(Cached {
                memo: ucache(NAME)
                    .dir(dir)
                    .max_bytes(max_bytes)
                    .ttl(ttl)
                    .clock(clock)
                    .backend(self.backend())
                    .wrap(function),
                is_kept: |store, key| {
                    store.shared().is_some_and(|shared| is_in(shared, *key))
                        || store.disk().is_some_and(|disk| is_in(disk, *key))
                        || store.file().is_some_and(|file| is_in(file, *key))
                },
                each_entry: |store, change| {
                    store.disk().into_iter().for_each(|disk| change_on_disk(disk, change));
                    store.shared().into_iter().for_each(|shared| change_in_shared(shared, change));
                },
            }),
        }
    }

    fn backend(self) -> Backend {
        match self {
            Self::UnifiedDisk => Backend::Disk,
            Self::UnifiedFiles => Backend::File,
            _ => Backend::Auto,
        }
    }

    /// Whether its backend can be opened now.
    pub(crate) fn can_open(self, dir: &Path) -> bool {
        match self {
            Self::Memory => true,
            Self::Disk => bcache(NAME).dir(dir).open::<Vec<u64>>().is_ok(),
            Self::Shared => scache(NAME).dir(dir).open::<Vec<u64>>().is_ok(),
            Self::File => fcache(NAME).dir(dir).open::<Vec<u64>>().is_ok(),
            Self::Unified | Self::UnifiedDisk | Self::UnifiedFiles => {
                ucache(NAME).dir(dir).backend(self.backend()).open::<u64, Vec<u64>>().is_ok()
            }
        }
    }
}

fn is_in(store: &impl KeyedStore<u64, Value = Vec<u64>>, key: u64) -> bool {
    store.get(&key).is_ok_and(|found| found.is_some())
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
fn change_on_disk(store: &DiskStore<Vec<u64>>, change: Change) {
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

/// Afterwards they are in the database itself, and not in its log alone.
fn change_in_shared(store: &SharedStore<Vec<u64>>, change: Change) {
    let change_all = |connection: &Connection| {
        let mut find = connection.prepare("SELECT id, value FROM entry")?;
        let entries = find.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        for (id, mut bytes) in entries.collect::<Result<Vec<_>, _>>()? {
            change(&mut bytes);
            connection.execute("UPDATE entry SET value = ?1 WHERE id = ?2", (bytes, id))?;
        }
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    };
    store.with_connection(change_all).unwrap().unwrap();
}

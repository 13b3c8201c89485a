//! The databases that both benches measure: ours, and the bare engine with the same options.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use rkyv::rancor;
use rkyv::util::AlignedVec;
use tempfile::TempDir;
use twat_cache_benches::sample;
use twat_cache_disk::fjall::{Keyspace, Slice};
use twat_cache_disk::{DiskStore, bcache};

/// How many entries a database has when hits are measured.
pub(crate) const ENTRIES: usize = 100_000;

/// Makes a directory on the disk that is measured.
pub(crate) fn directory() -> TempDir {
    let parent = std::env::var_os("TWAT_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    std::fs::create_dir_all(&parent).and_then(|()| TempDir::new_in(&parent)).expect("the target directory is writable")
}

/// A store that is large enough for all entries of a bench.
pub(crate) fn store(dir: &TempDir) -> DiskStore<String> {
    bcache("bench").dir(dir.path()).max_bytes(8 << 30).open().expect("no other process has it open")
}

/// Waits until the engine has flushed its memtables and compacted its tables.
pub(crate) fn wait_for_compaction(store: &DiskStore<String>) {
    let (database, keyspace) = (store.database().expect("it is open"), store.keyspace().expect("it is open"));
    keyspace.rotate_memtable_and_wait().expect("it is open");
    let mut quiet = 0;
    while quiet < 10 {
        sleep(Duration::from_millis(30));
        let busy =
            database.active_compactions() + database.outstanding_flushes() + keyspace.sealed_memtable_count() > 0;
        quiet = if busy { 0 } else { quiet + 1 };
    }
}

/// The bare engine, used by hand: the value is the bytes that rkyv writes.
pub(crate) struct Bare {
    key: fn(u64) -> Slice,
    keyspace: Keyspace,
    /// Keeps the database open. The store has no entries of its own; the bench uses its keyspace, which has the same
    /// options.
    store: DiskStore<String>,
}

impl Bare {
    pub(crate) fn filled(dir: &TempDir, key: fn(u64) -> Slice, keys: &[u64], length: usize) -> Self {
        let store = store(dir);
        let bare = Self { key, keyspace: store.keyspace().expect("it is open"), store };
        for key in keys {
            bare.insert(*key, &sample::text(*key, length));
        }
        wait_for_compaction(&bare.store);
        bare
    }

    pub(crate) fn get(&self, key: u64) -> Option<String> {
        let found = self.keyspace.get((self.key)(key)).expect("it is open")?;
        // rkyv needs aligned bytes, and the engine does not align them.
        let mut aligned = AlignedVec::<16>::with_capacity(found.len());
        aligned.extend_from_slice(&found);
        Some(rkyv::from_bytes::<_, rancor::Error>(&aligned).expect("it is as it was written"))
    }

    pub(crate) fn insert(&self, key: u64, value: &String) {
        let bytes = rkyv::to_bytes::<rancor::Error>(value).expect("it is a text");
        self.keyspace.insert((self.key)(key), bytes.as_slice()).expect("it is open");
    }
}

/// The number itself: the shortest possible key.
pub(crate) fn short(key: u64) -> Slice {
    key.to_be_bytes().into()
}

/// A key as long as ours. Our keys consist of a digest of the arguments and the number of the cache.
pub(crate) fn long(key: u64) -> Slice {
    let words = [sample::scatter(key), key, 1].map(u64::to_be_bytes);
    words.as_flattened().into()
}

//! The cache that most of these tests use: vectors of numbers, under the name "numbers"; and what its files are.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod varied;

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use twat_cache_core::among::lock::FileLock;
use twat_cache_core::among::system::block_size;
use twat_cache_core::testing::persistent::Persistent;
use twat_cache_core::testing::{Counted, Counter, counted, record_logs, text, volatile_dir};
use twat_cache_file::{Error, FileBuilder, FileFallback, FileStore, KeyedStore, Memo, Store, fcache};

pub type Numbers = Memo<FileFallback<Vec<u64>>, Counted<Vec<u64>>>;

/// 8 KB for most keys, which are read; 320 KB for those that are divisible by 8, which are mapped.
pub fn value(key: u64) -> Vec<u64> {
    vec![key; if key.is_multiple_of(8) { 40_000 } else { 1000 }]
}

/// 800 bytes for odd keys, which are read; 160 KB for even ones, which are mapped.
pub fn text_of(key: u64) -> String {
    text(key, if key.is_multiple_of(2) { 20_000 } else { 100 })
}

/// A memo, and the counter of its computations.
pub fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    memo_of(fcache("numbers").dir(dir), value)
}

pub fn memo_of(builder: FileBuilder, function: fn(u64) -> Vec<u64>) -> (Numbers, Arc<Counter>) {
    record_logs();
    let (function, computed) = counted(function);
    (builder.wrap(function), computed)
}

/// Calls and views.
pub fn call_all(memo: &Numbers, keys: Range<u64>) {
    for key in keys {
        assert_eq!(memo.call(&key), value(key));
        assert_eq!(&memo.view(&key)[..], &value(key)[..]);
    }
}

/// How many of these are computed by a new memo.
pub fn computed_anew(dir: &Path, keys: Range<u64>) -> usize {
    let (memo, computed) = memo(dir);
    call_all(&memo, keys);
    computed.get()
}

/// How many of these are on disk.
pub fn on_disk(memo: &Numbers, keys: Range<u64>) -> u64 {
    keys.filter(|key| memo.store().primary().get(key).ok().flatten().is_some()).count() as u64
}

/// Whether a file of this name has an entry in it.
pub fn is_entry(path: &Path) -> bool {
    path.file_name().unwrap().len() == 32
}

/// How much space a file of this length takes in a directory.
pub fn space(dir: &Path, len: u64) -> u64 {
    len.next_multiple_of(block_size(dir))
}

/// How many entries there are below a directory, and how much space they take.
pub fn entries_below(dir: &Path) -> (usize, u64) {
    let mut found = (0, 0);
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        let more = match metadata.is_dir() {
            true => entries_below(&entry.path()),
            false if is_entry(&entry.path()) => (1, space(dir, metadata.len())),
            false => (0, 0),
        };
        found = (found.0 + more.0, found.1 + more.1);
    }
    found
}

/// Waits until nobody removes entries of the cache in this directory in the background.
pub fn settle(cache: &Path) {
    while cache.join("lock/room").exists() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// How much space all entries of the cache in this directory take, as the processes count it.
pub fn held(cache: &Path) -> u64 {
    u64::from_le_bytes(fs::read(cache.join("meta")).unwrap()[32..40].try_into().unwrap())
}

/// The lock of the process that removes entries in the background, which nobody else can be until this is dropped.
pub fn hold(cache: &Path) -> impl Drop {
    fs::create_dir_all(cache.join("lock")).unwrap();
    settle(cache);
    FileLock::try_take(&cache.join("lock/room")).unwrap().unwrap()
}

/// A store that waits for the background after it has stored something, so that its limit holds.
pub struct Settled(pub FileStore<String>);

impl Store for Settled {
    type Value = String;

    twat_cache_core::__forward_0_1!(Store, |this| this.0);
}

impl KeyedStore<u64> for Settled {
    fn get(&self, key: &u64) -> Result<Option<String>, Error> {
        self.0.get(key)
    }

    fn insert(&self, key: &u64, value: &String) -> Result<(), Error> {
        let inserted = self.0.insert(key, value);
        settle(self.0.path());
        inserted
    }

    fn remove(&self, key: &u64) -> Result<bool, Error> {
        self.0.remove(key)
    }
}

/// What tests of limits store. Each entry takes one block.
pub fn blocks() -> Persistent<Settled> {
    let dir = volatile_dir();
    let open = |options| FileBuilder::from(options).open().map(Settled);
    let of_text = Persistent { open, overhead: 0 };
    // The header, and what rkyv adds to a string.
    Persistent { overhead: space(dir.path(), of_text.entry() + 72) - of_text.entry(), ..of_text }
}

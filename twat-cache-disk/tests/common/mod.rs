//! The cache that most of these tests use: vectors of numbers, under the name "numbers".
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twat_cache_core::testing::{Counted, Counter, counted, record_logs, until};
use twat_cache_disk::{DiskFallback, DiskStore, KeyedStore as _, Memo, bcache};

pub type Numbers = Memo<DiskFallback<Vec<u64>>, Counted<Vec<u64>>>;

/// 8 KB.
pub fn value(key: u64) -> Vec<u64> {
    vec![key; 1000]
}

/// A memo, and the counter of its computations.
pub fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    memo_of(dir, value)
}

pub fn memo_of(dir: &Path, function: fn(u64) -> Vec<u64>) -> (Numbers, Arc<Counter>) {
    record_logs();
    let (function, computed) = counted(function);
    (bcache("numbers").dir(dir).wrap(function), computed)
}

pub fn call_all(memo: &Numbers, keys: Range<u64>) {
    keys.for_each(|key| assert_eq!(memo.call(&key), value(key)));
}

/// Stores these keys, and closes the cache again.
pub fn fill(dir: &Path, keys: Range<u64>) {
    call_all(&memo(dir).0, keys);
}

/// How many of these are computed by a new memo.
pub fn computed_anew(dir: &Path, keys: Range<u64>) -> usize {
    let (memo, computed) = memo(dir);
    call_all(&memo, keys);
    computed.get()
}

pub fn is_on_disk(memo: &Numbers, key: u64) -> bool {
    memo.store().primary().get(&key).ok().flatten().is_some()
}

/// Refreshes a key until the database has it: after a failure, the database is tried again after a while.
pub fn until_stored(memo: &Numbers, key: u64) {
    until("storing resumes", || {
        is_on_disk(memo, key) || {
            assert_eq!(memo.refresh(&key), value(key));
            false
        }
    });
}

/// Stores an entry. On a busy machine, a store may refuse large ones for a while.
pub fn insert<V: Send + Sync>(store: &DiskStore<V>, key: u64, value: &V) {
    until("it is stored", || store.insert(&key, value).is_ok());
}

/// Whether a database was found damaged here, and moved aside.
pub fn was_moved_aside(dir: &Path) -> bool {
    dir.join("bcache.corrupt").exists()
}

/// The engine's journals.
pub fn journals(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("bcache")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "jnl")).collect()
}

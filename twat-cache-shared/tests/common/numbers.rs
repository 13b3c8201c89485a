//! The cache that most of these tests use: vectors of numbers, under the name "numbers".

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twat_cache_core::testing::{Counted, Counter, counted, record_logs, until};
use twat_cache_shared::{KeyedStore as _, Memo, SharedBuilder, SharedFallback, scache};

pub type Numbers = Memo<SharedFallback<Vec<u64>>, Counted<Vec<u64>>>;

/// The name of the database, and of what SQLite puts beside it.
pub const FILES: [&str; 3] = ["entries-1.db", "entries-1.db-wal", "entries-1.db-shm"];

/// 8 KB.
pub fn value(key: u64) -> Vec<u64> {
    vec![key; 1000]
}

/// A memo, and the counter of its computations.
pub fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    memo_of(scache("numbers").dir(dir), value)
}

pub fn memo_of(builder: SharedBuilder, function: fn(u64) -> Vec<u64>) -> (Numbers, Arc<Counter>) {
    record_logs();
    let (function, computed) = counted(function);
    (builder.wrap(function), computed)
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

pub fn is_stored(memo: &Numbers, key: u64) -> bool {
    memo.store().primary().get(&key).ok().flatten().is_some()
}

/// How many of these are in the database.
pub fn stored(memo: &Numbers, keys: Range<u64>) -> usize {
    keys.filter(|key| is_stored(memo, *key)).count()
}

/// Refreshes a key until the database has it: after a failure, the database is tried again after a while.
pub fn until_stored(memo: &Numbers, key: u64) {
    until("storing resumes", || {
        is_stored(memo, key) || {
            assert_eq!(memo.refresh(&key), value(key));
            false
        }
    });
}

/// The directory of the database with this number.
pub fn numbered(cache: &Path, number: u64) -> PathBuf {
    cache.join("scache").join(number.to_string())
}

/// The first database.
pub fn first(cache: &Path) -> PathBuf {
    numbered(cache, 1).join(FILES[0])
}

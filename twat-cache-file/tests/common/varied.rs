//! A small cache with values of many lengths, for tests that damage it or put obstacles in its directory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use tempfile::TempDir;
use twat_cache_core::testing::damage::Use;
use twat_cache_core::testing::{Counter, volatile_dir, warnings_from_now};
use twat_cache_file::fcache;

use super::{Numbers, memo_of};

pub const KEYS: u64 = 16;
pub const ALL: usize = 16;

/// Up to 120 bytes for most keys, which are read; 136 KB for those that are divisible by 15, which are mapped.
pub fn value(key: u64) -> &'static [u64] {
    static VALUES: LazyLock<Vec<Vec<u64>>> = LazyLock::new(|| {
        let length = |key: u64| if key.is_multiple_of(15) { 17_000 } else { key };
        (0..KEYS).map(|key| (0..length(key)).map(|n| n * 1000 + key).collect()).collect()
    });
    &VALUES[usize::try_from(key).unwrap()]
}

pub fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    memo_of(fcache("numbers").dir(dir), |key| value(key).to_vec())
}

/// Calls and views.
pub fn assert_right(memo: &Numbers, key: u64) {
    assert!(memo.call(&key) == value(key), "a wrong value for {key}");
    assert!(memo.view(&key)[..] == *value(key), "a wrong view for {key}");
}

/// Calls every key twice.
pub fn use_all(dir: &Path) -> Use {
    let warnings = warnings_from_now(dir);
    let (memo, computed) = memo(dir);
    (0..KEYS).chain(0..KEYS).for_each(|key| assert_right(&memo, key));
    drop(memo);
    Use { computed: computed.get(), warnings: warnings() }
}

/// A cache with all entries, and the directory of its name in it.
pub fn filled() -> (TempDir, PathBuf) {
    let dir = volatile_dir();
    use_all(dir.path());
    let store = fcache("numbers").dir(dir.path()).open::<Vec<u64>>().unwrap();
    (dir, store.path().to_owned())
}

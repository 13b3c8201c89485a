//! A cache of numbers that is to be damaged, and how.

use std::fmt::Display;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use twat_cache_core::testing::Counter;
use twat_cache_file::fcache;

use super::numbers::{self, Numbers};

pub const KEYS: u64 = 16;

/// Up to 120 bytes for most keys, which are read; 136 KB for those that are divisible by 15, which are mapped.
pub fn value(key: u64) -> &'static [u64] {
    static VALUES: LazyLock<Vec<Vec<u64>>> = LazyLock::new(|| {
        let length = |key: u64| if key.is_multiple_of(15) { 17_000 } else { key };
        (0..KEYS).map(|key| (0..length(key)).map(|n| n * 1000 + key).collect()).collect()
    });
    &VALUES[usize::try_from(key).unwrap()]
}

pub fn memo(dir: &Path) -> (Numbers, Arc<Counter>) {
    numbers::memo_with(fcache("numbers").dir(dir), |key| value(key).to_vec())
}

pub fn assert_right(memo: &Numbers, key: u64) {
    assert!(memo.call(&key) == value(key), "a wrong value for {key}");
    assert!(memo.view(&key)[..] == *value(key), "a wrong view for {key}");
}

/// What is done to what is at a path, and how it is called.
pub type Deed = (&'static str, fn(&Path));

/// What went wrong in one test: it goes on, to tell of all cases.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    pub fn note(&mut self, what: impl Display, test: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(test)) {
            let message = panic.downcast_ref::<String>().cloned();
            self.0.push(format!("{what}: {}", message.unwrap_or_default()));
        }
    }

    pub fn end(self) {
        assert!(self.0.is_empty(), "{} cases:\n{}", self.0.len(), self.0.join("\n"));
    }
}

pub fn is_entry(path: &Path) -> bool {
    path.file_name().unwrap().len() == 48
}

pub fn make_full_dir(path: &Path) {
    fs::create_dir_all(path.join("a/b")).unwrap();
}

/// Puts something else in the place of a file, as editors do.
pub fn replace(path: &Path, make: impl FnOnce(&Path)) {
    let with = path.with_extension("new");
    make(&with);
    if with.is_dir() {
        fs::remove_file(path).unwrap();
    }
    fs::rename(with, path).unwrap();
}

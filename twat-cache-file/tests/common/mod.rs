//! What several of these tests need.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod damage;
pub mod numbers;
pub mod texts;

pub use twat_cache_core::testing::{child, files, system};

use tempfile::TempDir;
use twat_cache_core::testing;

/// A store, and the directory that goes with it.
pub type Rooted<S> = testing::Rooted<S, TempDir>;

pub fn rooted<S>(open: impl FnOnce(&TempDir) -> S) -> Rooted<S> {
    let root = tempfile::tempdir().unwrap();
    Rooted { store: open(&root), root }
}

/// A directory in memory, where there is such a place: what is done hundreds of times need not reach a disk.
pub fn volatile_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

//! The directory of a cache in use is removed or moved away. It is made again, and its results are computed again.
#![cfg(target_os = "linux")]

mod common;

use std::fs;

use common::{call_all, computed_anew, memo, value};
use twat_cache_core::testing::{until, warnings};

#[test]
fn a_directory_that_is_removed_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    for removed in [cache.clone(), memo.store().path().to_owned()] {
        let before = computed.get();
        call_all(&memo, 0..20);
        let held = memo.view(&8);
        fs::remove_dir_all(removed).unwrap();
        call_all(&memo, 0..20);
        assert_eq!(computed.get() - before, if before == 0 { 40 } else { 20 }, "what was removed is gone");
        assert_eq!(held[..], value(8)[..]);
        assert!(memo.view(&8).is_mapped());
        assert_eq!(computed_anew(&cache, 0..20), 0);
    }
    assert_eq!(warnings(&cache), [""; 0]);
}

#[test]
fn a_directory_that_is_moved_away_takes_its_entries_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, away) = (dir.path().join("cache"), dir.path().join("away"));
    let (memo, _) = memo(&cache);
    call_all(&memo, 0..20);
    fs::rename(&cache, &away).unwrap();
    // For some milliseconds, it may return what it has mapped.
    until("the new directory is made", || {
        call_all(&memo, 0..20);
        cache.exists()
    });
    // All processes find what it stores in the new directory.
    let (other, computed) = common::memo(&cache);
    call_all(&memo, 0..20);
    call_all(&other, 0..20);
    assert_eq!(computed.get(), 0);
    assert!(other.forget(&1_u64).unwrap());
    assert_eq!(memo.peek(&1).unwrap(), None);
}

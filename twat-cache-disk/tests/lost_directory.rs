//! The directory of an open database is removed or moved away. The store notices it and makes a new database.
#![cfg(target_os = "linux")]

mod common;

use std::fs;

use common::{Numbers, call_all, computed_anew, is_on_disk, memo};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{until, warnings};
use twat_cache_disk::KeyedStore as _;

/// Refreshes key 1 until it is stored in the database that is there now.
fn until_stored_there(memo: &Numbers, is_there: impl Fn() -> bool) {
    until("it is noticed", || {
        is_there() && is_on_disk(memo, 1) || {
            memo.refresh(&1);
            false
        }
    });
}

#[test]
fn a_directory_that_is_removed_is_noticed_and_made_again() {
    for removed in ["cache", "cache/bcache", "cache/bcache/journals"] {
        let dir = tempfile::tempdir().unwrap();
        let (cache, removed) = (dir.path().join("cache"), dir.path().join(removed));
        let (memo, _) = memo(&cache);
        call_all(&memo, 0..10);
        if removed.is_dir() { fs::remove_dir_all(&removed) } else { fs::remove_file(&removed) }.unwrap();
        until_stored_there(&memo, || cache.join("bcache/version").exists() && removed.exists());
        call_all(&memo, 10..20);
        drop(memo);
        assert_eq!(computed_anew(&cache, 10..20), 0);
        // A missing file is damage, if the other files are there.
        let warnings = warnings(&cache);
        // The engine may notice it first: it writes in the background, and gives up.
        let noticed = ["removed while it was open", "takes no more writes"];
        let is_noticed = warnings.iter().filter(|warning| noticed.iter().any(|text| warning.contains(text))).count();
        assert_eq!((is_noticed, warnings.len()), (1, if removed.is_file() { 2 } else { 1 }), "{warnings:#?}");
    }
}

#[test]
fn results_in_a_directory_that_is_removed_are_computed_once_more() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    call_all(&memo, 0..20);
    memo.store().keyspace().unwrap().rotate_memtable_and_wait().unwrap();
    // The engine may be adding a file just then.
    while cache.exists() {
        let _ = fs::remove_dir_all(&cache);
    }
    (0..2).for_each(|_| call_all(&memo, 0..40));
    assert!(computed.get() <= 60, "{} computed", computed.get());
    drop(memo);
    assert!(warnings(&cache).len() <= 1, "{:#?}", warnings(&cache));
    for most in [20, 0] {
        let computed = computed_anew(&cache, 0..20);
        assert!(computed <= most, "{computed} computed");
    }
}

#[test]
fn child_that_makes_a_database() {
    let Some(task) = Task::given() else { return };
    task.say(computed_anew(&task.dir, 50..60));
}

#[test]
fn a_database_that_takes_the_place_of_one_that_was_moved_away_is_not_mixed_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    call_all(&memo, 0..10);
    fs::rename(&cache, dir.path().join("moved")).unwrap();
    assert_eq!(Child::start("child_that_makes_a_database", &cache).finish(), ["10"]);
    // The engine may have written into the database of the child. So that one is moved aside, and the entries of the first one
    // are gone.
    until_stored_there(&memo, || memo.store().primary().get(&2_u64).is_ok_and(|found| found.is_none()));
    let before = computed.get();
    call_all(&memo, 20..30);
    assert_eq!(computed.get(), before + 10);
    assert_eq!(warnings(&cache).len(), 2, "{:#?}", warnings(&cache));
    // The engine may notice first.
    let warnings = warnings(&cache);
    let is_noticed = ["removed while it was open", "takes no more writes"].iter().any(|why| warnings[0].contains(why));
    assert!(is_noticed, "{warnings:#?}");
    assert!(warnings[1].contains("a database that was moved away"), "{warnings:#?}");
    drop(memo);
    assert_eq!(computed_anew(&cache, 20..30), 0);
}

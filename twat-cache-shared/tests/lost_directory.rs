//! The directory or a file of an open database is removed or moved away. The store notices it and makes a new one.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;

use common::numbers::{FILES, Numbers, call_all, computed_anew, first, is_stored, memo, numbered, until_stored};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{until, volatile_dir, warnings};
use twat_cache_shared::KeyedStore as _;

/// Refreshes key 1 until it is stored in the database that is there now.
fn until_stored_there(memo: &Numbers, is_there: impl Fn() -> bool) {
    until("it is noticed", || {
        is_there() && is_stored(memo, 1) || {
            memo.refresh(&1);
            false
        }
    });
}

fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}

#[test]
fn what_is_removed_while_it_is_open_is_noticed_and_made_again() {
    let files = FILES.map(|name| format!("scache/1/{name}"));
    let others = ["", "scache", "scache/1", "scache/meta-1", "scache/tmp", "scache/lock"];
    for name in others.into_iter().map(str::to_owned).chain(files) {
        let dir = volatile_dir();
        let cache = dir.path().join("cache");
        let (memo, computed) = memo(&cache);
        call_all(&memo, 0..10);
        remove(&cache.join(&name));
        let is_there = || {
            // A database that has lost a file is replaced.
            let number = if name.contains("/1") { 2 } else { 1 };
            cache.join("scache/meta-1").exists() && numbered(&cache, number).join(FILES[0]).exists()
        };
        until_stored_there(&memo, is_there);
        call_all(&memo, 0..20);
        call_all(&memo, 0..20);
        assert!(common::numbers::stored(&memo, 0..20) == 20, "{name}");
        drop(memo);
        assert_eq!(computed_anew(&cache, 0..20), 0, "{name}");
        assert!(warnings(&cache).len() <= 1, "{name}: {:#?}", warnings(&cache));
        drop(computed);
    }
}

/// The counters, and the database that they belong to, are looked at before a change is reported.
#[test]
fn a_change_after_the_counters_were_moved_away_is_not_lost() {
    for name in ["scache/meta-1", "scache", ""] {
        let dir = volatile_dir();
        let cache = dir.path().join("cache");
        let (memo, _) = memo(&cache);
        for round in 0..20_u64 {
            call_all(&memo, 0..10);
            if round % 2 == 0 {
                remove(&cache.join(name));
            } else {
                fs::rename(cache.join(name), dir.path().join(round.to_string())).unwrap();
            }
            // At once, without the time for a look at the files.
            memo.store().primary().insert(&100_u64, &vec![round]).unwrap();
            let (fresh, _) = common::numbers::memo(&cache);
            assert_eq!(fresh.peek(&100).unwrap(), Some(vec![round]), "{name}, round {round}");
            assert!(memo.forget(&100).unwrap());
            assert_eq!(fresh.peek(&100).unwrap(), None);
        }
        assert_eq!(warnings(&cache), [""; 0]);
    }
}

#[test]
fn results_in_a_directory_that_is_removed_are_computed_once_more() {
    let dir = volatile_dir();
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    call_all(&memo, 0..20);
    remove(&cache);
    (0..2).for_each(|_| call_all(&memo, 0..40));
    assert!(computed.get() <= 60, "{} computed", computed.get());
    drop(memo);
    assert_eq!(warnings(&cache), [""; 0]);
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
fn a_database_that_takes_the_place_of_one_that_was_moved_away_is_used() {
    for name in ["cache", "cache/scache", "cache/scache/1"] {
        let dir = volatile_dir();
        let cache = dir.path().join("cache");
        let (memo, computed) = memo(&cache);
        call_all(&memo, 0..10);
        fs::rename(dir.path().join(name), dir.path().join("moved")).unwrap();
        assert_eq!(Child::start("child_that_makes_a_database", &cache).finish(), ["10"]);
        until("it is noticed", || !is_stored(&memo, 2));
        call_all(&memo, 20..30);
        assert_eq!(computed.get(), 20);
        drop(memo);
        assert_eq!(computed_anew(&cache, 20..30), 0);
        assert!(warnings(&cache).len() <= 1, "{name}: {:#?}", warnings(&cache));
    }
}

#[test]
fn a_directory_that_is_moved_back_is_used_again() {
    let dir = volatile_dir();
    let [cache, away] = ["cache", "away"].map(|name| dir.path().join(name));
    let (memo, computed) = memo(&cache);
    call_all(&memo, 0..10);
    fs::rename(&cache, &away).unwrap();
    call_all(&memo, 0..10);
    let before = computed.get();
    let _ = fs::remove_dir_all(&cache);
    fs::rename(&away, &cache).unwrap();
    until("it is noticed", || is_stored(&memo, 1));
    call_all(&memo, 0..10);
    assert!(computed.get() <= before + 10);
    until_stored(&memo, 11);
    drop(memo);
    assert_eq!(computed_anew(&cache, 0..12), 1);
    assert!(first(&cache).exists());
    assert!(warnings(&cache).len() <= 1, "{:#?}", warnings(&cache));
}

//! What is done to the process, or to its directory, while the database is open.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use common::child::{Child, Task};
use common::numbers::{Numbers, assert_one_warning, call_all, memo, warnings};
use common::system::run;
use twat_cache_core::testing::record_logs;
use twat_cache_disk::{KeyedStore as _, bcache};

/// Refreshes a key until the database at that directory has it.
fn store_until_it_is_there(memo: &Numbers, key: u64, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() || memo.store().primary().get(&key).ok().flatten().is_none() {
        memo.refresh(&key);
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not noticed");
        thread::yield_now();
    }
}

fn is_found_by_the_next(cache: &Path, keys: std::ops::Range<u64>) {
    let (memo, computed) = memo(cache);
    call_all(&memo, keys);
    assert_eq!(computed.get(), 0);
}

#[test]
fn a_directory_that_is_removed_is_noticed_and_made_again() {
    for removed in ["cache", "cache/bcache", "cache/bcache/journals"] {
        let dir = tempfile::tempdir().unwrap();
        let (cache, removed) = (dir.path().join("cache"), dir.path().join(removed));
        let (memo, _) = memo(&cache);
        call_all(&memo, 0..10);
        if removed.is_dir() { fs::remove_dir_all(&removed) } else { fs::remove_file(&removed) }.unwrap();
        store_until_it_is_there(&memo, 1, || cache.join("bcache/version").exists() && removed.exists());
        call_all(&memo, 10..20);
        drop(memo);
        is_found_by_the_next(&cache, 10..20);
        // Where the rest is there and one file is not, that is damage.
        let warnings = warnings(&cache);
        // The engine may notice it first: it writes in the background, and gives up.
        let noticed = ["removed while it was open", "takes no more writes"];
        let is_noticed = warnings.iter().filter(|warning| noticed.iter().any(|text| warning.contains(text))).count();
        assert_eq!((is_noticed, warnings.len()), (1, if removed.is_file() { 2 } else { 1 }), "{warnings:#?}");
    }
}

#[test]
fn child_that_makes_a_database() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    call_all(&memo, 50..60);
    task.say(computed.get());
}

#[test]
fn a_database_that_takes_the_place_of_one_that_was_moved_away_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let (memo, computed) = memo(&cache);
    call_all(&memo, 0..10);
    fs::rename(&cache, dir.path().join("moved")).unwrap();
    assert_eq!(Child::start("child_that_makes_a_database", &cache).finish(), ["10"]);
    // What was in the one that was moved away is not in this one.
    store_until_it_is_there(&memo, 1, || memo.store().primary().get(&2_u64).is_ok_and(|found| found.is_none()));
    let before = computed.get();
    call_all(&memo, 20..30);
    assert_eq!(computed.get(), before + 10);
    assert_one_warning(&cache, &["removed while it was open"]);
    drop(memo);
    is_found_by_the_next(&cache, 20..30);
}

#[test]
fn child_under_a_limit() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    for _ in 0..2 {
        call_all(&memo, 0..40);
    }
    task.say(computed.get());
    for warning in warnings(&task.dir) {
        task.say(warning);
    }
}

/// Runs a test as a child that may write files of this many bytes.
fn limited(test: &str, dir: &Path, bytes: u64) -> Vec<String> {
    let command = |binary: &Path| {
        let mut command = Command::new("prlimit");
        command.arg(format!("--fsize={bytes}:unlimited")).arg(binary);
        command
    };
    Child::start_with(test, dir, command).finish()
}

#[test]
fn where_files_may_not_be_as_long_as_the_engine_makes_them_memory_serves() {
    let dir = tempfile::tempdir().unwrap();
    for limit in [0, 1000, 1 << 20, 64 << 20] {
        let said = limited("child_under_a_limit", dir.path(), limit);
        assert!(said.len() == 2 && said[0] == "40" && said[1].contains("ulimit -f"), "{limit}: {said:#?}");
        assert!(said[1].contains("going on without it"), "{limit}: {said:#?}");
    }
    assert_eq!(limited("child_under_a_limit", dir.path(), 70 << 20), ["40"]);
    assert_eq!(limited("child_under_a_limit", dir.path(), 1 << 20)[0], "40");
    is_found_by_the_next(dir.path(), 0..40);
}

#[test]
fn child_whose_limit_is_lowered() {
    let Some(task) = Task::given() else { return };
    let limit = |bytes: &str| {
        let process = process::id().to_string();
        assert!(run("prlimit", &[&"--pid", &process, &format!("--fsize={bytes}:unlimited")]));
    };
    let (memo, computed) = memo(&task.dir);
    call_all(&memo, 0..10);
    limit("1000000");
    call_all(&memo, 0..20);
    call_all(&memo, 0..20);
    assert_eq!(computed.get(), 20);
    assert_one_warning(&task.dir, &["ulimit -f", "going on without it"]);
    limit("unlimited");
    store_until_it_is_there(&memo, 30, || true);
    task.say("done");
}

#[test]
fn a_limit_on_files_that_is_lowered_is_noticed_before_it_is_met() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Child::start("child_whose_limit_is_lowered", dir.path()).finish(), ["done"]);
}

#[test]
fn child_that_stores_large_values() {
    let Some(task) = Task::given() else { return };
    record_logs();
    let lengths = [1 << 20, 110 << 20, 2 << 20];
    let memo = bcache("large").dir(&task.dir).wrap(|len: &usize| "x".repeat(*len));
    for len in lengths {
        assert_eq!(memo.call(&len).len(), len);
    }
    let kept = lengths.map(|len| memo.store().primary().get(&len).unwrap().is_some());
    task.say(format_args!("{kept:?}"));
    for warning in warnings(&task.dir) {
        task.say(warning);
    }
}

#[test]
fn a_value_that_would_make_a_file_too_long_is_not_stored() {
    let dir = common::volatile_dir();
    let said = limited("child_that_stores_large_values", dir.path(), 100 << 20);
    assert!(said.len() == 2 && said[1].contains("ulimit -f"), "{said:#?}");
    assert_eq!(said[0], "[true, false, true]");
}

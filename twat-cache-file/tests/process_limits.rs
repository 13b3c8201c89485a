//! Processes with limits on open files or on the length of files. The values are right, and the entries on disk stay.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, File};

use common::{call_all, computed_anew, memo, on_disk, value};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::warnings;
use twat_cache_file::{Error, KeyedStore as _, Store as _, fcache};

/// Reports the number of computations, and the warnings.
#[test]
fn child_that_calls() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    (0..2).for_each(|_| call_all(&memo, 0..20));
    task.say(computed.get());
    task.say_all(warnings(&task.dir));
}

#[test]
fn with_too_many_open_files_the_values_are_right_and_the_entries_stay() {
    let dir = tempfile::tempdir().unwrap();
    call_all(&memo(dir.path()).0, 0..20);
    for handles in 4..16 {
        let said = Child::after(&format!("ulimit -n {handles}"), "child_that_calls", dir.path()).finish();
        // With fewer files, the test harness itself does not start.
        let Some((computed, warnings)) = said.split_first() else { continue };
        assert!(computed.parse::<usize>().unwrap() <= 40, "{handles} handles: {computed} computed");
        assert!(warnings.len() <= 1, "{handles} handles: {warnings:#?}");
    }
    assert_eq!(computed_anew(dir.path(), 0..20), 0);
}

#[test]
fn child_with_many_maps() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    (0..2).for_each(|_| (0..100).for_each(|n| assert_eq!(memo.view(&(n * 8))[..], value(n * 8)[..])));
    task.say(computed.get());
    // The program itself needs some, too.
    task.say(File::open("/dev/null").is_ok());
    task.say_all(warnings(&task.dir));
}

#[test]
fn entries_that_are_kept_open_leave_some_handles_for_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let said = Child::after("ulimit -n 64", "child_with_many_maps", dir.path()).finish();
    assert_eq!(said[..2], ["100", "true"]);
    assert!(said.len() <= 3, "more than one warning: {said:#?}");
}

#[test]
fn child_whose_directory_is_lost_over_and_over() {
    let Some(task) = Task::given() else { return };
    let (memo, _) = memo(&task.dir);
    for _ in 0..200 {
        call_all(&memo, 0..2);
        let _ = fs::remove_dir_all(memo.store().path());
    }
    task.say(File::open("/dev/null").is_ok());
    task.say_all(warnings(&task.dir));
}

#[test]
fn a_directory_that_is_lost_over_and_over_takes_no_more_handles() {
    let dir = tempfile::tempdir().unwrap();
    let said = Child::after("ulimit -n 64", "child_whose_directory_is_lost_over_and_over", dir.path()).finish();
    assert_eq!(said[0], "true");
    assert!(said.len() == 2 && said[1].contains("lost too often"), "{said:#?}");
}

/// Says how many results it has computed, the error of storing a large value, and what it was warned of.
#[test]
fn child_with_short_files() {
    let Some(task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    (0..2).for_each(|_| call_all(&memo, 0..20));
    task.say(computed.get());
    let stored = memo.store().primary().insert(&100_u64, &value(8));
    task.say_all(stored.err().iter().map(Error::chain));
    task.say_all(warnings(&task.dir));
}

/// The system kills a process that writes a longer file than it may.
#[test]
fn a_value_that_is_longer_than_a_file_may_be_is_kept_in_memory_and_no_process_is_killed() {
    for blocks in [0, 1, 20, 40, 140] {
        let dir = tempfile::tempdir().unwrap();
        let said = || Child::after(&format!("ulimit -f {blocks}"), "child_with_short_files", dir.path()).finish();
        let first = said();
        assert_eq!(first.len(), 3, "{blocks}: {first:#?}");
        assert_eq!(first[0], "20");
        assert!(first[1].contains("ulimit -f"), "{first:#?}");
        assert!(first[2].contains("ulimit -f") && first[2].contains("going on without it"), "{first:#?}");
        // Longer values are not stored. Values that fit are stored, if the counters fit, too.
        let kept = on_disk(&memo(dir.path()).0, 0..20);
        assert_eq!(kept, if blocks < 140 { 0 } else { 17 }, "{blocks}");
        // A process that finds entries there is not killed either.
        call_all(&memo(dir.path()).0, 0..20);
        let second = said();
        assert_eq!(second[0], "0", "{blocks}: {second:#?}");
        assert_eq!(second.len(), 2, "{blocks}: {second:#?}");
    }
}

#[test]
fn child_without_handles() {
    let Some(task) = Task::given() else { return };
    let (before, after) = (memo(&task.dir).0, memo(&task.dir).0);
    let strict = [(); 2].map(|()| fcache("numbers").dir(&task.dir).build::<Vec<u64>>());
    call_all(&before, 0..20);
    assert_eq!(before.call(&1), value(1));
    let taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // The directory cannot be opened, so all that is in it stays.
    task.say(after.forget(&1).is_err() && strict[0].remove(&1_u64).is_err());
    task.say(after.clear().is_err() && strict[0].clear().is_err());
    // For one entry no handle is needed.
    task.say(before.forget(&2).unwrap());
    drop(taken);
    task.say(strict[1].get(&2_u64).unwrap().is_none());
    task.say(after.forget(&1).unwrap());
    after.clear().unwrap();
    task.say(strict[1].len().unwrap());
}

#[test]
fn with_no_handles_left_forgetting_either_succeeds_or_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let said = Child::after("ulimit -n 40", "child_without_handles", dir.path()).finish();
    assert_eq!(said, ["true", "true", "true", "true", "true", "0"]);
}

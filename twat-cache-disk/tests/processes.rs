//! Several processes in one directory: one of them has the database, and memory serves the others. Each gets right values.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;

use common::{call_all, computed_anew, fill, memo, was_moved_aside};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Counter, Random, assert_one_warning, in_four_threads, is_text_of, text, until};
use twat_cache_disk::{Error, ErrorKind, bcache};

#[test]
fn child_that_has_the_database() {
    let Some(mut task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    call_all(&memo, 0..10);
    task.say(computed.get());
    task.order();
}

#[test]
fn beside_another_process_memory_serves_until_that_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Child::start("child_that_has_the_database", dir.path());
    assert_eq!(child.hear_number(), 10);
    let (memo, computed) = memo(dir.path());
    (0..2).for_each(|_| call_all(&memo, 0..20));
    assert_eq!(computed.get(), 20);
    let open = || bcache("numbers").dir(dir.path()).open::<Vec<u64>>();
    assert_eq!(open().unwrap_err().kind(), ErrorKind::Locked);
    child.finish();
    // The next calls ask for the database again.
    until("the database is open", || {
        call_all(&memo, 0..20);
        open().is_ok()
    });
    assert_eq!(computed.get(), 20);
    assert!(!memo.store().has_switched());
    call_all(&memo, 20..30);
    assert_one_warning(dir.path(), &["bcache: locked by another process", "in memory, and trying again"]);
    drop(memo);
    assert_eq!(computed_anew(dir.path(), 0..30), 0, "both processes have stored theirs");
}

#[test]
fn a_database_that_another_process_uses_is_never_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    for damaged in ["bcache/version", "bcache/lock", "bcache/keyspaces/1/current"] {
        let mut child = Child::start("child_that_has_the_database", dir.path());
        child.hear().unwrap();
        fs::write(dir.path().join(damaged), "nonsense").unwrap();
        fill(dir.path(), 0..20);
        fs::remove_file(dir.path().join(damaged)).unwrap();
        fill(dir.path(), 0..20);
        assert!(!was_moved_aside(dir.path()), "moved aside under its user: {damaged}");
        child.finish();
        // Now it may be.
        fill(dir.path(), 0..20);
        fs::remove_dir_all(dir.path().join("bcache.corrupt")).unwrap_or_default();
    }
}

/// One of the two processes has the database, so the other cannot remove its entries.
fn is_told<T>(forgotten: Result<T, Error>) {
    assert!(forgotten.map_or_else(|error| error.kind() == ErrorKind::Locked, |_| true));
}

/// Four threads do random operations on a few keys until the time is up.
fn work(dir: &Path, seed: u64) {
    let computed = Counter::new();
    // Up to 64 KB, of another length each time.
    let function = |key: &u64| text(*key, Random(computed.count() as u64).index(8192));
    let memo = bcache("hot").dir(dir).max_bytes(400 << 10).wrap(function);
    in_four_threads(seed, 40, |random| {
        let key = random.below(20);
        match random.below(40) {
            0..30 => assert!(is_text_of(&memo.call(&key), key), "another key's value"),
            30..34 => assert!(is_text_of(&memo.refresh(&key), key), "another key's value"),
            34..37 => assert!(memo.peek(&key).unwrap().is_none_or(|value| is_text_of(&value, key))),
            37..39 => is_told(memo.forget(&key)),
            _ => is_told(memo.clear()),
        }
    });
}

#[test]
fn child_at_work() {
    let Some(task) = Task::given() else { return };
    work(&task.dir, u64::from(std::process::id()));
}

#[test]
fn two_processes_of_four_threads_get_right_values() {
    let dir = tempfile::tempdir().unwrap();
    let children = [(); 2].map(|()| Child::start("child_at_work", dir.path()));
    for child in children {
        child.finish();
    }
    assert!(!was_moved_aside(dir.path()));
}

/// Each process opens the database that the one before has left, or serves from memory.
#[test]
fn short_lived_processes_hand_the_database_on() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let children = [(); 3].map(|()| Child::with("child_of_a_round", dir.path(), [("ROUND", &round)]));
        let computed = children.map(|child| child.finish()[0].parse::<usize>().unwrap());
        // The process with the database also had the results of earlier rounds.
        assert!(computed.iter().any(|computed| *computed <= 20), "round {round}: {computed:?}");
    }
    assert!(!was_moved_aside(dir.path()));
}

#[test]
fn child_of_a_round() {
    let Some(task) = Task::given() else { return };
    let round: u64 = task.value("ROUND").parse().unwrap();
    let computed = Counter::new();
    let memo = bcache("handed on").dir(&task.dir).wrap(|key: &u64| {
        computed.count();
        key.to_string()
    });
    (0..20 * (round + 1)).for_each(|key| assert_eq!(memo.call(&key), key.to_string()));
    task.say(computed.get());
}

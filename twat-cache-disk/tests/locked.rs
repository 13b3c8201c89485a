//! Beside another process that has the database: memory serves, and what is its stays its.
#![cfg(unix)]

mod common;

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use common::child::{Child, Task};
use common::numbers::{Numbers, assert_one_warning, call_all, memo, value};
use twat_cache_core::testing::{on_warning, within};
use twat_cache_disk::{ErrorKind, bcache};

#[test]
fn child_that_holds_the_database() {
    let Some(mut task) = Task::given() else { return };
    let (memo, computed) = memo(&task.dir);
    call_all(&memo, 0..10);
    task.say(computed.get());
    task.order();
}

#[test]
fn beside_another_process_memory_serves_for_the_life_of_the_memo() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Child::start("child_that_holds_the_database", dir.path());
    assert_eq!(child.hear().as_deref(), Some("10"));
    let (memo_beside, computed) = memo(dir.path());
    call_all(&memo_beside, 0..20);
    call_all(&memo_beside, 0..20);
    assert_eq!(computed.get(), 20);
    assert_one_warning(dir.path(), &["bcache: locked by another process", "memory takes over"]);
    let error = bcache("numbers").dir(dir.path()).open::<Vec<u64>>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    child.finish();
    call_all(&memo_beside, 0..30);
    assert!(memo_beside.store().has_switched());
    assert_eq!(computed.get(), 30);
    // Another memo is another matter, as soon as opening is tried again.
    let (memo, computed) = memo(dir.path());
    within(Duration::from_secs(20), {
        let dir = dir.path().to_owned();
        move || while bcache("numbers").dir(&dir).open::<Vec<u64>>().is_err() {}
    });
    call_all(&memo, 0..10);
    assert_eq!(computed.get(), 0, "what the other process had stored");
}

#[test]
fn a_database_that_another_process_uses_is_never_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    for damaged in ["bcache/version", "bcache/lock", "bcache/keyspaces/1/current"] {
        let mut child = Child::start("child_that_holds_the_database", dir.path());
        child.hear().unwrap();
        fs::write(dir.path().join(damaged), "nonsense").unwrap();
        let (memo, _) = memo(dir.path());
        call_all(&memo, 0..20);
        fs::remove_file(dir.path().join(damaged)).unwrap();
        drop(memo);
        let (memo, _) = self::memo(dir.path());
        call_all(&memo, 0..20);
        assert!(!dir.path().join("bcache.corrupt").exists(), "moved aside under its user: {damaged}");
        drop(memo);
        child.finish();
        // Now it may be.
        let (memo, _) = self::memo(dir.path());
        call_all(&memo, 0..20);
        drop(memo);
        fs::remove_dir_all(dir.path().join("bcache.corrupt")).unwrap_or_default();
    }
}

/// Its logger looks into the very cache that it hears about.
#[test]
fn child_whose_logger_uses_the_cache() {
    static MEMO: OnceLock<Numbers> = OnceLock::new();
    let Some(task) = Task::given() else { return };
    on_warning(|| assert_eq!(MEMO.get().unwrap().call(&7), value(7)));
    // Here and not in the parent: a child that hangs is to end.
    let dir = task.dir.clone();
    let len = within(Duration::from_secs(20), move || {
        let memo = MEMO.get_or_init(|| memo(&dir).0);
        assert_eq!(memo.call(&1), value(1));
        memo.len().unwrap()
    });
    task.say(len);
}

#[test]
fn a_logger_may_use_the_cache_that_was_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let (before, _) = memo(dir.path());
    call_all(&before, 0..10);
    drop(before);
    std::fs::write(dir.path().join("bcache/version"), "garbage").unwrap();
    let said = Child::start("child_whose_logger_uses_the_cache", dir.path()).finish();
    assert_eq!(said, ["2"]);
}

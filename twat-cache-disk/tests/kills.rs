//! A process may be killed at any time: the database opens again, and all entries in it are complete and correct.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{insert, was_moved_aside};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::names;
use twat_cache_core::testing::kills::{kill_while_it_is_created, kill_while_it_stores, until_killed};
use twat_cache_core::testing::{Random, record_logs, soak, text, volatile_dir, warnings};
use twat_cache_disk::{DiskStore, KeyedStore as _, Store as _, bcache};

const LIMIT: u64 = 256 << 10;

/// A vector full of its key. Its length depends on the key and is at most 8 KB.
fn value(key: u64) -> String {
    text(key, usize::try_from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54).unwrap())
}

fn open(dir: &Path) -> DiskStore<String> {
    bcache("numbers").dir(dir).max_bytes(LIMIT).open().unwrap()
}

#[test]
fn child_that_stores() {
    let Some(mut task) = Task::given() else { return };
    task.say("begun");
    let store = open(&task.dir);
    let start = task.order().unwrap().parse().unwrap();
    until_killed(&mut task, start, |key, random| {
        insert(&store, key, &value(key));
        match random.below(64) {
            0 => drop(store.remove(&(key - random.below(50))).unwrap()),
            1 => drop(store.keyspace().unwrap().rotate_memtable().unwrap()),
            2 if random.below(16) == 0 => store.clear().unwrap(),
            _ => {}
        }
    });
}

/// The names beside the database, and its size.
fn inspect(dir: &Path, keys: std::ops::Range<u64>) {
    let store = open(dir);
    let mut bytes = 0;
    let mut hits = 0;
    for key in keys {
        if let Some(found) = store.get(&key).unwrap() {
            assert!(found == value(key), "a wrong value for {key}");
            bytes += found.len() as u64 + 40;
            hits += 1;
        }
    }
    assert!(bytes <= LIMIT + LIMIT / 10, "{bytes} bytes where {LIMIT} may be");
    assert_eq!(store.len().unwrap(), hits, "entries of keys that were never stored");
    drop(store);
    let mut beside = names(dir);
    beside.retain(|name| name != "bcache.corrupt");
    assert_eq!(beside, [".gitignore", "CACHEDIR.TAG", "bcache", "bcache.lock"]);
}

#[test]
fn a_database_killed_while_it_stores_and_evicts_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    kill_while_it_stores("child_that_stores", dir.path(), inspect);
    assert!(!was_moved_aside(dir.path()), "a kill is no damage");
}

#[test]
fn child_that_stores_much() {
    let Some(task) = Task::given() else { return };
    let store = bcache("large").dir(&task.dir).max_bytes(100 << 20).open::<String>().unwrap();
    for key in 0.. {
        // Where the disk is slow, some are not stored.
        let _ = store.insert(&(key % 150), &text(key, 1 << 17));
        task.say("another");
    }
}

/// The engine begins journals and removes them, tables too.
#[test]
fn a_database_killed_while_journals_are_replaced_opens_again() {
    let dir = volatile_dir();
    let mut random = Random(3);
    for _ in 0..soak("TWAT_CACHE_TEST_KILLS", 2) {
        let mut child = Child::start("child_that_stores_much", dir.path());
        (0..70 + random.below(60)).for_each(|_| drop(child.hear()));
        child.kill();
        assert!(!was_moved_aside(dir.path()), "a kill is no damage");
    }
    let store = bcache("large").dir(dir.path()).open::<String>().unwrap();
    assert!(store.len().unwrap() > 0);
    assert!(fs::metadata(dir.path().join("bcache/journals")).unwrap().len() > 0, "no second journal was ever begun");
    assert!(!was_moved_aside(dir.path()), "a kill is no damage");
}

#[test]
fn a_database_killed_while_it_is_created_can_be_created_again() {
    record_logs();
    kill_while_it_is_created("child_that_stores", Duration::from_millis(50), |dir| {
        for round in 0..2 {
            let store = open(dir);
            assert_eq!(store.get(&1_u64).unwrap(), (round > 0).then(|| value(1)));
            store.insert(&1_u64, &value(1)).unwrap();
        }
        inspect(dir, 0..10);
        assert!(warnings(dir).len() <= 1);
    });
}

//! Killed at any moment, the database opens again, and whatever is still in it is whole and right.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::child::{Child, Task};
use common::files::Random;
use common::volatile_dir;
use twat_cache_core::testing::{record_logs, within};
use twat_cache_disk::{DiskStore, KeyedStore as _, Store as _, bcache};

const LIMIT: u64 = 256 << 10;
/// How many keys a child stores, if it comes that far.
const BATCH: u64 = 200;

/// As long as its key says, up to 8 KB, and full of it.
fn value(key: u64) -> String {
    format!("{key:08}").repeat(usize::try_from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54).unwrap())
}

fn open(dir: &Path) -> DiskStore<String> {
    bcache("numbers").dir(dir).max_bytes(LIMIT).open().unwrap()
}

#[test]
fn child_that_stores() {
    let Some(mut task) = Task::given() else { return };
    task.say("begun");
    let store = open(&task.dir);
    let mut random = Random(u64::from(std::process::id()));
    let start = task.order().unwrap().parse::<u64>().unwrap();
    for key in start..start + BATCH {
        store.insert(&key, &value(key)).unwrap();
        if key % 16 == 0 {
            task.say("another sixteen");
        }
        match random.below(64) {
            0 => drop(store.remove(&(key - random.below(200).min(50) as u64)).unwrap()),
            1 => drop(store.keyspace().unwrap().rotate_memtable().unwrap()),
            2 if random.below(16) == 0 => store.clear().unwrap(),
            _ => {}
        }
    }
    // To be killed while nothing happens is an end like any other.
    task.order();
}

/// What is beside the database, and how full it is.
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
    let mut beside: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    beside.sort();
    beside.retain(|name| name != "bcache.corrupt");
    assert_eq!(beside, [".gitignore", "CACHEDIR.TAG", "bcache", "bcache.lock"]);
}

#[test]
fn killed_while_it_stores_and_evicts_it_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(1);
    let mut next = 1000;
    for _ in 0..30 {
        let mut child = Child::start("child_that_stores", dir.path());
        child.tell(next);
        next += BATCH;
        (0..=random.below(13)).for_each(|_| drop(child.hear()));
        child.kill();
        let path = dir.path().to_owned();
        within(Duration::from_secs(20), move || inspect(&path, 1000..next));
    }
    assert!(!dir.path().join("bcache.corrupt").exists(), "a kill is no damage");
}

#[test]
fn child_that_stores_much() {
    let Some(task) = Task::given() else { return };
    let store = bcache("large").dir(&task.dir).max_bytes(100 << 20).open::<String>().unwrap();
    for key in 0.. {
        // Where the disk is slow, some are not stored.
        let _ = store.insert(&(key % 150), &format!("{key:08}").repeat(1 << 17));
        task.say("another");
    }
}

/// The engine begins journals and removes them, tables too.
#[test]
fn killed_while_journals_come_and_go_it_opens_again() {
    let dir = volatile_dir();
    let mut random = Random(3);
    // A soak run takes as many as it is told to.
    let rounds = std::env::var("TWAT_CACHE_TEST_KILLS").map_or(2, |rounds| rounds.parse().unwrap());
    for _ in 0..rounds {
        let mut child = Child::start("child_that_stores_much", dir.path());
        (0..70 + random.below(60)).for_each(|_| drop(child.hear()));
        child.kill();
        assert!(!dir.path().join("bcache.corrupt").exists(), "a kill is no damage");
    }
    let store = bcache("large").dir(dir.path()).open::<String>().unwrap();
    assert!(store.len().unwrap() > 0);
    assert!(fs::metadata(dir.path().join("bcache/journals")).unwrap().len() > 0, "no second journal was ever begun");
    assert!(!dir.path().join("bcache.corrupt").exists(), "a kill is no damage");
}

#[test]
fn killed_while_it_is_made_it_can_be_made_again() {
    let mut random = Random(2);
    for _ in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        record_logs();
        let mut child = Child::start("child_that_stores", dir.path());
        assert_eq!(child.hear().as_deref(), Some("begun"));
        // It has nothing more to say: the moment of the kill is what is random here.
        let begun = std::time::Instant::now();
        let moment = Duration::from_micros(random.below(50_000) as u64);
        while begun.elapsed() < moment {
            std::hint::spin_loop();
        }
        child.kill();
        within(Duration::from_secs(20), move || {
            for round in 0..2 {
                let store = open(dir.path());
                assert_eq!(store.get(&1_u64).unwrap(), (round > 0).then(|| value(1)));
                store.insert(&1_u64, &value(1)).unwrap();
            }
            inspect(dir.path(), 0..10);
            assert!(record_logs().warnings(&dir.path().display().to_string()).len() <= 1);
        });
    }
}

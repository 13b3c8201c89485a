//! What the database takes of the disk when nobody uses it: little more than its entries, and little time to open.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{insert, journals};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::{Random, record_logs, text, volatile_dir, warnings};
use twat_cache_disk::{DiskStore, KeyedStore as _, Store as _, bcache};

const MB: u64 = 1_000_000;

/// What the files here take, not how long they are.
fn space(dir: &Path) -> u64 {
    let of_entry =
        |entry: std::io::Result<fs::DirEntry>| match entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))) {
            Ok((path, found)) if found.is_dir() => space(&path),
            Ok((_, found)) => found.blocks() * 512,
            // The engine has removed it meanwhile.
            Err(_) => 0,
        };
    fs::read_dir(dir).map_or(0, |entries| entries.map(of_entry).sum())
}

/// Waits until the database takes at most this much. It may be on a busy machine.
fn until_space(dir: &Path, most: u64) {
    let begun = Instant::now();
    while space(dir) > most {
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(300), "{} bytes are taken after {took:?}, and should be {most}", space(dir));
        thread::sleep(Duration::from_millis(20));
    }
}

fn open(dir: &Path, limit: u64) -> DiskStore<String> {
    record_logs();
    bcache("texts").dir(dir).max_bytes(limit).open().unwrap()
}

/// 8 kB.
fn value(key: u64) -> String {
    text(key, 1_000)
}

fn fill(store: &DiskStore<String>, keys: std::ops::Range<u64>) {
    keys.for_each(|key| insert(store, key, &value(key)));
}

fn hits(store: &DiskStore<String>, keys: std::ops::Range<u64>) -> usize {
    keys.filter(|key| store.get(key).unwrap().is_some_and(|found| found == value(*key))).count()
}

/// The length of all journals together.
fn journal(dir: &Path) -> u64 {
    journals(dir).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

#[test]
fn after_clear_the_disk_space_is_given_back() {
    let dir = volatile_dir();
    let store = open(dir.path(), 1 << 30);
    // The first half is in tables, the second in memory and in the journal.
    fill(&store, 0..2_500);
    store.keyspace().unwrap().rotate_memtable_and_wait().unwrap();
    drop(store);
    let store = open(dir.path(), 1 << 30);
    fill(&store, 2_500..5_000);
    let taken = space(dir.path());
    assert!(taken > 35 * MB, "{taken}");
    store.clear().unwrap();
    until_space(dir.path(), taken / 5);
    assert_eq!(store.len().unwrap(), 0);
    // The database goes on, here and in the next run.
    fill(&store, 0..10);
    assert_eq!(hits(&store, 0..20), 10);
    drop(store);
    assert_eq!(hits(&open(dir.path(), 1 << 30), 0..5_000), 10);
    assert!(warnings(dir.path()).is_empty());
}

#[test]
fn clear_gives_no_space_of_other_caches_back() {
    let dir = volatile_dir();
    let [one, other] = ["one", "other"].map(|name| bcache(name).dir(dir.path()).open::<String>().unwrap());
    fill(&one, 0..2_000);
    fill(&other, 0..500);
    one.clear().unwrap();
    until_space(dir.path(), 8 * MB);
    assert_eq!((hits(&one, 0..2_000), hits(&other, 0..500)), (0, 500));
    drop((one, other));
    let other = bcache("other").dir(dir.path()).open::<String>().unwrap();
    assert_eq!(hits(&other, 0..500), 500);
}

#[test]
fn a_program_that_has_a_handle_of_the_engine_keeps_it_and_gets_the_tables_space_back() {
    let dir = volatile_dir();
    let store = open(dir.path(), 1 << 30);
    let keyspace = store.keyspace().unwrap();
    fill(&store, 0..2_500);
    keyspace.rotate_memtable_and_wait().unwrap();
    let tables = dir.path().join("bcache/keyspaces");
    assert!(space(&tables) > 19 * MB);
    store.clear().unwrap();
    until_space(&tables, MB);
    fill(&store, 0..10);
    assert_eq!(hits(&store, 0..20), 10);
    // The engine is not closed before the program's handle is dropped.
    drop(store);
    keyspace.insert("mine", "value").unwrap();
    drop(keyspace);
    let store = open(dir.path(), 1 << 30);
    assert_eq!(&*store.keyspace().unwrap().get("mine").unwrap().unwrap(), b"value");
    assert_eq!(hits(&store, 0..20), 10);
}

#[test]
fn a_small_cache_takes_little_space_soon_after_the_last_store() {
    let dir = volatile_dir();
    let store = open(dir.path(), MB);
    // In the middle of a journal.
    fill(&store, 0..5_000);
    assert!(space(dir.path()) > 20 * MB);
    until_space(dir.path(), 4 * MB);
    assert!(hits(&store, 4_900..5_000) == 100);
    drop(store);
    assert!(hits(&open(dir.path(), MB), 4_900..5_000) == 100);
    assert!(warnings(dir.path()).is_empty());
}

#[test]
fn calls_get_right_values_while_space_is_given_back() {
    [false, true].into_iter().for_each(calls_go_on);
}

/// Of three threads that look for values, one stores some as well.
fn calls_go_on(stores: bool) {
    let dir = volatile_dir();
    let store = open(dir.path(), 1 << 30);
    fill(&store, 0..2_500);
    let taken = space(dir.path());
    store.clear().unwrap();
    fill(&store, 0..100);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 0..3 {
            let (store, is_over) = (&store, &is_over);
            scope.spawn(move || {
                let mut random = Random(seed);
                while !is_over.load(Ordering::Relaxed) {
                    let key = random.below(200);
                    assert_eq!(store.get(&key).unwrap(), (key < 100).then(|| value(key)));
                    if stores && seed == 0 {
                        store.insert(&(key % 100), &value(key % 100)).unwrap();
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        until_space(&dir.path().join("bcache/keyspaces"), taken / 5);
        thread::sleep(Duration::from_millis(300));
        is_over.store(true, Ordering::Relaxed);
    });
    drop(store);
    assert_eq!(hits(&open(dir.path(), 1 << 30), 0..2_500), 100);
    assert!(warnings(dir.path()).is_empty());
}

#[test]
fn the_last_store_may_be_dropped_while_space_is_given_back() {
    let dir = volatile_dir();
    for delay in [0, 400, 500, 600, 700, 1_000] {
        let store = open(dir.path(), 1 << 30);
        fill(&store, 0..500);
        store.clear().unwrap();
        fill(&store, 0..10);
        thread::sleep(Duration::from_millis(delay));
        drop(store);
        assert_eq!(hits(&open(dir.path(), 1 << 30), 0..500), 10);
    }
    assert!(warnings(dir.path()).is_empty());
}

#[test]
fn child_that_clears() {
    let Some(mut task) = Task::given() else { return };
    let store = open(&task.dir, 1 << 30);
    fill(&store, 0..500);
    store.clear().unwrap();
    (0..10).for_each(|key| insert(&store, key, &value(key + 1)));
    task.say("cleared");
    task.order();
}

#[test]
fn a_kill_while_space_is_given_back_brings_nothing_back_and_loses_nothing() {
    thread::scope(|scope| {
        for round in 0..8 {
            scope.spawn(move || {
                let dir = volatile_dir();
                let mut child = Child::start("child_that_clears", dir.path());
                assert_eq!(child.hear().as_deref(), Some("cleared"));
                thread::sleep(Duration::from_millis(450));
                child.kill_in(Duration::from_millis(30 * round));
                let store = open(dir.path(), 1 << 30);
                (0..500).for_each(|key| assert_eq!(store.get(&key).unwrap(), (key < 10).then(|| value(key + 1))));
                assert!(warnings(dir.path()).is_empty(), "{:#?}", warnings(dir.path()));
            });
        }
    });
}

#[test]
fn a_closed_database_has_no_long_journal_and_all_its_entries() {
    let dir = volatile_dir();
    for (keys, longest) in [(0..1, 0), (1..2, 1 << 10), (2..4_000, 0), (4_000..4_001, 10 << 10)] {
        let stored = keys.end;
        fill(&open(dir.path(), 1 << 30), keys);
        assert!(journal(dir.path()) <= longest + 8_500, "{} bytes", journal(dir.path()));
        assert_eq!(hits(&open(dir.path(), 1 << 30), 0..stored + 1) as u64, stored);
    }
    // What is replaced or removed after the journal was cut, stays so.
    let store = open(dir.path(), 1 << 30);
    store.insert(&1_u64, &value(9)).unwrap();
    assert!(store.remove(&2_u64).unwrap());
    drop(store);
    let store = open(dir.path(), 1 << 30);
    assert_eq!((store.get(&1_u64).unwrap(), store.get(&2_u64).unwrap()), (Some(value(9)), None));
    assert!(warnings(dir.path()).is_empty());
}

#[test]
fn child_that_closes_and_opens() {
    let Some(task) = Task::given() else { return };
    task.say("begun");
    for round in 0_u64.. {
        let store = open(&task.dir, 1 << 30);
        // So much that the journal is cut.
        (round * 200..(round + 1) * 200).for_each(|key| insert(&store, key, &value(key)));
        task.say((round + 1) * 200);
        drop(store);
    }
}

#[test]
fn a_kill_while_the_database_is_closed_loses_nothing() {
    let mut random = Random(7);
    for round in 0..twat_cache_core::testing::soak("TWAT_CACHE_TEST_KILLS", 12) {
        let dir = volatile_dir();
        let mut child = Child::start("child_that_closes_and_opens", dir.path());
        assert_eq!(child.hear().as_deref(), Some("begun"));
        let mut stored = 0;
        for _ in 0..=random.below(3) {
            stored = child.hear_number();
        }
        // Now it closes.
        child.kill_in(Duration::from_micros(random.below(20_000)));
        assert_eq!(hits(&open(dir.path(), 1 << 30), 0..stored) as u64, stored, "round {round}");
        assert!(warnings(dir.path()).is_empty(), "{:#?}", warnings(dir.path()));
    }
}

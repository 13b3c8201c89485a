//! A process may be killed at any time: the database opens again, and all entries in it are complete and correct.
#![cfg(unix)]

mod common;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use common::{META, NAME, database, log_length, numbers};
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::files::names;
use twat_cache_core::testing::kills::{kill_while_it_is_created, kill_while_it_stores, until_killed};
use twat_cache_core::testing::{Random, record_logs, text, until, volatile_dir, warnings};
use twat_cache_shared::{KeyedStore as _, SharedStore, Store as _, scache};

const LIMIT: u64 = 1 << 20;

/// Full of its key, and up to 8 KB long; some are longer.
fn value(key: u64) -> String {
    let short = usize::try_from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54).unwrap();
    text(key, if key.is_multiple_of(16) { 8000 } else { short })
}

fn open(dir: &Path) -> SharedStore<String> {
    scache("numbers").dir(dir).max_bytes(LIMIT).open().unwrap()
}

#[test]
fn child_that_stores() {
    let Some(mut task) = Task::given() else { return };
    let store = open(&task.dir);
    let start = task.order().unwrap().parse().unwrap();
    until_killed(&mut task, start, |key, random| {
        store.insert(&key, &value(key)).unwrap();
        let earlier = key - random.below(50);
        match random.below(64) {
            0..4 => drop(store.remove(&earlier).unwrap()),
            4..8 => store.insert(&earlier, &value(earlier)).unwrap(),
            8..24 => drop(store.get(&earlier).unwrap()),
            24 if random.below(2) == 0 => store.clear().unwrap(),
            _ => {}
        }
    });
}

/// How many bytes entries take, and how many entries are of a space that is gone, and of one that was cleared.
fn totals(store: &SharedStore<String>) -> (i64, i64, i64) {
    let totals = "SELECT coalesce(sum(length(value) + 64), 0), coalesce(sum(space NOT IN (SELECT no FROM space)), 0),
                  (SELECT count(*) FROM space WHERE id IS NULL) FROM entry";
    let row = |row: &twat_cache_shared::rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    store.with_connection(|connection| connection.query_row(totals, [], row)).unwrap().unwrap()
}

/// Opens the database that was left, and reads all entries.
fn inspect(dir: &Path, keys: Range<u64>) {
    let store = open(dir);
    let is_sound = |connection: &twat_cache_shared::rusqlite::Connection| {
        connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
    };
    assert_eq!(store.with_connection(is_sound).unwrap().unwrap(), "ok");
    let mut hits = 0;
    for key in keys.clone() {
        if let Some(found) = store.get(&key).unwrap() {
            assert!(found == value(key), "a wrong value for {key}");
            hits += 1;
        }
    }
    assert_eq!(store.len().unwrap(), hits, "entries of keys that were never stored");
    store.insert(&keys.end, &value(keys.end)).unwrap();
    assert_eq!(store.get(&keys.end).unwrap(), Some(value(keys.end)));
    store.remove(&keys.end).unwrap();
    let (bytes, orphans, _) = totals(&store);
    assert!(bytes <= i64::try_from(LIMIT + LIMIT / 10).unwrap(), "{bytes} bytes where {LIMIT} may be");
    assert_eq!(orphans, 0);
    drop(store);
    // There is nothing but the database, the counters, and the locks.
    assert_eq!(names(dir), [".gitignore", "CACHEDIR.TAG", "scache"]);
    let mut beside = names(&dir.join("scache"));
    beside.retain(|name| !["1", "lock", "tmp", META].contains(&name.as_str()));
    assert_eq!(beside, [""; 0]);
    assert_eq!(names(&dir.join("scache/tmp")), [""; 0], "left by the process that was killed");
    // A thread may still be writing the log into it.
    until("the last one closes it", || names(&database(dir)) == [NAME]);
}

#[test]
fn a_database_killed_while_it_stores_and_evicts_opens_again() {
    record_logs();
    let dir = volatile_dir();
    kill_while_it_stores("child_that_stores", dir.path(), inspect);
    assert!(warnings(dir.path()).is_empty(), "a kill is no damage: {:#?}", warnings(dir.path()));
}

#[test]
fn child_that_begins() {
    let Some(task) = Task::given() else { return };
    task.say("begun");
    let store = open(&task.dir);
    (0..10_u64).for_each(|key| store.insert(&key, &value(key)).unwrap());
    // The parent reads no more output. Only the time of the kill is random.
    std::thread::park();
}

#[test]
fn a_database_killed_while_it_is_made_can_be_made_again() {
    record_logs();
    kill_while_it_is_created("child_that_begins", Duration::from_millis(8), |dir| {
        inspect(dir, 0..10);
        open(dir).insert(&1_u64, &value(1)).unwrap();
        assert_eq!(open(dir).get(&1_u64).unwrap(), Some(value(1)));
        assert!(warnings(dir).is_empty(), "a kill is no damage: {:#?}", warnings(dir));
    });
}

/// Finds a damaged database, and makes a new one.
#[test]
fn a_database_killed_while_it_is_made_anew_can_be_made_again() {
    record_logs();
    let mut random = Random(5);
    for _ in 0..20 {
        let dir = volatile_dir();
        open(dir.path()).insert(&1_u64, &value(1)).unwrap();
        std::fs::write(database(dir.path()).join(NAME), "garbage").unwrap();
        let mut child = Child::start("child_that_begins", dir.path());
        assert_eq!(child.hear().as_deref(), Some("begun"));
        child.kill_in(Duration::from_micros(random.below(8000)));
        let store = open(dir.path());
        store.insert(&1_u64, &value(1)).unwrap();
        assert_eq!(store.get(&1_u64).unwrap(), Some(value(1)));
        drop(store);
        assert_eq!(open(dir.path()).get(&1_u64).unwrap(), Some(value(1)));
        assert_eq!(numbers(dir.path()), [1, 2], "the damaged one, and the new one");
        assert!(warnings(dir.path()).len() <= 1, "{:#?}", warnings(dir.path()));
    }
}

/// Writes so much that the log is written into the database again and again, and clears: the entries are removed in the
/// background.
#[test]
fn child_that_stores_much() {
    let Some(task) = Task::given() else { return };
    let store = scache("much").dir(&task.dir).max_bytes(40 << 20).open::<String>().unwrap();
    for key in 0_u64.. {
        store.insert(&(key % 500), &text(key % 500, 8000)).unwrap();
        if key.is_multiple_of(60) {
            store.clear().unwrap();
        }
        if key.is_multiple_of(20) {
            task.say("another");
        }
    }
}

#[test]
fn a_database_killed_while_its_log_is_written_into_it_and_while_it_is_cleared_opens_again() {
    record_logs();
    let dir = volatile_dir();
    let mut random = Random(3);
    for _ in 0..10 {
        let mut child = Child::start("child_that_stores_much", dir.path());
        (0..2 + random.below(10)).for_each(|_| drop(child.hear()));
        child.kill_in(Duration::from_micros(random.below(5000)));
        let store = scache("much").dir(dir.path()).max_bytes(40 << 20).open::<String>().unwrap();
        for key in 0..500_u64 {
            assert!(store.get(&key).unwrap().is_none_or(|found| found == text(key, 8000)), "a wrong value for {key}");
        }
        store.clear().unwrap();
        until("what was cleared is removed", || totals(&store) == (0, 0, 0));
        assert!(log_length(dir.path()) < 64 << 20);
    }
    assert_eq!(numbers(dir.path()), [1]);
    assert!(warnings(dir.path()).is_empty(), "a kill is no damage: {:#?}", warnings(dir.path()));
}

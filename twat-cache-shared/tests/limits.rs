//! The limit on bytes holds within a batch of stores, across runs, and whatever the count was before. Evicted, cleared and
//! expired entries leave the database.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::persistent::{Persistent, hits, insert_all, value};
use twat_cache_core::testing::{Counter, text, until, volatile_dir};
use twat_cache_shared::{KeyedStore as _, ManualClock, SharedBuilder, SharedStore, Store as _, scache};

use common::numbers::first;

const SHARED: Persistent<SharedStore<String>> = Persistent {
    open: |options| SharedBuilder::from(options).open(),
    // What counts for an entry beside its value, and what rkyv adds to a string.
    overhead: 64 + 8,
};

fn cache(dir: &Path, entries: u64) -> SharedBuilder {
    SHARED.options(dir, entries).into()
}

/// How many rows there are, of whatever name.
fn rows<V>(store: &SharedStore<V>) -> u64 {
    number(store, "SELECT count(*) FROM entry")
}

/// How many bytes are counted for all names.
fn counted<V>(store: &SharedStore<V>) -> u64 {
    number(store, "SELECT sum(bytes) FROM name")
}

/// How many bytes there are in truth.
fn in_truth<V>(store: &SharedStore<V>) -> u64 {
    number(store, "SELECT coalesce(sum(length(value) + 64), 0) FROM entry")
}

fn number<V>(store: &SharedStore<V>, query: &str) -> u64 {
    store
        .with_connection(|connection| connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap())
        .unwrap()
        .cast_unsigned()
}

#[test]
fn a_value_as_large_as_the_limit_is_stored_and_a_larger_one_evicts_nothing() {
    SHARED.a_value_as_large_as_the_limit_is_stored_and_a_larger_one_evicts_nothing();
}

#[test]
fn the_limit_holds_from_one_run_to_the_next() {
    SHARED.the_limit_holds_from_one_run_to_the_next(190);
}

#[test]
fn replacing_an_entry_over_and_over_evicts_no_other() {
    SHARED.replacing_an_entry_over_and_over_evicts_no_other(102);
}

#[test]
fn a_smaller_limit_holds_from_the_next_entry_on() {
    SHARED.a_smaller_limit_holds_from_the_next_entry_on(49, 49);
}

#[test]
fn versions_share_the_limit_of_their_name_and_other_names_have_their_own() {
    SHARED.versions_share_the_limit_of_their_name_and_other_names_have_their_own(49);
}

#[test]
fn with_the_largest_limit_nothing_is_evicted() {
    let dir = volatile_dir();
    let store = scache("name").dir(dir.path()).max_bytes(u64::MAX).open::<String>().unwrap();
    insert_all(&store, 0..100);
    assert_eq!((hits(&store, 0..100), store.evictions()), (100, 0));
}

#[test]
fn evicted_entries_leave_the_database_and_entries_in_use_stay() {
    let dir = volatile_dir();
    let store = SHARED.limited(dir.path(), 200);
    for n in 0..2000 {
        insert_all(&store, [n]);
        // Uses are written down by 64 at a time, and each time that something is evicted.
        if n % 10 == 9 {
            assert_eq!(hits(&store, 0..10), 10, "an entry in use was evicted");
        }
        if n >= 200 {
            let left = rows(&store);
            assert!((190..=201).contains(&left), "{left} entries where 200 may be");
        }
    }
    drop(store);
    let store = SHARED.limited(dir.path(), 200);
    assert_eq!(hits(&store, 0..10), 10);
    assert_eq!(rows(&store), store.len().unwrap() as u64);
}

#[test]
fn a_use_by_one_store_counts_when_another_one_evicts() {
    let dir = volatile_dir();
    let [reader, writer] = [(); 2].map(|()| SHARED.limited(dir.path(), 200));
    insert_all(&writer, 0..200);
    // So many uses are written down at once.
    assert_eq!(hits(&reader, 0..64), 64);
    insert_all(&writer, 200..330);
    assert_eq!(hits(&writer, 0..64), 64);
    assert_eq!(hits(&writer, 64..200), 6, "the others are evicted in their order");
}

#[test]
fn entries_in_use_of_one_version_stay_while_another_is_filled() {
    let dir = volatile_dir();
    let [few, many]: [SharedStore<String>; 2] =
        [1, 2].map(|version| cache(dir.path(), 200).version(version).open().unwrap());
    insert_all(&few, 0..64);
    for n in 0..1000 {
        insert_all(&many, [n]);
        if n % 50 == 0 {
            assert_eq!(hits(&few, 0..64), 64, "evicted after {n}");
        }
    }
    // What is stored now is new, whenever this version was last written to.
    insert_all(&few, [64]);
    insert_all(&many, 2000..2050);
    assert_eq!(hits(&few, [64]), 1);
}

#[test]
fn expired_entries_leave_the_database() {
    let dir = volatile_dir();
    let hand = ManualClock::new();
    let store = cache(dir.path(), 500).ttl(Duration::from_secs(60)).clock(hand.clock()).open::<String>().unwrap();
    insert_all(&store, 0..100);
    hand.advance(Duration::from_secs(60));
    assert_eq!(rows(&store), 100);
    // For each entry that is stored, five are looked at.
    insert_all(&store, 100..130);
    assert_eq!((rows(&store), hits(&store, 0..130)), (30, 30));
    drop(store);
    let store = cache(dir.path(), 500).open::<String>().unwrap();
    assert_eq!(counted(&store), in_truth(&store));
}

#[test]
fn cleared_entries_leave_the_database_and_the_file_gets_smaller() {
    let dir = volatile_dir();
    let store = SHARED.limited(dir.path(), 10_000);
    insert_all(&store, 0..8000);
    let file = || {
        fs::metadata(first(dir.path())).unwrap().len()
            + fs::metadata(first(dir.path()).with_extension("db-wal")).unwrap().len()
    };
    let before = file();
    assert!(before > 8_000_000, "{before}");
    store.clear().unwrap();
    insert_all(&store, 0..10);
    until("they are removed", || rows(&store) == 10);
    until("their space is given back", || file() < before / 4);
    assert_eq!(hits(&store, 0..8000), 10);
    drop(store);
    let store = SHARED.limited(dir.path(), 10_000);
    assert_eq!(counted(&store), in_truth(&store));
}

#[test]
fn with_a_limit_of_zero_every_call_computes_and_nothing_is_written() {
    let dir = volatile_dir();
    let computed = Counter::new();
    let memo = scache("name").dir(dir.path()).max_bytes(0).wrap(|key: &u64| {
        computed.count();
        value(*key)
    });
    for _ in 0..3 {
        assert_eq!(memo.call(&1), value(1));
    }
    assert_eq!((computed.get(), memo.len().unwrap()), (3, 0));
    assert!(!dir.path().join("scache").exists());
}

#[test]
fn a_smaller_limit_evicts_nothing_for_an_entry_that_is_larger() {
    let dir = volatile_dir();
    let [large, small] =
        [1 << 20, 10_000].map(|limit| scache("numbers").dir(dir.path()).max_bytes(limit).open().unwrap());
    // Of 40 KB each: the first one is old in the end.
    (0..25).for_each(|key| large.insert(&key, &text(key, 5000)).unwrap());
    assert!(small.get(&0_u64).unwrap() == Some(text(0, 5000)));
    assert_eq!(large.len().unwrap(), 25);
}

#[test]
fn child_that_is_killed_before_it_has_written_down_its_bytes() {
    let Some(mut task) = Task::given() else { return };
    let store = SHARED.limited(&task.dir, 10_000);
    insert_all(&store, 0..20);
    task.say(counted(&store) < in_truth(&store));
    task.order();
}

#[test]
fn the_count_of_bytes_is_right_again_after_processes_were_killed() {
    let dir = volatile_dir();
    for _ in 0..5 {
        let mut child = Child::start("child_that_is_killed_before_it_has_written_down_its_bytes", dir.path());
        assert_eq!(child.hear().unwrap(), "true", "there is nothing to lose");
        child.kill();
    }
    assert_right_in_the_end(dir.path());
}

#[test]
fn the_count_of_bytes_is_right_again_whatever_it_was() {
    for count in ["0", "bytes * 100", "bytes / 2"] {
        let dir = volatile_dir();
        let store = SHARED.limited(dir.path(), 200);
        insert_all(&store, 0..100);
        let change = format!("UPDATE name SET bytes = {count}");
        store.with_connection(|connection| connection.execute(&change, []).unwrap()).unwrap();
        drop(store);
        assert_right_in_the_end(dir.path());
    }
}

/// When the hand has gone over all entries, the count is right, and the limit holds.
fn assert_right_in_the_end(dir: &Path) {
    let store = SHARED.limited(dir, 200);
    insert_all(&store, 1000..2000);
    let kept = hits(&store, 0..2000);
    assert!((195..=200).contains(&kept), "{kept} entries where 200 may be");
    drop(store);
    let store = SHARED.limited(dir, 200);
    assert_eq!(counted(&store), in_truth(&store));
}

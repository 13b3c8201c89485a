//! The limit on bytes is exact, across runs, and the disk space of evicted, cleared and expired entries is freed.

use std::path::Path;
use std::time::Duration;

use twat_cache_core::testing::persistent::{Persistent, hits, insert_all, value};
use twat_cache_core::testing::{Counter, text};
use twat_cache_disk::{DiskBuilder, DiskStore, KeyedStore as _, ManualClock, Store as _, bcache};

const DISK: Persistent<DiskStore<String>> = Persistent {
    open: |options| DiskBuilder::from(options).open(),
    // Key and header, and what rkyv adds to a string.
    overhead: 48,
};

fn cache(dir: &Path, entries: u64) -> DiskBuilder {
    DISK.options(dir, entries).into()
}

/// Moves all that the engine has in memory to disk, and there to the last level.
fn compact(store: &DiskStore<String>) -> u64 {
    let keyspace = store.keyspace().unwrap();
    keyspace.rotate_memtable_and_wait().unwrap();
    keyspace.major_compact().unwrap();
    keyspace.len().unwrap() as u64
}

/// The secret, and a record of each area.
const ACCOUNTS: u64 = 4;

#[test]
fn a_value_as_large_as_the_limit_is_stored_and_a_larger_one_evicts_nothing() {
    DISK.a_value_as_large_as_the_limit_is_stored_and_a_larger_one_evicts_nothing();
}

#[test]
fn the_limit_holds_from_one_run_to_the_next() {
    DISK.the_limit_holds_from_one_run_to_the_next(150);
}

#[test]
fn replacing_an_entry_over_and_over_evicts_no_other() {
    DISK.replacing_an_entry_over_and_over_evicts_no_other(200);
}

#[test]
fn evicted_entries_leave_the_disk_and_entries_in_use_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = DISK.limited(dir.path(), 200);
    for n in 0..2000 {
        insert_all(&store, [n]);
        if n % 10 == 9 {
            assert_eq!(hits(&store, 0..10), 10, "an entry in use was evicted");
        }
        if n % 500 == 499 {
            let left = compact(&store);
            assert!(left <= 200 + ACCOUNTS, "{left} entries on disk where 200 may be");
            assert!(left >= 150, "{left} entries on disk where 200 may be");
        }
    }
    drop(store);
    let store = DISK.limited(dir.path(), 200);
    assert_eq!(hits(&store, 0..10), 10);
    assert_eq!(compact(&store), store.len().unwrap() as u64 + 2);
}

#[test]
fn cleared_entries_leave_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = DISK.limited(dir.path(), 200);
    insert_all(&store, 0..100);
    compact(&store);
    store.clear().unwrap();
    insert_all(&store, 0..10);
    let left = compact(&store);
    assert!(left <= 10 + ACCOUNTS, "{left} entries on disk");
    assert_eq!(hits(&store, 0..100), 10);
}

#[test]
fn expired_entries_leave_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let hand = ManualClock::new();
    let builder = cache(dir.path(), 500).ttl(Duration::from_secs(60)).clock(hand.clock());
    let store: DiskStore<String> = builder.open().unwrap();
    insert_all(&store, 0..100);
    compact(&store);
    hand.advance(Duration::from_secs(30));
    insert_all(&store, 50..150);
    hand.advance(Duration::from_secs(30));
    let left = compact(&store);
    assert!((100..=100 + ACCOUNTS).contains(&left), "{left} entries on disk");
    assert_eq!(hits(&store, 0..150), 100);
    hand.advance(Duration::from_secs(30));
    let left = compact(&store);
    assert!(left <= ACCOUNTS, "{left} entries on disk");
}

#[test]
fn a_smaller_limit_holds_from_the_next_entry_on() {
    DISK.a_smaller_limit_holds_from_the_next_entry_on(25, 1);
}

#[test]
fn with_a_limit_of_zero_every_call_computes_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let computed = Counter::new();
    let memo = bcache("name").dir(dir.path()).max_bytes(0).wrap(|key: &u64| {
        computed.count();
        value(*key)
    });
    for _ in 0..3 {
        assert_eq!(memo.call(&1), value(1));
    }
    assert_eq!(computed.get(), 3);
    assert!(!dir.path().join("bcache").exists());
}

#[test]
fn versions_share_the_limit_of_their_name_and_other_names_have_their_own() {
    DISK.versions_share_the_limit_of_their_name_and_other_names_have_their_own(20);
}

#[test]
fn entries_in_use_of_one_version_stay_while_another_is_filled() {
    let dir = tempfile::tempdir().unwrap();
    let [few, many]: [DiskStore<String>; 2] =
        [1, 2].map(|version| cache(dir.path(), 200).version(version).open().unwrap());
    insert_all(&few, 0..5);
    for n in 0..2000 {
        insert_all(&many, [n]);
        if n % 10 == 0 {
            assert_eq!(hits(&few, 0..5), 5, "evicted after {n}");
        }
    }
    // What is stored now is new, whenever this version was last written to.
    insert_all(&few, [5]);
    insert_all(&many, 2000..2050);
    assert_eq!(hits(&few, [5]), 1);
}

#[test]
fn a_smaller_limit_evicts_nothing_for_an_entry_that_is_larger() {
    let dir = tempfile::tempdir().unwrap();
    let [large, small] =
        [1 << 20, 10_000].map(|limit| bcache("numbers").dir(dir.path()).max_bytes(limit).open().unwrap());
    // Of 40 KB each: the first one is old in the end.
    (0..25).for_each(|key| large.insert(&key, &text(key, 5000)).unwrap());
    assert!(small.get(&0_u64).unwrap() == Some(text(0, 5000)));
    assert_eq!(large.len().unwrap(), 25);
}

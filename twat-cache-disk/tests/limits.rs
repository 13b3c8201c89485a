//! What the limit on bytes means on disk: to the byte, from one run to the next, and for what is beside it.

mod common;

use std::path::Path;
use std::time::Duration;

use twat_cache_core::testing::Counter;
use twat_cache_disk::{DiskBuilder, DiskStore, KeyedStore as _, ManualClock, Store as _, bcache};

/// Of a length that rkyv need not pad.
const LEN: usize = 1000;
/// With key and header, and what rkyv adds to a string.
const ENTRY: u64 = LEN as u64 + 48;

fn value(key: u64) -> String {
    format!("{key:0>LEN$}")
}

fn cache(dir: &Path, entries: u64) -> DiskBuilder {
    bcache("name").dir(dir).max_bytes(entries * ENTRY)
}

fn insert_all(store: &DiskStore<String>, keys: impl IntoIterator<Item = u64>) {
    keys.into_iter().for_each(|key| store.insert(&key, &value(key)).unwrap());
}

/// How many of these are there, all of them right.
fn hits(store: &DiskStore<String>, keys: impl IntoIterator<Item = u64>) -> u64 {
    let found = keys.into_iter().filter_map(|key| Some((key, store.get(&key).unwrap()?)));
    found.map(|(key, found)| assert_eq!(found, value(key))).count() as u64
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
fn a_value_as_large_as_the_limit_is_kept_and_a_larger_one_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store: DiskStore<String> = cache(dir.path(), 10).open().unwrap();
    insert_all(&store, 0..5);
    let larger = "x".repeat(10 * (LEN + 48) - 48 + 1);
    store.insert(&5_u64, &larger).unwrap();
    assert_eq!(store.get(&5_u64).unwrap(), None);
    assert_eq!(hits(&store, 0..5), 5);
    // Nor does it leave an older one of its own key.
    store.insert(&4_u64, &larger).unwrap();
    assert_eq!(store.get(&4_u64).unwrap(), None);
    assert_eq!(hits(&store, 0..4), 4);
    let as_large = larger[1..].to_owned();
    store.insert(&5_u64, &as_large).unwrap();
    assert_eq!(store.get(&5_u64).unwrap(), Some(as_large));
    assert_eq!(store.len().unwrap(), 1);
}

#[test]
fn the_limit_holds_from_one_run_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    for run in 0..20 {
        let store: DiskStore<String> = cache(dir.path(), 200).open().unwrap();
        insert_all(&store, run * 30..(run + 1) * 30);
        assert_eq!(hits(&store, run * 30..(run + 1) * 30), 30);
        let kept = hits(&store, 0..(run + 1) * 30);
        assert_eq!(kept, store.len().unwrap() as u64);
        let least = ((run + 1) * 30).min(150);
        assert!((least..=200).contains(&kept), "{kept} of 200 in run {run}");
    }
}

#[test]
fn replacing_one_entry_over_and_over_evicts_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store: DiskStore<String> = cache(dir.path(), 200).open().unwrap();
    insert_all(&store, 0..100);
    for _ in 0..2000 {
        insert_all(&store, [100]);
    }
    assert_eq!(hits(&store, 0..=100), 101);
    for n in 0..1000 {
        assert!(store.remove(&(n % 10)).unwrap());
        insert_all(&store, [n % 10]);
    }
    assert_eq!(hits(&store, 0..=100), 101);
}

#[test]
fn what_is_evicted_leaves_the_disk_and_what_is_used_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store: DiskStore<String> = cache(dir.path(), 200).open().unwrap();
    for n in 0..2000 {
        insert_all(&store, [n]);
        if n % 10 == 9 {
            assert_eq!(hits(&store, 0..10), 10, "what is used was evicted");
        }
        if n % 500 == 499 {
            let left = compact(&store);
            assert!(left <= 200 + ACCOUNTS, "{left} entries on disk where 200 may be");
            assert!(left >= 150, "{left} entries on disk where 200 may be");
        }
    }
    drop(store);
    let store: DiskStore<String> = cache(dir.path(), 200).open().unwrap();
    assert_eq!(hits(&store, 0..10), 10);
    assert_eq!(compact(&store), store.len().unwrap() as u64 + 2);
}

#[test]
fn what_was_cleared_leaves_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store: DiskStore<String> = cache(dir.path(), 200).open().unwrap();
    insert_all(&store, 0..100);
    compact(&store);
    store.clear().unwrap();
    insert_all(&store, 0..10);
    let left = compact(&store);
    assert!(left <= 10 + ACCOUNTS, "{left} entries on disk");
    assert_eq!(hits(&store, 0..100), 10);
}

#[test]
fn what_has_expired_leaves_the_disk() {
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
fn a_smaller_limit_than_last_time_holds_from_the_next_entry_on() {
    let dir = tempfile::tempdir().unwrap();
    insert_all(&cache(dir.path(), 200).open().unwrap(), 0..190);
    let store: DiskStore<String> = cache(dir.path(), 50).open().unwrap();
    insert_all(&store, [190]);
    let kept = hits(&store, 0..=190);
    assert!((25..=50).contains(&kept), "{kept} of 50");
    assert_eq!(hits(&store, [190]), 1);
    // And a larger one throws nothing out.
    drop(store);
    let store: DiskStore<String> = cache(dir.path(), 500).open().unwrap();
    insert_all(&store, 300..600);
    assert_eq!(hits(&store, 0..=190), kept);
}

#[test]
fn no_room_at_all_means_to_compute_every_time_and_to_write_nothing() {
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
    let dir = tempfile::tempdir().unwrap();
    let [old, new]: [DiskStore<String>; 2] =
        [1, 2].map(|version| cache(dir.path(), 200).version(version).open().unwrap());
    let other: DiskStore<String> = bcache("other").dir(dir.path()).max_bytes(200 * ENTRY).open().unwrap();
    insert_all(&old, 0..150);
    insert_all(&other, 0..150);
    insert_all(&new, 0..150);
    assert_eq!(hits(&new, 0..150), 150, "the old version goes first");
    let kept = hits(&old, 0..150);
    assert!((20..=50).contains(&kept), "{kept} of the old version");
    assert_eq!(hits(&other, 0..150), 150);
}

#[test]
fn what_is_used_of_one_version_stays_while_another_is_filled() {
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

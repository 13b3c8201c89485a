//! A copy of an entry is valid until any process forgets, refreshes or clears it, and has said so by a stamp.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::blocks;
use twat_cache_core::Stamp;
use twat_cache_core::testing::child::{Child, Task};
use twat_cache_core::testing::owners::set_mode;
use twat_cache_core::testing::persistent::insert_all;
use twat_cache_core::testing::volatile_dir;
use twat_cache_core::{KeyedStore as _, Ticket, Trust};
use twat_cache_file::{FileStore, Store as _, fcache};

fn open(dir: &Path) -> FileStore<u64> {
    fcache("stamped").dir(dir).trust(Trust::Group).open().unwrap()
}

#[test]
fn child_that_changes_an_entry() {
    let Some(mut task) = Task::given() else { return };
    let store = open(&task.dir);
    while let Some(order) = task.order() {
        let (change, key) = order.split_once(' ').unwrap();
        change_entry(&store, change, key.parse().unwrap());
        task.say("done");
    }
}

fn change_entry(store: &FileStore<u64>, change: &str, key: u64) {
    match change {
        "store" => store.insert(&key, &0).unwrap(),
        "forget" => drop(store.remove(&key).unwrap()),
        "refresh" => {
            let ticket = Ticket { is_refresh: true, ..store.begin(&key) };
            assert!(store.insert_begun(&key, &1, None, ticket).unwrap());
        }
        _ => store.clear().unwrap(),
    }
}

const CHANGES: [&str; 4] = ["store", "forget", "refresh", "clear"];

#[test]
fn a_stamp_is_valid_until_another_process_changes_the_entry() {
    for is_mapped in [true, false] {
        let dir = volatile_dir();
        let store = open(dir.path());
        if !is_mapped {
            // Where a group can write, nothing is mapped.
            set_mode(store.path(), 0o770);
        }
        let store = open(dir.path());
        assert!(store.is_shared());
        let mut other = Child::start("child_that_changes_an_entry", dir.path());
        for change in CHANGES {
            store.insert(&1_u64, &7).unwrap();
            let stamp = store.stamp(&1_u64).unwrap();
            assert_eq!(store.get(&1_u64).unwrap(), Some(7));
            assert!(store.is_current(stamp) && store.is_current(stamp), "before a {change}");
            other.tell(format_args!("{change} 1"));
            other.hear().unwrap();
            assert!(!store.is_current(stamp), "after a {change}");
            assert_ne!(store.stamp(&1_u64), Some(stamp), "after a {change}");
        }
        drop(other.finish());
    }
}

#[test]
fn a_stamp_stays_valid_when_entries_of_other_stripes_change() {
    let dir = volatile_dir();
    let [store, other] = [(); 2].map(|()| open(dir.path()));
    let stripe = |key: u64| store.stamp(&key).unwrap().stripe;
    let neighbours: Vec<u64> = (2..200).filter(|key| stripe(*key) != stripe(1)).collect();
    let near = (2..100_000).find(|key| stripe(*key) == stripe(1)).unwrap();
    store.insert(&1_u64, &7).unwrap();
    let stamp = store.stamp(&1_u64).unwrap();
    for key in &neighbours {
        CHANGES[..3].iter().for_each(|change| change_entry(&other, change, *key));
    }
    assert!(store.is_current(stamp));
    change_entry(&other, "forget", near);
    assert!(!store.is_current(stamp), "nobody knows which one of the stripe has changed");
}

#[test]
fn a_stamp_outlives_evictions() {
    let dir = volatile_dir();
    let [store, other] = [(); 2].map(|()| blocks().limited(dir.path(), 100).0);
    insert_all(&other, 0..100);
    let stamps: Vec<Stamp> = (0..100_u64).map(|key| store.stamp(&key).unwrap()).collect();
    insert_all(&other, 1000..1012);
    let valid = stamps.iter().filter(|stamp| store.is_current(**stamp)).count();
    // The new ones have stripes of their own, and few of them are one of these.
    assert!(valid >= 80, "{valid} of 100");
    assert!(other.evictions() > 0);
}

#[test]
fn a_stamp_is_not_valid_after_the_counters_were_lost() {
    let dir = volatile_dir();
    let store = open(dir.path());
    store.insert(&1_u64, &7).unwrap();
    for is_moved in [false, true] {
        let stamp = store.stamp(&1_u64).unwrap();
        assert!(store.is_current(stamp));
        if is_moved {
            fs::rename(store.path(), dir.path().join("away")).unwrap();
        } else {
            fs::remove_file(store.path().join("meta")).unwrap();
        }
        // It is noticed within ten milliseconds.
        std::thread::sleep(Duration::from_millis(20));
        assert!(!store.is_current(stamp));
        open(dir.path()).remove(&1_u64).unwrap();
        assert!(!store.is_current(stamp));
    }
}

#[test]
fn without_a_directory_there_is_no_stamp() {
    let dir = volatile_dir();
    let store = fcache("stamped").dir(dir.path()).build::<u64>();
    assert!(!store.is_current(Stamp { stripe: 0, generation: 0 }), "it is not open");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(fcache("stamped").dir(file).build::<u64>().stamp(&1_u64), None);
}

//! A store for n entries holds any n entries, and never more than a tenth above n.
//!
//! With `TWAT_CACHE_LONG_TESTS` set, the same for larger stores and more sets of keys.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use twat_cache_mem::{KeyedStore, MemStore, Store, mcache};

fn is_long() -> bool {
    std::env::var_os("TWAT_CACHE_LONG_TESTS").is_some()
}

/// How many sets of keys to try with this many entries each. It keeps the test at one or two seconds.
fn sets(entries: usize) -> Range<u64> {
    0..(if is_long() { 30_000_000 } else { 20_000 } / entries as u64).clamp(1, 2000)
}

/// Keys that no other set has.
fn keys(set: u64, count: usize) -> impl Iterator<Item = u64> + Clone {
    (set << 32..).take(count)
}

fn store(max_entries: usize, keys: impl Iterator<Item = u64>) -> MemStore<u64, u64> {
    let store = mcache().max_entries(max_entries).open();
    keys.for_each(|key| store.insert(&key, &key).unwrap());
    store
}

fn holds(store: &MemStore<u64, u64>, mut keys: impl Iterator<Item = u64>) -> bool {
    keys.all(|key| store.get(&key).unwrap() == Some(key))
}

#[test]
fn as_many_keys_as_the_limit_allows_are_all_kept() {
    let large = if is_long() { vec![100_000, 1_000_000] } else { vec![100_000] };
    for max_entries in
        (1..=20).chain([100, 128, 255, 256, 257, 511, 512, 1000, 1024, 2048, 5000, 10_000, 20_000]).chain(large)
    {
        for set in sets(max_entries) {
            let keys = keys(set, max_entries);
            let store = store(max_entries, keys.clone());
            assert_eq!(store.len().unwrap(), max_entries, "set {set}");
            assert!(holds(&store, keys), "{max_entries}, set {set}");
        }
    }
}

#[test]
fn a_thousand_keys_fit_into_the_default() {
    for set in sets(1000) {
        let memo = mcache().wrap(|n: &u64| *n);
        keys(set, 1000).for_each(|key| assert_eq!(memo.call(&key), key));
        assert!(holds(memo.store(), keys(set, 1000)), "set {set}");
    }
}

#[test]
fn a_store_never_holds_more_than_a_tenth_above_its_limit() {
    for max_entries in (1..=20).chain([100, 127, 128, 255, 256, 300, 511, 512, 1000, 1024, 2048, 10_000]) {
        for set in sets(max_entries * 4) {
            let store = store(max_entries, std::iter::empty());
            let mut most = 0;
            for key in keys(set, max_entries * 4) {
                store.insert(&key, &key).unwrap();
                most = most.max(store.len().unwrap());
            }
            assert!(most <= max_entries + max_entries / 10, "{most} of {max_entries}, set {set}");
            assert!(store.len().unwrap() >= max_entries, "set {set}");
        }
    }
}

#[test]
fn storing_an_entry_again_evicts_nothing() {
    for max_entries in [100, 1024, 5000] {
        let store = store(max_entries, keys(0, max_entries));
        keys(0, max_entries).for_each(|key| store.insert(&key, &key).unwrap());
        assert!(holds(&store, keys(0, max_entries)), "{max_entries}");
    }
}

#[test]
fn a_store_that_was_full_has_its_whole_capacity_after_clear() {
    let store = store(1024, keys(0, 5000));
    store.clear().unwrap();
    assert_eq!(store.len().unwrap(), 0);
    keys(1, 1024).for_each(|key| store.insert(&key, &key).unwrap());
    assert!(holds(&store, keys(1, 1024)));
}

#[test]
fn removing_an_entry_makes_room() {
    let store = store(1024, keys(0, 1024));
    for (old, new) in keys(0, 1000).zip(keys(1, 1000)) {
        assert!(store.remove(&old).unwrap());
        store.insert(&new, &new).unwrap();
    }
    assert!(holds(&store, keys(1, 1000)) && holds(&store, keys(0, 1024).skip(1000)));
}

#[test]
fn the_limit_holds_while_several_threads_store() {
    let (store, most) = (mcache().max_entries(2048).open::<u64, u64>(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for set in 0..4 {
            let (store, most) = (&store, &most);
            scope.spawn(move || {
                for key in keys(set, 5000) {
                    // On a very busy machine, an entry is not stored if its lock is not free in time.
                    let _ = store.insert(&key, &key);
                    most.fetch_max(store.len().unwrap(), Ordering::Relaxed);
                }
            });
        }
    });
    let most = most.into_inner();
    assert!((2048..=2048 + 204).contains(&most), "{most}");
    let counted = store.cache().weight();
    assert_eq!(store.len().unwrap() as u64, counted, "what is counted is what is there");
}

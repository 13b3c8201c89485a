//! Which entries are evicted: the oldest ones, whichever store has stored them, and no more than necessary.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Settled, blocks, entries_below, held, hold, settle};
use twat_cache_core::testing::persistent::{hits, insert_all};
use twat_cache_core::testing::volatile_dir;
use twat_cache_file::{KeyedStore as _, Store as _};

#[test]
fn older_entries_of_another_store_are_evicted_before_newer_ones_of_this() {
    let dir = volatile_dir();
    let open = || blocks().limited(dir.path(), 200);
    let [ours, theirs] = [open(), open()];
    insert_all(&ours, [0]);
    insert_all(&theirs, 1000..1180);
    insert_all(&ours, 1..25);
    assert_eq!(hits(&ours, 1..25), 24, "the least recently used are the other's");
    let kept = hits(&theirs, 1000..1180);
    assert!((150..180).contains(&kept), "{kept}");
}

/// A listing may find that an entry is gone before the thread that has removed it subtracts it. Then it is subtracted twice,
/// until the next listing.
fn assert_counted(cache: &Path) {
    let (counted, there) = (held(cache), entries_below(cache).1);
    assert!(counted.abs_diff(there) <= 8 * blocks().entry(), "{counted} bytes are counted where {there} are");
}

#[test]
fn no_more_than_a_tenth_is_evicted_while_several_stores_insert() {
    let dir = volatile_dir();
    // Stores of their own do not know of each other, as if in several processes.
    let open = || blocks().limited(dir.path(), 2000);
    let store = open();
    insert_all(&store, 0..2000);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let storing = [1, 2, 3, 4]
            .map(|part| scope.spawn(move || insert_all(&open(), part * 1_000_000..part * 1_000_000 + 3000)));
        let watching = scope.spawn(|| {
            // A listing misses entries that are stored meanwhile, so the count in `meta` is what is watched.
            let cache = open().0.path().to_owned();
            std::iter::repeat_with(|| held(&cache)).take_while(|_| !done.load(Ordering::Relaxed)).min()
        });
        for thread in storing {
            thread.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let fewest = watching.join().unwrap().unwrap();
        // The tenth of free room makes it 1800, minus entries that are being replaced.
        let fewest = fewest / blocks().entry();
        assert!(fewest >= 1750, "{fewest} of 2000 were left");
    });
    settle(store.0.path());
    assert_counted(store.0.path());
}

#[cfg(unix)]
#[test]
fn the_limit_holds_beside_a_directory_that_cannot_be_listed() {
    let dir = volatile_dir();
    let store = blocks().limited(dir.path(), 50);
    // A link that leads to itself, in place of another version's directory: not even root can list it.
    let of_another = store.0.path().join("0123456789abcdef");
    std::os::unix::fs::symlink(&of_another, &of_another).unwrap();
    insert_all(&store, 0..500);
    let kept = hits(&store, 0..500);
    assert!((40..=50).contains(&kept), "{kept} of 50");
}

#[test]
fn an_entry_that_was_already_removed_is_forgotten_by_all_stores() {
    let dir = volatile_dir();
    let [ours, theirs] = [0, 1].map(|_| blocks().limited(dir.path(), 50));
    insert_all(&ours, [1]);
    assert_eq!(hits(&theirs, [1]), 1);
    // As another process does that evicts, before it updates the counters.
    std::fs::remove_file(ours.0.path_of(&1_u64).unwrap()).unwrap();
    assert!(!ours.remove(&1_u64).unwrap());
    assert_eq!(hits(&theirs, [1]), 0);
}

#[test]
fn a_store_counts_the_entries_that_it_evicts_because_of_the_limit() {
    let dir = volatile_dir();
    let [ours, theirs] = [0, 1].map(|_| blocks().limited(dir.path(), 50));
    insert_all(&ours, 0..50);
    assert!(ours.remove(&0_u64).unwrap());
    insert_all(&ours, 1..10);
    assert_eq!(ours.evictions(), 0, "entries that are removed or replaced do not count");
    insert_all(&ours, 50..150);
    let evicted = 149 - ours.len().unwrap() as u64;
    assert!(evicted >= 99);
    assert_eq!([ours.evictions(), theirs.evictions()], [evicted, 0]);
    std::fs::remove_dir_all(ours.0.path()).unwrap();
    insert_all(&ours, [1]);
    assert_eq!(ours.evictions(), evicted);
}

#[test]
fn a_store_that_crosses_the_limit_evicts_nothing_itself_up_to_a_tenth_above_it() {
    let dir = volatile_dir();
    let Settled(store) = blocks().limited(dir.path(), 100);
    insert_all(&store, 0..100);
    let limit = held(store.path());
    let held_back = hold(store.path());
    insert_all(&store, 100..110);
    assert_eq!((entries_below(store.path()).0, store.evictions()), (110, 0), "the thread is held back that evicts");
    // Then each store evicts as well. It does not wait for the other process.
    for n in 110..300 {
        insert_all(&store, [n]);
        assert!(held(store.path()) <= limit + limit / 10);
    }
    assert_eq!(hits(&store, 250..300), 50, "the oldest ones are evicted");
    drop(held_back);
    insert_all(&store, [300]);
    settle(store.path());
    let left = entries_below(store.path()).0;
    assert!((90..=100).contains(&left), "{left} of 100");
}

#[test]
fn the_limit_holds_within_a_tenth_while_four_threads_store_as_fast_as_they_can() {
    let dir = volatile_dir();
    let open = || blocks().limited(dir.path(), 1000).0;
    let store = open();
    insert_all(&store, [0]);
    let done = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let storing =
            [1, 2, 3, 4].map(|part| scope.spawn(move || insert_all(&open(), part * 10_000..part * 10_000 + 2000)));
        let watching = scope.spawn(|| {
            std::iter::repeat_with(|| held(store.path())).take_while(|_| !done.load(Ordering::Relaxed)).max()
        });
        for thread in storing {
            thread.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        watching.join().unwrap().unwrap()
    });
    // And one entry that each thread is just storing.
    assert!(most <= 1104 * blocks().entry(), "{} of 1000", most / blocks().entry());
    settle(store.path());
    assert_counted(store.path());
}

//! Which entries are evicted: the oldest ones, whichever store has stored them, and no more than necessary.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use twat_cache_core::testing::persistent::{Persistent, hits, insert_all};
use twat_cache_core::testing::volatile_dir;
use twat_cache_file::{FileBuilder, FileStore, KeyedStore as _, Store as _};

const FILES: Persistent<FileStore<String>> =
    Persistent { open: |options| FileBuilder::from(options).open(), overhead: 72 };

#[test]
fn older_entries_of_another_store_are_evicted_before_newer_ones_of_this() {
    let dir = volatile_dir();
    let open = || FILES.limited(dir.path(), 200);
    let [ours, theirs] = [open(), open()];
    insert_all(&ours, [0]);
    insert_all(&theirs, 1000..1180);
    insert_all(&ours, 1..25);
    assert_eq!(hits(&ours, 1..25), 24, "the least recently used are the other's");
    let kept = hits(&theirs, 1000..1180);
    assert!((150..180).contains(&kept), "{kept}");
}

#[test]
fn no_more_than_a_tenth_is_evicted_while_several_stores_insert() {
    let dir = volatile_dir();
    // Stores of their own do not know of each other, as if in several processes.
    let open = || FILES.limited(dir.path(), 2000);
    insert_all(&open(), 0..2000);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let storing = [1, 2, 3, 4]
            .map(|part| scope.spawn(move || insert_all(&open(), part * 1_000_000..part * 1_000_000 + 3000)));
        let watching = scope.spawn(|| {
            let store = open();
            // A listing misses entries that are stored meanwhile, some dozens on a busy machine. So the larger of two
            // listings counts.
            let lens = std::iter::repeat_with(|| store.len().unwrap().max(store.len().unwrap()));
            lens.take_while(|_| !done.load(Ordering::Relaxed)).min()
        });
        for thread in storing {
            thread.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let fewest = watching.join().unwrap().unwrap();
        // The tenth of free room makes it 1800, minus entries that are being replaced or read.
        assert!(fewest >= 1750, "{fewest} of 2000 were left");
    });
}

#[cfg(unix)]
#[test]
fn the_limit_holds_beside_a_directory_that_cannot_be_listed() {
    let dir = volatile_dir();
    let store = FILES.limited(dir.path(), 50);
    // A link that leads to itself: not even root can list it.
    let part = store.path().join("7f");
    std::os::unix::fs::symlink(&part, &part).unwrap();
    // None of these entries belongs into that directory, so storing them does not repair it.
    let keys: Vec<u64> = (0..500).filter(|key: &u64| store.path_of(key).unwrap().parent() != Some(&*part)).collect();
    insert_all(&store, keys.iter().copied());
    let kept = hits(&store, keys);
    assert!((40..=50).contains(&kept), "{kept} of 50");
}

#[test]
fn an_entry_that_was_already_removed_is_forgotten_by_all_stores() {
    let dir = volatile_dir();
    let [ours, theirs] = [0, 1].map(|_| FILES.limited(dir.path(), 50));
    insert_all(&ours, [1]);
    assert_eq!(hits(&theirs, [1]), 1);
    // As another process does that evicts, before it updates the counters.
    std::fs::remove_file(ours.path_of(&1_u64).unwrap()).unwrap();
    assert!(!ours.remove(&1_u64).unwrap());
    assert_eq!(hits(&theirs, [1]), 0);
}

#[test]
fn a_store_counts_the_entries_that_it_evicts_because_of_the_limit() {
    let dir = volatile_dir();
    let [ours, theirs] = [0, 1].map(|_| FILES.limited(dir.path(), 50));
    insert_all(&ours, 0..50);
    assert!(ours.remove(&0_u64).unwrap());
    insert_all(&ours, 1..10);
    assert_eq!(ours.evictions(), 0, "entries that are removed or replaced do not count");
    insert_all(&ours, 50..150);
    let evicted = 149 - ours.len().unwrap() as u64;
    assert!(evicted >= 99);
    assert_eq!([ours.evictions(), theirs.evictions()], [evicted, 0]);
    std::fs::remove_dir_all(ours.path()).unwrap();
    insert_all(&ours, [1]);
    assert_eq!(ours.evictions(), evicted);
}
